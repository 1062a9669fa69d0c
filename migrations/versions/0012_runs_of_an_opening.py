"""How far the decryption of an opening has come"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('opening_run',
    sa.Column('opening_id', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['opening_id'], ['opening.id'], name=op.f('fk_opening_run_opening_id')),
    sa.PrimaryKeyConstraint('opening_id', name=op.f('pk_opening_run'))
    )


def downgrade():
    raise NotImplementedError("restore a backup instead")
