"""A copy that was brought back waits for two people to say what was lost; stored bids are read again, round after round"""

import sqlalchemy as sa
from alembic import op

revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'restoration',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('backup_at', sa.DateTime(), nullable=False),
        sa.Column('at', sa.DateTime(), nullable=False),
        sa.Column('ticks', sa.Integer(), nullable=False),
        sa.Column('note', sa.Text(), nullable=False),
        sa.Column('proposed_by', sa.Integer(), nullable=True),
        sa.Column('proposed_at', sa.DateTime(), nullable=True),
        sa.Column('remembered', sa.Integer(), nullable=False),
        sa.Column('remembered_root', sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(['proposed_by'], ['account.id'], name=op.f('fk_restoration_proposed_by')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_restoration')),
    )
    op.create_table(
        'scrub',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('cursor', sa.String(length=64), nullable=False),
        sa.Column('begun_at', sa.DateTime(), nullable=False),
        sa.Column('whole_at', sa.DateTime(), nullable=True),
        sa.Column('unmended', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_scrub')),
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
