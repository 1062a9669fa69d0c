"""A works ceiling may lie above the budget; what an upheld objection leads to is said"""

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0030'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('lot') as table:
        table.drop_constraint(op.f('ck_lot_ceiling_within_budget'), type_='check')
    op.add_column('panel', sa.Column('competition', sa.Text(), nullable=False, server_default=''))
    with op.batch_alter_table('objection') as table:
        table.add_column(sa.Column('effect', sa.String(length=10), nullable=False, server_default=''))
        table.add_column(sa.Column('settled_at', sa.DateTime(), nullable=True))
        table.create_check_constraint(op.f('ck_objection_effect'), "effect IN ('', 'none', 'next', 'review', 'void')")


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
