"""Results of the years before the platform, taken in from files"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('history_file',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('taken_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history_file')),
    sa.UniqueConstraint('sha256', name=op.f('uq_history_file_sha256'))
    )
    op.create_table('history_result',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('file_id', sa.Integer(), nullable=False),
    sa.Column('ref', sa.String(length=200), nullable=False),
    sa.Column('project', sa.String(length=400), nullable=True),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('price_form', sa.String(length=20), nullable=False),
    sa.Column('result_on', sa.Date(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('budget_minor', sa.BigInteger(), nullable=True),
    sa.Column('award_minor', sa.BigInteger(), nullable=True),
    sa.Column('regime', sa.String(length=40), nullable=True),
    sa.Column('category', sa.String(length=40), nullable=True),
    sa.Column('method', sa.String(length=40), nullable=True),
    sa.Column('purchaser', sa.String(length=200), nullable=True),
    sa.Column('agency', sa.String(length=200), nullable=True),
    sa.Column('region', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['file_id'], ['history_file.id'], name=op.f('fk_history_result_file_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_history_result'))
    )
    op.create_index(op.f('ix_history_result_file_id'), 'history_result', ['file_id'], unique=False)
    for name in ('history_file', 'history_result'):
        for statement in append_only_ddl(name)[op.get_bind().dialect.name]:
            op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead")
