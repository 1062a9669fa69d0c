"""Passwords handed over by two, and what two decide about an account besides roles"""

import sqlalchemy as sa
from alembic import op

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('account', sa.Column('handed_by', sa.Integer(), nullable=True))
    op.add_column('account', sa.Column('second_part', sa.String(length=64), nullable=True))
    op.add_column('role_proposal', sa.Column('deed', sa.String(length=20), server_default='grant', nullable=False))
    op.add_column('role_proposal', sa.Column('password', sa.String(length=300), server_default='', nullable=False))
