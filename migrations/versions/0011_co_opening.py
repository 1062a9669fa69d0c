"""Bidders' own parts of an opening"""

import sqlalchemy as sa
from alembic import op

from trading.kernel.db import append_only_ddl

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('bidder_part',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('opening_id', sa.Integer(), nullable=False),
    sa.Column('party_id', sa.Integer(), nullable=False),
    sa.Column('header_hash', sa.String(length=50), nullable=False),
    sa.Column('part', sa.String(length=50), nullable=False),
    sa.Column('document', sa.Text(), nullable=False),
    sa.Column('c', sa.String(length=50), nullable=False),
    sa.Column('at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['opening_id'], ['opening.id'], name=op.f('fk_bidder_part_opening_id')),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_bidder_part_party_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bidder_part')),
    sa.UniqueConstraint('opening_id', 'header_hash', name=op.f('uq_bidder_part_opening_id_header_hash'))
    )
    for statement in append_only_ddl('bidder_part')[op.get_bind().dialect.name]:
        op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
