"""The ground in law on which a method was chosen, and the authority's consent to it"""

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('project', sa.Column('ground', sa.String(length=30), nullable=False, server_default=''))
    op.add_column('project', sa.Column('ground_facts', sa.Text(), nullable=False, server_default=''))
    op.add_column('project', sa.Column('consent_no', sa.String(length=120), nullable=False, server_default=''))
    op.add_column('project', sa.Column('consent_on', sa.Date(), nullable=True))


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
