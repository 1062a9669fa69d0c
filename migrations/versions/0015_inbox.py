"""Which messages of the inbox a person has read"""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('inbox_read',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('account_id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.Integer(), nullable=False),
    sa.Column('read_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_inbox_read_account_id')),
    sa.ForeignKeyConstraint(['message_id'], ['outbox_message.id'], name=op.f('fk_inbox_read_message_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox_read')),
    sa.UniqueConstraint('account_id', 'message_id', name=op.f('uq_inbox_read_account_id_message_id'))
    )
    op.create_index(op.f('ix_outbox_message_to'), 'outbox_message', ['to'], unique=False)
