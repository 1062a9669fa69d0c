"""Quarantine of the files of opened bids"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'opened_file',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('opened_bid_id', sa.Integer(), nullable=False),
        sa.Column('lot_id', sa.Integer(), nullable=False),
        sa.Column('place', sa.Integer(), nullable=False),
        sa.Column('blob', sa.String(length=64), nullable=False),
        sa.Column('digest', sa.String(length=50), nullable=False),
        sa.Column('size', sa.BigInteger(), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('finding', sa.String(length=200), nullable=False),
        sa.Column('scanner', sa.String(length=200), nullable=False),
        sa.Column('taken_at', sa.DateTime(), nullable=True),
        sa.Column('scanned_at', sa.DateTime(), nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'clean', 'infected', 'unscanned', 'refused')", name=op.f('ck_opened_file_state')),
        sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_opened_file_lot_id')),
        sa.ForeignKeyConstraint(['opened_bid_id'], ['opened_bid.id'], name=op.f('fk_opened_file_opened_bid_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_opened_file')),
        sa.UniqueConstraint('opened_bid_id', 'place', name=op.f('uq_opened_file_opened_bid_id_place')),
    )
    with op.batch_alter_table('opened_file') as batch:
        batch.create_index(batch.f('ix_opened_file_lot_id'), ['lot_id'], unique=False)
        batch.create_index(batch.f('ix_opened_file_state'), ['state'], unique=False)


def downgrade():
    raise NotImplementedError("restore a backup instead: what a scanner found is never thrown away")
