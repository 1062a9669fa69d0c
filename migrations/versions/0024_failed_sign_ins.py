"""Sign-ins that failed, for the owner and the administrators"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('failed_sign_in',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=True),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('way', sa.String(length=10), nullable=False),
    sa.Column('wrong', sa.String(length=10), nullable=False),
    sa.Column('network', sa.String(length=64), nullable=False),
    sa.CheckConstraint("way IN ('sign_in', 'confirm', 'password', 'link')", name=op.f('ck_failed_sign_in_way')),
    sa.CheckConstraint("wrong IN ('account', 'password', 'code', 'closed', 'no_role')", name=op.f('ck_failed_sign_in_wrong')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_failed_sign_in_account_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_failed_sign_in'))
    )
    op.create_index(op.f('ix_failed_sign_in_account_id'), 'failed_sign_in', ['account_id'], unique=False)
    op.create_index(op.f('ix_failed_sign_in_at'), 'failed_sign_in', ['at'], unique=False)
