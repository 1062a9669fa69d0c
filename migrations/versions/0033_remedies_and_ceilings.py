"""A works ceiling may lie above the budget; what an upheld objection leads to is said"""

import sqlalchemy as sa
from alembic import op

revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('lot') as table:
        table.drop_constraint(op.f('ck_lot_ceiling_within_budget'), type_='check')
    op.add_column('panel', sa.Column('competition', sa.Text(), nullable=False, server_default=''))
    with op.batch_alter_table('objection') as table:
        table.add_column(sa.Column('effect', sa.String(length=10), nullable=False, server_default=''))
        table.add_column(sa.Column('settled_at', sa.DateTime(), nullable=True))
        table.create_check_constraint(op.f('ck_objection_effect'), "effect IN ('', 'none', 'next', 'review', 'void')")
    op.create_table(
        'complaint',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('ref', sa.String(length=40), nullable=False),
        sa.Column('lot_id', sa.Integer(), nullable=False),
        sa.Column('party_id', sa.Integer(), nullable=False),
        sa.Column('objection_id', sa.Integer(), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('version', sa.Integer(), nullable=False),
        sa.Column('filed_at', sa.DateTime(), nullable=False),
        sa.Column('examine_by', sa.DateTime(), nullable=False),
        sa.Column('examined_at', sa.DateTime(), nullable=True),
        sa.Column('decide_by', sa.DateTime(), nullable=True),
        sa.Column('decided_at', sa.DateTime(), nullable=True),
        sa.Column('suspended_at', sa.DateTime(), nullable=True),
        sa.Column('suspended_until', sa.DateTime(), nullable=True),
        sa.Column('answer', sa.Text(), nullable=False),
        sa.Column('upheld', sa.Boolean(), nullable=True),
        sa.Column('effect', sa.String(length=10), nullable=False),
        sa.Column('reasons', sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('ACCEPTED', 'DECIDED', 'FILED', 'REFUSED', 'WITHDRAWN')", name=op.f('ck_complaint_state')
        ),
        sa.CheckConstraint("effect IN ('', 'none', 'next', 'review', 'void')", name=op.f('ck_complaint_effect')),
        sa.CheckConstraint("(state = 'DECIDED') = (upheld IS NOT NULL)", name=op.f('ck_complaint_decided')),
        sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_complaint_lot_id')),
        sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_complaint_party_id')),
        sa.ForeignKeyConstraint(['objection_id'], ['objection.id'], name=op.f('fk_complaint_objection_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_complaint')),
        sa.UniqueConstraint('ref', name=op.f('uq_complaint_ref')),
        sa.UniqueConstraint('objection_id', name=op.f('uq_complaint_objection_id')),
    )
    op.create_index(op.f('ix_complaint_lot_id'), 'complaint', ['lot_id'], unique=False)


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
