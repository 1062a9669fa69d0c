"""A controller has a key, to sign what is approved"""

from alembic import op

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('enrolled_key') as table:
        table.drop_constraint(op.f('ck_enrolled_key_role'), type_='check')
        table.create_check_constraint(
            op.f('ck_enrolled_key_role'),
            "role IN ('bidder', 'officer', 'expert', 'supervisor', 'tenderee', 'agency', 'controller')",
        )


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
