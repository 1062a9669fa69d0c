"""Copies at the mirror, looks at stored bytes, erasures"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('mirror_copy',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('bid_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('due_at', sa.DateTime(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('ack', sa.Text(), nullable=True),
    sa.Column('c', sa.String(length=50), nullable=True),
    sa.Column('at', sa.DateTime(), nullable=True),
    sa.Column('told_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("kind IN ('none', 'digests', 'files')", name=op.f('ck_mirror_copy_kind')),
    sa.ForeignKeyConstraint(['bid_id'], ['sealed_bid.id'], name=op.f('fk_mirror_copy_bid_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mirror_copy')),
    sa.UniqueConstraint('bid_id', name=op.f('uq_mirror_copy_bid_id'))
    )
    op.create_index(op.f('ix_mirror_copy_due_at'), 'mirror_copy', ['due_at'], unique=False)
    op.create_table('byte_check',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('bid_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('checked_at', sa.DateTime(), nullable=False),
    sa.Column('found_at', sa.DateTime(), nullable=True),
    sa.Column('proof', sa.Text(), nullable=False),
    sa.Column('missed', sa.Boolean(), nullable=False),
    sa.CheckConstraint("state IN ('GOOD', 'BROKEN', 'RESTORED', 'HANDED_IN')", name=op.f('ck_byte_check_state')),
    sa.ForeignKeyConstraint(['bid_id'], ['sealed_bid.id'], name=op.f('fk_byte_check_bid_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_byte_check')),
    sa.UniqueConstraint('bid_id', name=op.f('uq_byte_check_bid_id'))
    )
    op.create_table('bid_erasure',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('bid_id', sa.Integer(), nullable=False),
    sa.Column('blob', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('gone_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['bid_id'], ['sealed_bid.id'], name=op.f('fk_bid_erasure_bid_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bid_erasure')),
    sa.UniqueConstraint('bid_id', name=op.f('uq_bid_erasure_bid_id'))
    )
    op.create_table('mirror_waiver',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.String(length=128), nullable=False),
    sa.Column('reasons', sa.Text(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_mirror_waiver_account_id')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_mirror_waiver_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mirror_waiver')),
    sa.UniqueConstraint('lot_id', 'part', name=op.f('uq_mirror_waiver_lot_id_part'))
    )
    for statement in append_only_ddl('mirror_waiver')[op.get_bind().dialect.name]:
        op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
