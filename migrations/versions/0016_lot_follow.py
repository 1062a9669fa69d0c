"""Lots a person follows"""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('lot_follow',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('since', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_lot_follow_account_id')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_lot_follow_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lot_follow')),
    sa.UniqueConstraint('account_id', 'lot_id', name=op.f('uq_lot_follow_account_id_lot_id'))
    )
    op.create_index(op.f('ix_lot_follow_lot_id'), 'lot_follow', ['lot_id'], unique=False)
