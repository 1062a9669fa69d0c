"""The revision that seals what stood in the open (0028), on either database: every value is read as it was, none stands there any more."""

from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from deposits.receipts import BankLine
from migrations import runner
from tests.kit import data_keys
from trading.kernel import at_rest
from trading.kernel.db import open_engine
from trading.kernel.outbox import Message
from trading.parties.parties import Account

NUMBER, SECRET, MAIL, PAYER = "6222000011112222333", "JBSWY3DPEHPK3PXP", "somebody@firm.example", "欧阳静怡"
NOON = "'2026-01-01 12:00:00'"


def test_what_stood_in_the_open_is_sealed_row_by_row(databases: Any) -> None:
    with databases.fresh(empty=True) as url:
        engine = open_engine(url)
        with engine.begin() as connection:
            command.upgrade(runner._config(connection), "0027")
            for row in (
                "party (code, name, kind, region, small, bank_account, bank_name) "
                f"VALUES ('12130205000000000E', '中心', 'centre', '', false, '{NUMBER}', '')",
                "bank_statement (ref, name, sha256, at, opening_minor, closing_minor, lines) "
                f"VALUES ('s', 's', 'x', {NOON}, 0, 100, 1)",
                'outbox_message (key, channel, "to", template, facts, made_at, due_at, tries) '
                f"VALUES ('letter', 'mail', '{MAIL}', 't', '{{}}', {NOON}, {NOON}, 0), "
                f"('note', 'inbox', 'party:1', 't', '{{}}', {NOON}, {NOON}, 0)",
            ):
                connection.exec_driver_sql(f"INSERT INTO {row}")
            for number in range(1, 1204):  # more than two pieces
                secret, mail = (f"'{SECRET}'", f"'{number}{MAIL}'") if number % 2 else ("NULL", "NULL")
                connection.exec_driver_sql(
                    "INSERT INTO account (username, name, party_id, password, totp_secret, totp_last_step, made_at, mail) "
                    f"VALUES ('person{number}', '某人', 1, 'x', {secret}, 0, {NOON}, {mail})"
                )
            connection.exec_driver_sql(
                "INSERT INTO bank_line (statement_id, bank_id, at, day, amount_minor, payer_name, payer_account, text, "
                f"sub_account, balance_minor) VALUES (1, 'B1', {NOON}, '2026-01-01', 100, '{PAYER}', '{NUMBER}', '', '', 100)"
            )
        assert runner.upgrade(engine)[0].startswith("0028: ") and runner.drift(engine) == []
        with engine.connect() as connection, Session(connection) as session:
            assert len(tokens := list(at_rest.all_values(connection))) == 602 * 2 + 4
            assert all(one.token.startswith(at_rest.MARK) for one in tokens)
            for who in session.query(Account):
                known = (SECRET, f"{who.id}{MAIL}") if who.id % 2 else (None, None)
                assert (who.totp_secret, who.mail) == known
                assert who.mail_index == (data_keys.RING.indexes("account", "mail", who.mail)[0] if who.mail else None)
            line = session.query(BankLine).one()
            assert (line.payer_name, line.payer_account, line.text) == (PAYER, NUMBER, "")
            told = {one.key: (one.to, one.address) for one in session.query(Message)}
            assert told == {"letter": ("", MAIL), "note": ("party:1", "")}
        with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(text("UPDATE bank_line SET day = '2026-01-02'"))
        engine.dispose()
