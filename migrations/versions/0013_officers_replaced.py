"""Officers replaced after publication: seats by serial and stage, the plan of a change"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('officer_seat', schema=None) as batch_op:
        batch_op.add_column(sa.Column('stage', sa.String(length=10), nullable=False, server_default='standing'))
        batch_op.drop_constraint(op.f('uq_officer_seat_lot_id_account_id'), type_='unique')
        batch_op.drop_constraint(op.f('uq_officer_seat_lot_id_j'), type_='unique')
        batch_op.create_unique_constraint(op.f('uq_officer_seat_lot_id_serial_j'), ['lot_id', 'serial', 'j'])
        batch_op.create_unique_constraint(op.f('uq_officer_seat_lot_id_serial_account_id'), ['lot_id', 'serial', 'account_id'])
        batch_op.create_check_constraint(op.f('ck_officer_seat_stage'), "stage IN ('standing', 'next', 'past')")
    with op.batch_alter_table('policy_change', schema=None) as batch_op:
        batch_op.add_column(sa.Column('plan', sa.Text(), nullable=False, server_default='{}'))
        batch_op.add_column(sa.Column('told_at', sa.DateTime(), nullable=True))
    for table, column in (('officer_seat', 'stage'), ('policy_change', 'plan')):
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column(column, server_default=None)


def downgrade():
    raise NotImplementedError("restore a backup instead")
