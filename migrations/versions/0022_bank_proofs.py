"""The bank's paper for another account waits for the scanner; a request can be declined with a reason"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('payee_change') as table:
        table.add_column(sa.Column('proof_size', sa.Integer(), nullable=False, server_default='0'))
        table.add_column(sa.Column('scan', sa.String(length=20), nullable=False, server_default='waiting'))
        table.add_column(sa.Column('finding', sa.String(length=200), nullable=False, server_default=''))
        table.add_column(sa.Column('declined_by', sa.Integer(), nullable=True))
        table.add_column(sa.Column('declined_at', sa.DateTime(), nullable=True))
        table.add_column(sa.Column('declined_why', sa.String(length=400), nullable=False, server_default=''))
        table.create_foreign_key(op.f('fk_payee_change_declined_by'), 'account', ['declined_by'], ['id'])
        table.create_check_constraint(op.f('ck_payee_change_scan'), "scan IN ('waiting', 'clean', 'infected', 'unscanned', 'refused')")


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
