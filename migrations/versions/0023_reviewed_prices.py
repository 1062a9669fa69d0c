"""What a panel changed of a price: the arithmetic correction, and the deviations priced as the documents say"""

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('finding') as table:
        table.add_column(sa.Column('arithmetic_minor', sa.BigInteger(), nullable=False, server_default='0'))
        table.add_column(sa.Column('adjustment_minor', sa.BigInteger(), nullable=False, server_default='0'))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
