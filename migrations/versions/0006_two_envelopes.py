"""Two envelopes and co-opening as options of a lot; what of an opening stays sealed; the technical result; findings on prices"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    dialect = op.get_bind().dialect.name
    with op.batch_alter_table('lot') as batch_op:
        batch_op.add_column(sa.Column('two_envelopes', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('co_opening', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('opening') as batch_op:
        batch_op.add_column(sa.Column('left_sealed', sa.Text(), nullable=False, server_default='{}'))
    for table, column in (('lot', 'two_envelopes'), ('lot', 'co_opening'), ('opening', 'left_sealed')):
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column(column, server_default=None)
    with op.batch_alter_table('finding') as batch_op:
        batch_op.drop_constraint(op.f('ck_finding_stage'), type_='check')
        batch_op.create_check_constraint(op.f('ck_finding_stage'), "stage IN ('qualification', 'conformity', 'price')")
    op.create_table('technical_result',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('passed', sa.Text(), nullable=False),
    sa.Column('rejected', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_technical_result_account_id')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_technical_result_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_technical_result')),
    sa.UniqueConstraint('lot_id', name=op.f('uq_technical_result_lot_id'))
    )
    for statement in append_only_ddl('technical_result')[dialect]:
        op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
