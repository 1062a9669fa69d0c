"""Values that no query needs in the open, encrypted in the database with keys that lie outside it: secrets of second factors, bank
accounts and payers' names, telephone numbers, addresses of mail.

Law of the noun: AES-256-GCM under a key of the ring, bound to table, column and row, so that a value put into another row is not read
there. What is compared has a keyed hash beside it. The code sees plain values: they are sealed as a row is written and opened as it
is read; a column of type ``Sealed`` takes nothing else. A value that is in the open, was changed or moved, or whose key is not there is
refused in words, never shown. An empty text stays empty.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, Table, Text, event, inspect, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session, object_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.types import TypeDecorator

from crypto.canonical import b64u, unb64u
from crypto.errors import CryptoError
from trading.kernel.db import APPEND_ONLY, append_only_ddl
from trading.kernel.errors import NotReady

MARK = "bh1."
NONCE = 12
_TOKEN = re.compile(r"bh1\.([0-9a-f]{8})\.([A-Za-z0-9_-]{38,})")
_LINE = re.compile(r"[0-9a-f]{64}")


class Token(str):
    """A sealed value as it stands in the database: ``bh1.<key id>.<nonce, ciphertext and tag>``."""

    __slots__ = ()


class Sealed(TypeDecorator[str]):
    """A column of sealed values. Only what went through the mapper gets in, so a forgotten way to write is an error and not a leak."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value and not isinstance(value, Token):
            raise ValueError("a value of this column is sealed by the mapper (trading/kernel/at_rest.py)")
        return value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return Token(value) if value else value


# --- keys -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """One secret of 32 bytes; ``id`` follows from it, so that a line of the file that was damaged stands for another key and not for a
    wrong one."""

    id: str
    box: AESGCM
    index: bytes

    @classmethod
    def of(cls, secret: bytes) -> Key:
        part = lambda name: hmac.digest(secret, b"bidhall data " + name, "sha256")  # noqa: E731
        return cls(part(b"key id")[:4].hex(), AESGCM(part(b"encryption")), part(b"index"))

    def seal(self, table: str, column: str, row: str, value: str) -> Token:
        nonce = os.urandom(NONCE)
        return Token(
            f"{MARK}{self.id}.{b64u(nonce + self.box.encrypt(nonce, value.encode(), _bound(table, column, row)))}"
        )

    def index_of(self, table: str, column: str, value: str) -> str:
        """What stands beside a sealed value to find it by."""
        return b64u(hmac.digest(self.index, "\0".join((table, column, value)).encode(), "sha256"))


class Ring:
    """The keys of one installation, the one that seals first. ``path``: the file they are read from, again whenever it was changed.
    ``make``: nothing is sealed yet, so it may be made when it is first needed."""

    def __init__(self, keys: Sequence[Key] = (), path: Path | None = None, *, make: bool = False) -> None:
        self._keys, self.path, self._make, self._seen = tuple(keys), path, make, (0, 0)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Refuses: NotReady ``at_rest.file_missing``, ``at_rest.file_bad``, ``at_rest.file_unmade``, ``settings.secret_open``."""
        if self.path is not None and self._make:
            make_file(self.path)
            self._make = False
        if self.path is not None and (seen := _stamp(self.path)) != self._seen:
            self._keys, self._seen = tuple(Key.of(one) for one in read_file(self.path)), seen
        return self._keys

    @property
    def first(self) -> Key:
        return self.keys[0]

    def open(self, table: str, column: str, row: str, value: str) -> str:
        """Refuses: NotReady ``at_rest.in_the_open``, ``at_rest.key_missing``, ``at_rest.changed``."""
        found = _TOKEN.fullmatch(value)
        if found is None:
            raise NotReady("at_rest.in_the_open", table=table, column=column, row=row)
        key = next((one for one in self.keys if one.id == found[1]), None)
        if key is None:
            raise NotReady("at_rest.key_missing", key=found[1])
        try:
            raw = unb64u(found[2])
            return key.box.decrypt(raw[:NONCE], raw[NONCE:], _bound(table, column, row)).decode()
        except (InvalidTag, CryptoError, ValueError) as error:
            raise NotReady("at_rest.changed", table=table, column=column, row=row) from error

    def indexes(self, table: str, column: str, value: str) -> list[str]:
        """A value as any of the keys would have noted it: while rows are being wrapped anew there are two."""
        return [one.index_of(table, column, value) for one in self.keys]


class Blind(Ring):
    """For whoever only reads a copy without its keys, and needs none of it: what is sealed is not seen."""

    def __init__(self) -> None:
        super().__init__([Key.of(new_secret())])

    def open(self, table: str, column: str, row: str, value: str) -> str:
        return ""


def _bound(table: str, column: str, row: str) -> bytes:
    return "\0".join(("bidhall data", table, column, row)).encode()


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise NotReady("at_rest.file_missing", path=str(path)) from error
    return found.st_mtime_ns, found.st_ino


def read_file(path: Path) -> list[bytes]:
    """The secrets of a file, the one that seals first. Refuses: as ``Ring.keys``."""
    try:
        if path.stat().st_mode & 0o077:
            raise NotReady("settings.secret_open", path=str(path))
        lines = path.read_text(encoding="ascii").split()
    except FileNotFoundError as error:
        raise NotReady("at_rest.file_missing", path=str(path)) from error
    except UnicodeDecodeError as error:
        raise NotReady("at_rest.file_bad", path=str(path)) from error
    if not lines or not all(map(_LINE.fullmatch, lines)):
        raise NotReady("at_rest.file_bad", path=str(path))
    return [bytes.fromhex(line) for line in lines]


def make_file(path: Path) -> None:
    """A file with one new key, unless another process has just made one. Refuses: NotReady ``at_rest.file_unmade``."""
    try:
        _put(path, [new_secret()], over=False)
    except OSError as error:
        raise NotReady("at_rest.file_unmade", path=str(path), reason=error.strerror or type(error).__name__) from error


def write_file(path: Path, keys: Sequence[bytes]) -> None:
    """The whole file at once: 0600, on the disk before it stands under its name. Refuses: NotReady ``at_rest.file_unmade``."""
    try:
        _put(path, keys, over=True)
    except OSError as error:
        raise NotReady("at_rest.file_unmade", path=str(path), reason=error.strerror or type(error).__name__) from error


def _put(path: Path, keys: Sequence[bytes], *, over: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write("".join(f"{one.hex()}\n" for one in keys))
            stream.flush()
            os.fsync(stream.fileno())
        if over:
            draft.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def new_secret() -> bytes:
    return secrets.token_bytes(32)


_RINGS: WeakKeyDictionary[Engine, Ring] = WeakKeyDictionary()


def attach(engine: Engine, ring: Ring) -> None:
    """From now on what is written through this engine is sealed with this ring."""
    _RINGS[engine] = ring


def ring_of(engine: Engine) -> Ring:
    """Refuses: NotReady ``at_rest.file_missing``: nobody has given the engine one."""
    found = _RINGS.get(engine)
    if found is None:
        raise NotReady("at_rest.file_missing", path="-")
    return found


def of_session(session: Session) -> Ring:
    return ring_of(session.get_bind().engine)


# --- which columns ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """The sealed ``columns`` of a table. ``row``: the column that names a row for ever and is known before it is written. ``indexes``:
    columns by the keyed hash that stands beside them."""

    table: Table
    row: str
    columns: tuple[str, ...]
    indexes: Mapping[str, str]


HELD: dict[str, Held] = {}


def hold(cls: Any, *, row: str, indexes: Mapping[str, str] | None = None) -> None:
    """Every ``Sealed`` column of a mapped class is sealed as it is written and opened as it is read."""
    table: Table = cls.__table__
    columns = tuple(column.name for column in table.columns if isinstance(column.type, Sealed))
    held = HELD[table.name] = Held(table, row, columns, dict(indexes or {}))
    event.listen(cls, "before_insert", lambda _mapper, line, target: _seal(held, line, target, every=True))
    event.listen(cls, "before_update", lambda _mapper, line, target: _seal(held, line, target, every=False))
    for done in ("after_insert", "after_update"):
        event.listen(cls, done, _plain_again)
    event.listen(cls, "load", lambda target, _context: _open(held, target))
    event.listen(cls, "refresh", lambda target, _context, _names: _open(held, target))


def _seal(held: Held, connection: Connection, target: Any, *, every: bool) -> None:
    state, values = instance_state(target), target.__dict__
    plain = {}
    for name in held.columns:
        value = values.get(name)
        old = state.committed_state.get(name, value)
        if not every and (name not in state.committed_state or old == value):
            continue
        if isinstance(value, Token):  # of a flush that failed
            continue
        if name in held.indexes:
            setattr(target, held.indexes[name], _index(connection.engine, held, name, value))
        if value:
            plain[name] = value
            ring = ring_of(connection.engine)
            values[name] = ring.first.seal(held.table.name, name, values[held.row], str(value))
    state.info[_plain_again] = plain


def _index(engine: Engine, held: Held, name: str, value: str | None) -> str | None:
    return ring_of(engine).first.index_of(held.table.name, name, value) if value else None


def _plain_again(_mapper: Any, _connection: Connection, target: Any) -> None:
    target.__dict__.update(instance_state(target).info.pop(_plain_again, {}))


def _open(held: Held, target: Any) -> None:
    values = target.__dict__
    sealed = [name for name in held.columns if isinstance(values.get(name), Token)]
    if not sealed:
        return
    session = object_session(target)
    assert session is not None
    ring = of_session(session)
    for name in sealed:
        try:
            values[name] = ring.open(held.table.name, name, values[held.row], values[name])
        except NotReady:
            if not session.info.get(_BLANK):
                raise
            values[name] = ""


# --- all that is held ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A sealed value in its place. ``key``: of its row in the database."""

    held: Held
    column: str
    row: str
    key: int
    token: str


def values(connection: Connection, held: Held, *, after: int = 0, most: int = 500) -> tuple[list[Value], int | None]:
    """The next rows' values, in the order of their keys; and where to go on, None at the end."""
    names = ", ".join(_quoted(connection, one) for one in ("id", held.row, *held.columns))
    table = _quoted(connection, held.table.name)
    found = connection.execute(
        text(f"SELECT {names} FROM {table} WHERE id > :after ORDER BY id LIMIT :most"), {"after": after, "most": most}
    ).all()
    told = [
        Value(held, column, row[1], row[0], value)
        for row in found
        for column, value in zip(held.columns, row[2:], strict=True)
        if value
    ]
    return told, found[-1][0] if len(found) == most else None


def all_values(connection: Connection) -> Iterator[Value]:
    for held in HELD.values():
        at: int | None = 0
        while at is not None:
            page, at = values(connection, held, after=at)
            yield from page


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


_BLANK = "bidhall values at rest"


def unreadable(session: Session) -> Iterator[tuple[Value, NotReady]]:
    """Every value that cannot be read, with why. The session sees nothing in its place from now on, so that an audit can go on."""
    session.info[_BLANK] = True
    ring = of_session(session)
    for one in all_values(session.connection()):
        try:
            ring.open(one.held.table.name, one.column, one.row, one.token)
        except NotReady as refusal:
            yield one, refusal


def holds_any(engine: Engine) -> bool:
    """Does any sealed value stand in the database? Asked where the keys are not there."""
    with engine.connect().execution_options(bidhall_readonly=True) as connection:
        looked = inspect(connection)
        for held in HELD.values():
            there = (
                {one["name"] for one in looked.get_columns(held.table.name)}
                if looked.has_table(held.table.name)
                else set()
            )
            for column in there & set(held.columns):
                query = f"SELECT 1 FROM {held.table.name} WHERE {_quoted(connection, column)} LIKE '{MARK}%' LIMIT 1"
                if connection.execute(text(query)).first() is not None:
                    return True
    return False


def look(engine: Engine) -> None:
    """Is the ring that of this database? One value of each table is asked for its key; what is wrong with a row stops that row alone.
    Refuses: NotReady ``at_rest.key_missing``, and as ``Ring.keys``."""
    known = {one.id for one in ring_of(engine).keys}
    with engine.connect().execution_options(bidhall_readonly=True) as connection:
        for held in HELD.values():
            page, _ = values(connection, held, most=1)
            for one in page:
                if (found := _TOKEN.fullmatch(one.token)) is not None and found[1] not in known:
                    raise NotReady("at_rest.key_missing", key=found[1])


Told = Callable[[str, int], None]


def rewrap(engine: Engine, *, most: int = 500, told: Told | None = None) -> int:
    """Seal everything with the ring's first key, in one short transaction after another; what was done stays done, and calling it again
    goes on. Returns how many values were sealed anew. Refuses: as ``Ring.open``."""
    ring, many = ring_of(engine), 0
    for held in HELD.values():
        at: int | None = 0
        while at is not None:
            with engine.begin() as connection:
                page, at = values(connection, held, after=at, most=most)
                old = [one for one in page if not one.token.startswith(f"{MARK}{ring.first.id}.")]
                if old:
                    with _rewritable(connection, held.table.name):
                        many += sum(_wrap(connection, ring, one) for one in old)
            if told is not None and old:
                told(held.table.name, len(old))
    return many


def _wrap(connection: Connection, ring: Ring, one: Value) -> int:
    """0 where somebody has written the row meanwhile, with the first key."""
    table, column = one.held.table.name, one.column
    plain = ring.open(table, column, one.row, one.token)
    name = _quoted(connection, column)
    index = one.held.indexes.get(column)
    beside = f", {index} = :index" if index else ""
    statement = f"UPDATE {_quoted(connection, table)} SET {name} = :new{beside} WHERE id = :id AND {name} = :old"
    told = {"new": str(ring.first.seal(table, column, one.row, plain)), "old": one.token, "id": one.key}
    if index:
        told["index"] = ring.first.index_of(table, column, plain)
    return connection.execute(text(statement), told).rowcount


@contextmanager
def _rewritable(connection: Connection, table: str) -> Iterator[None]:
    """An append-only table for the rest of this transaction: nobody else sees it without its triggers."""
    dialect = connection.dialect.name
    made = append_only_ddl(table)[dialect] if table in {one.name for one in APPEND_ONLY} else []
    for statement in made:
        if statement.startswith("CREATE TRIGGER"):
            on = f" ON {table}" if dialect == "postgresql" else ""
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {statement.split()[2]}{on}")
    yield
    for statement in made:
        connection.exec_driver_sql(statement.replace("%", "%%") if dialect == "postgresql" else statement)
