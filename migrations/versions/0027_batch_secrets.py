"""A batch of refunds has a secret of its own, so that its digest tells nobody how many rows it covers"""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('refund_batch') as table:
        table.add_column(sa.Column('secret', sa.String(length=44), nullable=False, server_default=''))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
