"""Secrets of second factors, bank accounts, payers, telephones and addresses of mail are sealed, with a keyed hash beside the address"""

import sqlalchemy as sa
from alembic import context, op

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None

# table: (the column that names its rows, {sealed column: may it be null})
SEALED = {
    'account': ('username', {'totp_secret': True, 'mail': True}),
    'party': ('code', {'bank_account': False}),
    'firm_registration': ('ref', {'bank_account': False, 'phone': False, 'mail': False}),
    'bank_line': ('bank_id', {'payer_name': False, 'payer_account': False, 'text': False}),
    'refund': ('ref', {'payee_name': False, 'payee_account': False}),
    'bank_transfer': ('key', {'payee_name': False, 'payee_account': False}),
    'payee_change': ('ref', {'account': False}),
    'password_wish': ('ref', {'typed': False}),
    'outbox_message': ('key', {'address': False}),
}
ROWS = 500


def upgrade():
    connection = op.get_bind()
    op.drop_index('ix_account_mail', table_name='account')
    op.add_column('account', sa.Column('mail_index', sa.String(length=43), nullable=True))
    op.create_index('ix_account_mail_index', 'account', ['mail_index'])
    op.add_column('password_wish', sa.Column('ref', sa.String(length=40), nullable=False, server_default=''))
    connection.execute(sa.text("UPDATE password_wish SET ref = 'wish-' || id"))
    op.add_column('outbox_message', sa.Column('address', sa.String(length=254), nullable=False, server_default=''))
    connection.execute(sa.text("UPDATE outbox_message SET address = \"to\", \"to\" = '' WHERE channel = 'mail'"))
    _triggers(connection, 'DROP')
    for table, (row, columns) in SEALED.items():
        for column, nullable in columns.items():
            _widen(connection, table, column, nullable)
        _seal(connection, table, row, list(columns))
    _triggers(connection, 'CREATE')


def _widen(connection, table, column, nullable):
    """A sealed value is longer than what it hides. On SQLite by hand, since making the table anew would drop what hangs on it."""
    if connection.dialect.name == 'postgresql':
        op.alter_column(table, column, type_=sa.Text())
        return
    rest = '' if nullable else " NOT NULL DEFAULT ''"
    op.execute(f'ALTER TABLE {table} ADD COLUMN sealed_{column} TEXT{rest}')
    op.execute(f'UPDATE {table} SET sealed_{column} = "{column}"')
    op.execute(f'ALTER TABLE {table} DROP COLUMN "{column}"')
    op.execute(f'ALTER TABLE {table} RENAME COLUMN sealed_{column} TO "{column}"')


def _seal(connection, table, row, columns):
    """Row by row with the first key of the platform's ring (``context.config``), in pieces that fit any memory."""
    keys, at = context.config.attributes.get('data_keys'), 0
    names = ', '.join(f'"{one}"' for one in columns)
    while True:
        page = connection.execute(
            sa.text(f'SELECT id, "{row}", {names} FROM {table} WHERE id > :at ORDER BY id LIMIT {ROWS}'), {'at': at}
        ).all()
        for ident, name, *values in page:
            told = {
                column: str(keys().first.seal(table, column, name, value))
                for column, value in zip(columns, values)
                if value
            }
            if table == 'account' and 'mail' in told:
                told['mail_index'] = keys().first.index_of(table, 'mail', values[columns.index('mail')])
            if told:
                change = ', '.join(f'"{column}" = :{column}' for column in told)
                connection.execute(sa.text(f'UPDATE {table} SET {change} WHERE id = :ident'), {**told, 'ident': ident})
        if len(page) < ROWS:
            return
        at = page[-1][0]


def _triggers(connection, word):
    """Lines of the bank are append-only; nobody else sees them without their triggers, which come back in this transaction."""
    if connection.dialect.name == 'sqlite':
        for verb in ('UPDATE', 'DELETE'):
            name = f'bank_line_no_{verb.lower()}'
            op.execute(
                f'DROP TRIGGER IF EXISTS {name}'
                if word == 'DROP'
                else f"CREATE TRIGGER {name} BEFORE {verb} ON bank_line "
                "BEGIN SELECT RAISE(ABORT, 'append-only table bank_line'); END"
            )
    else:
        switch = 'DISABLE' if word == 'DROP' else 'ENABLE'
        op.execute(f'ALTER TABLE bank_line {switch} TRIGGER bank_line_append_only')


def downgrade():
    raise NotImplementedError("restore a backup instead: append-only rows are never thrown away")
