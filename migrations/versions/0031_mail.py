"""Letters that leave, with what became of each; what a person wants by mail, and links that confirm an address"""

import sqlalchemy as sa
from alembic import op

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None

PACES = "pace IN ('each', 'daily', 'never')"
STATES = "state IN ('waiting', 'handed_over', 'refused', 'given_up', 'gathered', 'bound', 'dropped')"
KINDS = "kind IN ('message', 'digest', 'address')"


def upgrade():
    op.create_table(
        'mail_choice',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('pace', sa.String(length=10), nullable=False),
        sa.Column('lang', sa.String(length=2), nullable=False),
        sa.Column('groups', sa.String(length=200), nullable=False),
        sa.Column('verified_at', sa.DateTime(), nullable=True),
        sa.Column('bounced_at', sa.DateTime(), nullable=True),
        sa.Column('bounce_code', sa.Integer(), nullable=False),
        sa.CheckConstraint(PACES, name=op.f('ck_mail_choice_pace')),
        sa.CheckConstraint("lang IN ('zh', 'en')", name=op.f('ck_mail_choice_lang')),
        sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mail_choice_account_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_mail_choice')),
        sa.UniqueConstraint('account_id', name=op.f('uq_mail_choice_account_id')),
    )
    op.create_table(
        'mail_check',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=False),
        sa.Column('token_hash', sa.String(length=64), nullable=False),
        sa.Column('until', sa.DateTime(), nullable=False),
        sa.Column('used_at', sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mail_check_account_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_mail_check')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_mail_check_token_hash')),
    )
    op.create_index(op.f('ix_mail_check_account_id'), 'mail_check', ['account_id'], unique=False)
    op.create_table(
        'mail_letter',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('ref', sa.String(length=40), nullable=False),
        sa.Column('kind', sa.String(length=10), nullable=False),
        sa.Column('account_id', sa.Integer(), nullable=True),
        sa.Column('message_id', sa.Integer(), nullable=True),
        sa.Column('digest_id', sa.Integer(), nullable=True),
        sa.Column('state', sa.String(length=12), nullable=False),
        sa.Column('made_at', sa.DateTime(), nullable=False),
        sa.Column('due_at', sa.DateTime(), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('code', sa.Integer(), nullable=False),
        sa.Column('claim', sa.String(length=40), nullable=False),
        sa.Column('claimed_until', sa.DateTime(), nullable=True),
        sa.Column('done_at', sa.DateTime(), nullable=True),
        sa.CheckConstraint(STATES, name=op.f('ck_mail_letter_state')),
        sa.CheckConstraint(KINDS, name=op.f('ck_mail_letter_kind')),
        sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mail_letter_account_id')),
        sa.ForeignKeyConstraint(['message_id'], ['outbox_message.id'], name=op.f('fk_mail_letter_message_id')),
        sa.ForeignKeyConstraint(['digest_id'], ['mail_letter.id'], name=op.f('fk_mail_letter_digest_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_mail_letter')),
        sa.UniqueConstraint('ref', name=op.f('uq_mail_letter_ref')),
        sa.UniqueConstraint('account_id', 'message_id', name=op.f('uq_mail_letter_account_id_message_id')),
    )
    for column in ('message_id', 'digest_id', 'state'):
        op.create_index(op.f(f'ix_mail_letter_{column}'), 'mail_letter', [column], unique=False)
    op.drop_column('outbox_message', 'tries')


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
