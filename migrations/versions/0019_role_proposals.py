"""Roles of weight, proposed by one administrator and decided by another"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ROLES = ("public", "bidder-operator", "bidder-signer", "bidder-admin", "purchaser", "agency", "host", "centre", "officer", "expert", "chair",
         "witness", "supervisor", "cashier", "controller", "system-admin", "security-admin", "audit-admin", "clock")


def upgrade():
    op.create_table('role_proposal',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('proposed_by', sa.Integer(), nullable=False),
    sa.Column('proposed_at', sa.DateTime(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('decided_by', sa.Integer(), nullable=True),
    sa.Column('decided_at', sa.DateTime(), nullable=True),
    sa.Column('answer', sa.String(length=500), nullable=False),
    sa.CheckConstraint(f"role IN {ROLES!r}", name=op.f('ck_role_proposal_role')),
    sa.CheckConstraint("state IN ('open', 'granted', 'refused', 'withdrawn')", name=op.f('ck_role_proposal_state')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_role_proposal_account_id')),
    sa.ForeignKeyConstraint(['decided_by'], ['account.id'], name=op.f('fk_role_proposal_decided_by')),
    sa.ForeignKeyConstraint(['proposed_by'], ['account.id'], name=op.f('fk_role_proposal_proposed_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role_proposal'))
    )
