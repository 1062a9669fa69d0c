"""Attachments to filings, objections and answers"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('attachment',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=True),
    sa.Column('objection_id', sa.Integer(), nullable=True),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('log_of', sa.String(length=80), nullable=False),
    sa.Column('party_id', sa.Integer(), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('blob', sa.String(length=64), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('media', sa.String(length=100), nullable=False),
    sa.Column('added_at', sa.DateTime(), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('finding', sa.String(length=200), nullable=False),
    sa.Column('scanner', sa.String(length=200), nullable=False),
    sa.Column('taken_at', sa.DateTime(), nullable=True),
    sa.Column('scanned_at', sa.DateTime(), nullable=True),
    sa.CheckConstraint("role IN ('filing', 'objection', 'answer')", name=op.f('ck_attachment_role')),
    sa.CheckConstraint("state IN ('waiting', 'clean', 'infected', 'unscanned', 'refused')", name=op.f('ck_attachment_state')),
    sa.CheckConstraint('(project_id IS NULL) <> (objection_id IS NULL)', name=op.f('ck_attachment_of_one')),
    sa.ForeignKeyConstraint(['objection_id'], ['objection.id'], name=op.f('fk_attachment_objection_id')),
    sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_attachment_party_id')),
    sa.ForeignKeyConstraint(['project_id'], ['project.id'], name=op.f('fk_attachment_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attachment'))
    )
    op.create_index(op.f('ix_attachment_objection_id'), 'attachment', ['objection_id'], unique=False)
    op.create_index(op.f('ix_attachment_project_id'), 'attachment', ['project_id'], unique=False)
    op.create_index(op.f('ix_attachment_state'), 'attachment', ['state'], unique=False)


def downgrade():
    raise NotImplementedError("restore a backup instead")
