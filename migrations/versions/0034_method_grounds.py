"""The ground in law on which a method was chosen, the authority's consent to it, and who was invited"""

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
    op.create_table(
        'invitation',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('lot_id', sa.Integer(), nullable=False),
        sa.Column('party_id', sa.Integer(), nullable=False),
        sa.Column('chosen', sa.Boolean(), nullable=False),
        sa.Column('made_at', sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_invitation_lot_id')),
        sa.ForeignKeyConstraint(['party_id'], ['party.id'], name=op.f('fk_invitation_party_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_invitation')),
        sa.UniqueConstraint('lot_id', 'party_id', name=op.f('uq_invitation_lot_id_party_id')),
    )
    op.create_index(op.f('ix_invitation_lot_id'), 'invitation', ['lot_id'], unique=False)
    op.create_index(op.f('ix_invitation_party_id'), 'invitation', ['party_id'], unique=False)
    with op.batch_alter_table('draw') as table:
        table.drop_constraint(op.f('ck_draw_label'), type_='check')
        table.create_check_constraint(op.f('ck_draw_label'), "label IN ('experts', 'k', 'invited')")


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
