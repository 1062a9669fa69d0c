"""Addresses of mail, links for forgotten passwords, firms that register themselves"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('account', sa.Column('mail', sa.String(length=254), nullable=True))
    op.create_index(op.f('ix_account_mail'), 'account', ['mail'], unique=False)
    op.create_table('password_wish',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('typed', sa.String(length=254), nullable=False),
    sa.Column('base', sa.String(length=200), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_password_wish'))
    )
    op.create_table('password_link',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('until', sa.DateTime(), nullable=False),
    sa.Column('used_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_password_link_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_password_link')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_password_link_token_hash'))
    )
    op.create_table('firm_registration',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=40), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('region', sa.String(length=40), nullable=False),
    sa.Column('small', sa.Boolean(), nullable=False),
    sa.Column('bank_name', sa.String(length=120), nullable=False),
    sa.Column('bank_account', sa.String(length=64), nullable=False),
    sa.Column('person', sa.String(length=80), nullable=False),
    sa.Column('phone', sa.String(length=40), nullable=False),
    sa.Column('mail', sa.String(length=254), nullable=False),
    sa.Column('username', sa.String(length=80), nullable=False),
    sa.Column('password', sa.String(length=300), nullable=False),
    sa.Column('proof', sa.String(length=64), nullable=False),
    sa.Column('proof_name', sa.String(length=200), nullable=False),
    sa.Column('proof_size', sa.Integer(), nullable=False),
    sa.Column('scan', sa.String(length=20), nullable=False),
    sa.Column('finding', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('sent_at', sa.DateTime(), nullable=False),
    sa.Column('returns', sa.Integer(), nullable=False),
    sa.Column('reasons', sa.String(length=2000), nullable=False),
    sa.Column('decided_at', sa.DateTime(), nullable=True),
    sa.Column('decided_by', sa.Integer(), nullable=True),
    sa.Column('party_id', sa.Integer(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.CheckConstraint("state IN ('SENT', 'RETURNED', 'ACCEPTED')", name=op.f('ck_firm_registration_state')),
    sa.CheckConstraint("scan IN ('waiting', 'clean', 'infected', 'unscanned', 'refused')", name=op.f('ck_firm_registration_scan')),
    sa.ForeignKeyConstraint(['decided_by'], ['account.id'], name=op.f('fk_firm_registration_decided_by')),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_firm_registration_party_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_firm_registration')),
    sa.UniqueConstraint('ref', name=op.f('uq_firm_registration_ref'))
    )
    for column in ('code', 'state', 'username'):
        op.create_index(op.f(f'ix_firm_registration_{column}'), 'firm_registration', [column], unique=False)
