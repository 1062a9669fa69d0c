"""What `bidhall init` does with answers that hold, step by step.

Each step leaves what is there as it is, so that an init that was interrupted is run again and goes on; one that is done changes nothing.
People and centre come in one unit of work. First passwords are shown once and kept nowhere: run again before it was done, new ones
are made for accounts that nobody has signed in to yet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from trading.kernel.access import Actor, Role
from trading.kernel.errors import Faults, NotFound, NotReady
from trading.kernel.memory import write_whole
from trading.kernel.work import Office, UnitOfWork
from trading.parties import handed_codes, handover, parties
from web import private, schema, wiring
from web.install import hour
from web.install.answers import Answers, Person
from web.settings import PREFIX, REHEARSAL_FACTS, in_file

STATE, LOCK, SETTINGS = "init.json", ".init.lock", private.SETTINGS_FILE
SETUP = Actor(Role.SECURITY_ADMIN, name="bidhall init")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class FirstPassword:
    """Both parts of a first password, to be typed one after the other; it signs in to nothing but setting one's own."""

    seat: str
    username: str
    name: str
    password: str


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """One init in a folder at a time. Refuses: NotReady ``init.running``, ``init.folder_in_use``, ``init.folder_unwritable``,
    ``rehearsal.no_init``."""
    if (data / REHEARSAL_FACTS).exists():
        raise NotReady("rehearsal.no_init", data=str(data))
    busy, unwritable = NotReady("init.running", data=str(data)), NotReady("init.folder_unwritable", path=str(data))
    with private.held(data, LOCK, busy=busy, unwritable=unwritable):
        strangers = sorted(one.name for one in data.iterdir() if one.name != LOCK)
        if strangers and not (data / STATE).exists():
            (data / LOCK).unlink(missing_ok=True)
            raise NotReady("init.folder_in_use", data=str(data), names=strangers[:5])
        try:
            yield
        finally:
            _leave(data)


def _leave(data: Path) -> None:
    """Where nothing was made, a folder that was not there, or empty, is gone again."""
    (data / LOCK).unlink(missing_ok=True)
    with suppress(OSError):
        data.rmdir()


def is_begun(data: Path) -> bool:
    return (data / STATE).exists()


def is_done(data: Path) -> bool:
    return is_begun(data) and bool(json.loads((data / STATE).read_bytes())["done"])


def check_hour(answers: Answers) -> bool | None:
    """Hold the machine's clock against a time server; None where none is named, False where none answers. Refuses: NotReady
    ``init.clock``."""
    if not answers.time_server:
        return None
    ahead = hour.ahead_by(answers.time_server)
    if ahead is None:
        return False
    if abs(ahead) > hour.MOST:
        raise NotReady("init.clock", server=answers.time_server, seconds=round(ahead.total_seconds()))
    return True


def check_database(answers: Answers, *, begun: bool) -> None:
    """Before anything is made: a database that answers and is nobody's yet. Refuses: NotReady ``database.unreachable``,
    ``database.driver``, ``init.database_in_use``."""
    database = answers.read.database
    if database.startswith("sqlite:"):
        _folder_of_file(database)
    engine = wiring.open_engine(database)
    try:
        if not database.startswith("sqlite:") or _sqlite_file(database).exists():
            if schema.plan(engine).applied and not begun:
                raise NotReady("init.database_in_use")
    finally:
        engine.dispose()


def _sqlite_file(database: str) -> Path:
    from sqlalchemy import make_url

    return Path(make_url(database).database or "")


def _folder_of_file(database: str) -> None:
    folder = _sqlite_file(database).parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotReady("init.folder_unwritable", path=str(folder))


def check_store(answers: Answers, *, begun: bool) -> None:
    """Refuses: NotReady ``init.store_in_use``."""
    store = Path(answers.read.blobs)
    if not begun and (store.is_file() or (store.is_dir() and any(store.iterdir()))):
        raise NotReady("init.store_in_use", path=str(store))


def check_memory(answers: Answers, *, begun: bool) -> None:
    """Refuses: NotReady ``init.memory_in_use``: another log's, most likely."""
    for path in answers.read.memory if not begun else ():
        if Path(path).exists():
            raise NotReady("init.memory_in_use", path=path)


def write_settings(data: Path, answers: Answers) -> None:
    """settings.env, 0600, whole or not at all; one that is there must say the same. Refuses: NotReady ``init.other_answers``."""
    path = data / SETTINGS
    if path.exists():
        held = in_file(path)
        if held != dict(answers.settings):
            names = sorted(
                name for name in held.keys() | answers.settings.keys() if held.get(name) != answers.settings.get(name)
            )
            raise NotReady("init.other_answers", path=str(path), names=[PREFIX + name for name in names])
        return
    lines = [f"{PREFIX}{name}={value}\n" for name, value in answers.settings.items()]
    write_whole(path, "".join(lines).encode())
    path.chmod(0o600)


def note(data: Path, *, done: bool) -> None:
    write_whole(data / STATE, json.dumps({"v": 1, "done": done}).encode() + b"\n")


def open_office(answers: Answers) -> Office:
    """Tables of this version, keys, and the name as the first thing in the log. Refuses: NotReady."""
    engine = wiring.open_database(answers.read)
    schema.migrate(engine)
    engine.dispose()
    return wiring.open_signing_office(answers.read)


def settle(office: Office, answers: Answers) -> list[FirstPassword]:
    """The centre and its administrators, all or none; and first passwords for those who have not set one of their own. Refuses: NotReady
    ``init.other_people``, where others are there already."""
    found: list[FirstPassword] = []
    with office.work(SETUP) as work:
        try:
            centre = parties.party_by_code(work.session, answers.centre_code)
        except NotFound:
            if work.session.scalar(select(parties.Account.id).limit(1)) is not None:
                raise NotReady("init.other_people") from None
            centre = parties.register(
                work, code=answers.centre_code, name=answers.centre_name, kind="centre", region=answers.region
            )
        for person in answers.people:
            found += _seat(work, centre, person)
    return found


def _seat(work: UnitOfWork, centre: parties.Party, person: Person) -> list[FirstPassword]:
    """One who is there keeps the password they have set."""
    first = handed_codes.written(handed_codes.draw())
    who = parties.find_account(work.session, person.username)
    if who is None:
        who = parties.invite(
            work, centre, username=person.username, name=person.name, password=first, roles=[person.role]
        )
    elif person.role not in parties.roles_of(work.session, who):
        raise NotReady("init.other_people")
    elif who.second_part is None:
        return []
    else:
        parties.reset_password(work, who, first)
    return [FirstPassword(person.seat, person.username, person.name, f"{first} {handover.add(who)}")]


def check_all(answers: Answers, *, begun: bool) -> bool | None:
    """All that can be wrong outside the answers, told together; what ``check_hour`` found. Refuses: Invalid, NotReady."""
    faults, clock = Faults(), None
    for where, check in (
        ("database", lambda: check_database(answers, begun=begun)),
        ("store", lambda: check_store(answers, begun=begun)),
        ("memory", lambda: check_memory(answers, begun=begun)),
    ):
        try:
            check()
        except NotReady as refusal:
            faults.take(where, refusal)
    try:
        clock = check_hour(answers)
    except NotReady as refusal:
        faults.take("time_server", refusal)
    faults.refuse_if_any("init.faults")
    return clock


def left_to_do(answers: Answers, clock: bool | None) -> list[str]:
    """What no command does for an operator, in the order in which one does it; names of words (web/words/install.toml)."""
    seats = {one.seat for one in answers.people}
    read = answers.read
    found = [
        ("clock", clock is not True),
        ("serve", True),
        ("passwords", True),
        ("second", "second" not in seats),
        ("tls", read.secure),
        ("memory", not read.memory),
        ("same_disk", any(_same_disk(Path(one).parent, read.data) for one in read.memory)),
        ("backup", True),
        ("mail", not read.mail.chosen),
        ("scanner", not read.clamd),
        ("week", True),
    ]
    return [code for code, wanted in found if wanted]


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev
