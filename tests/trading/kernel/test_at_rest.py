"""Values at rest are sealed with a key outside the database, bound to their place; whatever else stands there is refused in words."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.kit import data_keys
from tests.kit.world import SETUP, World, credit_code
from trading.kernel import at_rest
from trading.kernel.errors import NotReady
from trading.parties import parties
from trading.parties.parties import Account, Party

NUMBER, OTHER = "6222000011112222333", "6222000044445555666"
SECRET, MAIL = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "somebody@firm.example"


@pytest.fixture
def firm(world: World) -> int:
    """A firm with an account at its bank, and a person with a second factor and an address."""
    with world.office.work(SETUP) as work:
        new = parties.register(work, code=credit_code(70), name="某某公司", kind="bidder", bank_account=NUMBER)
        other = parties.register(work, code=credit_code(71), name="另一公司", kind="bidder", bank_account=OTHER)
        who = parties.invite(work, new, username="someone", name="某人", password="x" * 30, hashed="x", roles=[])
        who.totp_secret, who.mail = SECRET, MAIL
    assert other.id == new.id + 1
    return new.id


def account_of(world: World, party: int) -> str:
    with world.view("clock") as view:
        return parties.party(view.session, party).bank_account


def written(engine: Engine, table: str, column: str, row: int) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text(f"SELECT {column} FROM {table} WHERE id = :id"), {"id": row}).scalar())


def write(engine: Engine, table: str, column: str, row: int, value: str | None) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {column} = :new WHERE id = :id"), {"new": value, "id": row})


def test_the_code_sees_values_and_the_database_none(world: World, firm: int) -> None:
    engine = world.office.engine
    assert account_of(world, firm) == NUMBER
    stored = written(engine, "party", "bank_account", firm)
    assert stored.startswith(f"bh1.{data_keys.RING.first.id}.") and NUMBER not in stored
    with world.office.work(SETUP) as work:
        who = parties.find_account(work.session, "someone")
        assert who is not None and (who.totp_secret, who.mail) == (SECRET, MAIL)
        assert not isinstance(who.mail, at_rest.Token)
        index = who.mail_index
        who.mail = "new@firm.example"
    with world.office.work(SETUP) as work:
        who = parties.find_account(work.session, "someone")
        assert who is not None and who.mail == "new@firm.example" and who.mail_index not in (None, index)
        assert [who.mail_index] == data_keys.RING.indexes("account", "mail", "new@firm.example")
        who.mail = None
        work.session.flush()
        again = parties.find_account(work.session, "someone")
        assert again is not None and (again.mail_index, again.totp_secret) == (None, SECRET)
    with world.office.work(SETUP) as work:  # nothing is written anew that did not change
        row = parties.party(work.session, firm)
        row.region = "110000"
    assert written(engine, "party", "bank_account", firm) == stored and account_of(world, firm) == NUMBER


def test_a_value_in_the_open_changed_or_moved_is_refused(world: World, firm: int) -> None:
    engine = world.office.engine
    stored, other = (written(engine, "party", "bank_account", one) for one in (firm, firm + 1))
    last = stored[:-2] + ("A" if stored[-2] != "A" else "B") + stored[-1]
    for value, code in (
        (NUMBER, "at_rest.in_the_open"),
        (other, "at_rest.changed"),  # another firm's, as it stands there
        (last, "at_rest.changed"),
        (data_keys.sealed("party", "bank_name", credit_code(70), NUMBER), "at_rest.changed"),
        ("bh1.00000000." + stored[13:], "at_rest.key_missing"),
    ):
        write(engine, "party", "bank_account", firm, value)
        with pytest.raises(NotReady) as refusal:
            account_of(world, firm)
        assert refusal.value.code == code
    write(engine, "party", "bank_account", firm, stored)
    assert account_of(world, firm) == NUMBER


def test_what_does_not_go_through_the_mapper_is_not_written(world: World, firm: int) -> None:
    with world.office.work(SETUP) as work:
        with pytest.raises(Exception, match="sealed by the mapper"):
            work.session.connection().execute(Party.__table__.update().values(bank_account=NUMBER))  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="sealed by the mapper"):
            work.session.query(Account).filter(Account.mail == MAIL).all()


@pytest.fixture
def ring(world: World, firm: int, tmp_path: Path) -> Iterator[at_rest.Ring]:
    """The world's database under a ring of keys in a file."""
    data_keys.lay(tmp_path)
    found = at_rest.Ring(path=tmp_path / "data.keys")
    at_rest.attach(world.office.engine, found)
    yield found
    data_keys.attach(world.office.engine)


def test_everything_is_sealed_anew_and_goes_on_where_it_stopped(world: World, firm: int, ring: at_rest.Ring) -> None:
    engine, old = world.office.engine, ring.first.id
    assert ring.path is not None
    second = at_rest.new_secret()
    at_rest.write_file(ring.path, [second, *at_rest.read_file(ring.path)])
    assert ring.first.id == at_rest.Key.of(second).id != old and [one.id for one in ring.keys][1] == old
    with world.view("clock") as view:
        assert parties.find_account(view.session, "someone").mail == MAIL  # type: ignore[union-attr]
        assert len(ring.indexes("account", "mail", MAIL)) == 2

    def told(_table: str, _many: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        at_rest.rewrap(engine, most=2, told=told)
    with engine.connect() as connection:
        keys = {one.token.split(".")[1] for one in at_rest.all_values(connection)}
    assert keys == {old, ring.first.id}
    assert at_rest.rewrap(engine, most=2) > 0 and at_rest.rewrap(engine) == 0
    with engine.connect() as connection:
        assert {one.token.split(".")[1] for one in at_rest.all_values(connection)} == {ring.first.id}
    at_rest.write_file(ring.path, [second])  # the old key is not needed any more
    assert account_of(world, firm) == NUMBER
    with world.view("clock") as view:
        who = parties.find_account(view.session, "someone")
        assert who is not None and who.mail == MAIL and who.mail_index == ring.first.index_of("account", "mail", MAIL)


def test_a_ring_that_is_gone_open_or_damaged_is_refused(ring: at_rest.Ring, world: World, firm: int) -> None:
    path = ring.path
    assert path is not None
    for words, mode, code in (
        ("not hex\n", 0o600, "at_rest.file_bad"),
        ("", 0o600, "at_rest.file_bad"),
        (f"{'0' * 64}\n", 0o644, "settings.secret_open"),
        (f"{'0' * 64}\n", 0o600, "at_rest.key_missing"),
    ):
        path.unlink()
        path.write_text(words)
        path.chmod(mode)
        with pytest.raises(NotReady) as refusal:
            account_of(world, firm)
        assert refusal.value.code == code
    path.unlink()
    with pytest.raises(NotReady, match=r"at_rest\.file_missing"):
        at_rest.look(world.office.engine)


def forms(value: str) -> list[bytes]:
    """What somebody would search a disk for."""
    found = []
    for raw in (value.encode(), value.encode("utf-16-le"), value.encode("utf-16-be")):
        found += [raw, raw.hex().encode(), raw.hex().upper().encode()]
        for shift in range(3):  # wherever in a longer text it begins
            found.append(base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4])
    return found


def test_the_files_of_the_database_hold_none_of_it(world: World, firm: int) -> None:
    if world.office.engine.dialect.name != "sqlite":
        pytest.skip("files of SQLite")
    path = Path(world.office.engine.url.database or "")
    held = b"".join(one.read_bytes() for one in sorted(path.parent.glob(path.name + "*")))
    assert b"someone" in held, "what is not sealed is found this way"
    for value in (NUMBER, OTHER, SECRET, MAIL):
        assert [one for one in forms(value) if one in held] == [], value
