"""floods of refused attempts"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0008'
down_revision = '0007'
APPEND_ONLY = ['flood_listed']
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('flood_listed',
    sa.Column('c', sa.String(length=50), nullable=False),
    sa.Column('list_c', sa.String(length=50), nullable=False),
    sa.ForeignKeyConstraint(['c'], ['log_entry.c'], name=op.f('fk_flood_listed_c')),
    sa.ForeignKeyConstraint(['list_c'], ['log_entry.c'], name=op.f('fk_flood_listed_list_c')),
    sa.PrimaryKeyConstraint('c', name=op.f('pk_flood_listed'))
    )
    with op.batch_alter_table('flood_listed', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_flood_listed_list_c'), ['list_c'], unique=False)

    op.create_table('flood_waiting',
    sa.Column('c', sa.String(length=50), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.String(length=128), nullable=False),
    sa.ForeignKeyConstraint(['c'], ['log_entry.c'], name=op.f('fk_flood_waiting_c')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_flood_waiting_lot_id')),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_flood_waiting_party_id')),
    sa.PrimaryKeyConstraint('c', name=op.f('pk_flood_waiting'))
    )
    with op.batch_alter_table('flood_waiting', schema=None) as batch_op:
        batch_op.create_index('ix_flood_waiting_of', ['lot_id', 'party_id', 'part'], unique=False)

    dialect = op.get_bind().dialect.name
    for name in APPEND_ONLY:
        for statement in append_only_ddl(name)[dialect]:
            op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
