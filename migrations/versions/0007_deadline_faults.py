"""deadline faults"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('probe_point',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('public', sa.String(length=50), nullable=False),
    sa.Column('since', sa.DateTime(), nullable=False),
    sa.Column('until', sa.DateTime(), nullable=True),
    sa.Column('beat_at', sa.DateTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_probe_point'))
    )
    op.create_index(op.f('ix_probe_point_name'), 'probe_point', ['name'], unique=False)
    op.create_table('probe_sample',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('point', sa.String(length=32), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('ms', sa.Integer(), nullable=False),
    sa.Column('ok', sa.Boolean(), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('offset_ms', sa.Integer(), nullable=True),
    sa.Column('told_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_probe_sample')),
    sa.UniqueConstraint('point', 'at', name=op.f('uq_probe_sample_point_at'))
    )
    op.create_index('ix_probe_sample_at', 'probe_sample', ['at'], unique=False)
    op.create_table('drop_ticket',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=50), nullable=False),
    sa.Column('kid', sa.String(length=50), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.Column('ticket', sa.Text(), nullable=False),
    sa.Column('taken_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_drop_ticket')),
    sa.UniqueConstraint('digest', 'kid', name=op.f('uq_drop_ticket_digest_kid'))
    )
    op.create_index(op.f('ix_drop_ticket_kid'), 'drop_ticket', ['kid'], unique=False)
    op.create_table('deadline_fault',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('before', sa.DateTime(), nullable=False),
    sa.Column('until', sa.DateTime(), nullable=False),
    sa.Column('bad_minutes', sa.Integer(), nullable=False),
    sa.Column('drafted', sa.Boolean(), nullable=False),
    sa.Column('evidence', sa.String(length=50), nullable=False),
    sa.Column('judged_until', sa.DateTime(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(), nullable=False),
    sa.Column('settled_at', sa.DateTime(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.CheckConstraint("kind IN ('extend', 'suspend')", name=op.f('ck_deadline_fault_kind')),
    sa.CheckConstraint("state IN ('ENDED', 'EXTENDED', 'LIFTED', 'REPLACED', 'SUSPENDED')", name=op.f('ck_deadline_fault_state')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_deadline_fault_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deadline_fault'))
    )
    op.create_index(op.f('ix_deadline_fault_lot_id'), 'deadline_fault', ['lot_id'], unique=False)
    op.create_index('ix_deadline_fault_open', 'deadline_fault', ['lot_id'], unique=True, sqlite_where=sa.text("state = 'SUSPENDED'"), postgresql_where=sa.text("state = 'SUSPENDED'"))
    for statement in append_only_ddl('drop_ticket')[op.get_bind().dialect.name]:
        op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
