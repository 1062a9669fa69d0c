"""The hall: who signed in to an opening, the base price bound beforehand, which line is being read, the papers."""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None
APPEND_ONLY = ['hall_attendance', 'reading']


def upgrade():
    op.create_table('hall_attendance',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.CheckConstraint("kind IN ('bidder', 'host', 'officer', 'tenderee', 'agency', 'supervisor')", name=op.f('ck_hall_attendance_kind')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_hall_attendance_account_id')),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_hall_attendance_lot_id')),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_hall_attendance_party_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hall_attendance')),
    sa.UniqueConstraint('lot_id', 'account_id', name=op.f('uq_hall_attendance_lot_id_account_id'))
    )
    with op.batch_alter_table('hall_attendance', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_hall_attendance_lot_id'), ['lot_id'], unique=False)
    op.create_table('base_price',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('lot_id', sa.Integer(), nullable=False),
    sa.Column('commitment', sa.String(length=50), nullable=False),
    sa.Column('committed_at', sa.DateTime(), nullable=False),
    sa.Column('price_minor', sa.BigInteger(), nullable=True),
    sa.Column('salt', sa.String(length=50), nullable=False),
    sa.Column('published_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_base_price_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_base_price')),
    sa.UniqueConstraint('lot_id', name=op.f('uq_base_price_lot_id'))
    )
    op.create_table('reading',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('opening_id', sa.Integer(), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['opening_id'], ['opening.id'], name=op.f('fk_reading_opening_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reading'))
    )
    with op.batch_alter_table('reading', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_reading_opening_id'), ['opening_id'], unique=False)
    op.create_table('opening_paper',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('opening_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('blob', sa.String(length=64), nullable=False),
    sa.Column('made_at', sa.DateTime(), nullable=False),
    sa.Column('stamp', sa.String(length=64), nullable=True),
    sa.Column('stamped_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("kind IN ('sheet', 'form', 'record')", name=op.f('ck_opening_paper_kind')),
    sa.ForeignKeyConstraint(['opening_id'], ['opening.id'], name=op.f('fk_opening_paper_opening_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_opening_paper')),
    sa.UniqueConstraint('opening_id', 'kind', name=op.f('uq_opening_paper_opening_id_kind'))
    )
    with op.batch_alter_table('opening_paper', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_opening_paper_opening_id'), ['opening_id'], unique=False)
    dialect = op.get_bind().dialect.name
    for name in APPEND_ONLY:
        for statement in append_only_ddl(name)[dialect]:
            op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
