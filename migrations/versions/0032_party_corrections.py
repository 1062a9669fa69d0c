"""An organisation's name or code is put right by two"""

import sqlalchemy as sa
from alembic import op

revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'party_correction',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('party_id', sa.Integer(), nullable=False),
        sa.Column('old_code', sa.String(length=40), nullable=False),
        sa.Column('old_name', sa.String(length=200), nullable=False),
        sa.Column('code', sa.String(length=40), nullable=False),
        sa.Column('name', sa.String(length=200), nullable=False),
        sa.Column('reason', sa.String(length=500), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('proposed_by', sa.Integer(), nullable=False),
        sa.Column('proposed_at', sa.DateTime(), nullable=False),
        sa.Column('decided_by', sa.Integer(), nullable=True),
        sa.Column('decided_at', sa.DateTime(), nullable=True),
        sa.Column('answer', sa.String(length=500), nullable=False),
        sa.CheckConstraint("state IN ('open', 'done', 'refused', 'withdrawn')", name=op.f('ck_party_correction_state')),
        sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_party_correction_party_id')),
        sa.ForeignKeyConstraint(['proposed_by'], ['account.id'], name=op.f('fk_party_correction_proposed_by')),
        sa.ForeignKeyConstraint(['decided_by'], ['account.id'], name=op.f('fk_party_correction_decided_by')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_party_correction')),
    )
    op.create_index(op.f('ix_party_correction_old_code'), 'party_correction', ['old_code'])
    op.create_index(
        'ix_party_correction_open',
        'party_correction',
        ['party_id'],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
