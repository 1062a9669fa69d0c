"""One side of `bench/rates.py`: with the code of one revision first on its path it says what a bid and an opening cost there.

It uses of a revision what makes worlds and hands in bids, so that older ones can run it. Each answer comes from a process forked for it,
on a copy of the world: it has proved nothing of the lot it is timed on, and has handled a lot of three bids before, so that statements
are compiled. ``python -P rates_probe.py FOLDER BIDDERS`` says ``ready`` and answers each line ``bids`` or ``open`` with a line of JSON:
processor seconds of the whole, user and system.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF
from typing import TYPE_CHECKING, Any

from werkzeug.test import create_environ, run_wsgi_app

from bench import service, surge
from bench.worlds import DATABASE, reopened, world_in
from tests.kit import opening_steps, sealing
from trading.opening import ceremony, decryption
from web.app import create_app
from web.cli import serve

if TYPE_CHECKING:
    from tests.kit.world import World

WARM = 3
"""Bids of the lot that is gone through untimed."""
CAME = ("officer1", "officer2", "officer3")
Sealed = dict[str, list[tuple[Path, str]]]
"""Lot → sealed file and signed submission of each bidder."""


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    with world_in(folder / "world", count) as world:
        warm, ref = (surge._lot(world) for _ in range(2))
        surge._past_ticks(world, ref)
        bidders = {warm: world.bidders[:WARM], ref: world.bidders}
        sealed = {lot: surge._sealed(world, lot, names, folder) for lot, names in bidders.items()}
        world.office.engine.dispose()
        listed = _forked(lambda: _list(world, folder, sealed))
        print("ready", flush=True)
        for number, line in enumerate(sys.stdin):
            copy = folder / f"copy{number}"
            if line.strip() == "bids":
                took = _forked(lambda: _bids(world, folder / "world", copy, sealed))  # noqa: B023
            else:
                took = _forked(lambda: _open(world, folder / "listed", copy, sealed, *listed))  # noqa: B023
            print(json.dumps(took), flush=True)


def _forked(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, found in a process that knows what this one knows, and keeps to itself what it learns."""
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            os.close(read)
            serve.settle()  # as a worker of the service begins
            with os.fdopen(write, "w") as out:
                json.dump(work(), out)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(1)
    return json.loads(said)


def _spent() -> float:
    """Processor seconds of this process and of those it has waited for."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


# --- bids -----------------------------------------------------------------------------------------------------------------


def _bids(world: World, source: Path, target: Path, sealed: Sealed) -> float:
    """The application's part of an upload and a submission, for every bid of the last lot."""
    took = 0.0
    with reopened(world, source, target) as copy:
        app = create_app(service.settings_of(copy, target), copy.office)
        people = service.signed_in(copy, target, world.bidders)

        def asked(requests: Iterator[dict[str, Any]]) -> list[tuple[Any, ...]]:
            nonlocal took
            environments = [create_environ(**request) for request in requests]
            before = _spent()
            answers = [run_wsgi_app(app, one, buffered=True) for one in environments]
            took += _spent() - before
            return answers

        for ref, bids in sealed.items():
            took = 0.0
            rows = list(zip(people, bids, strict=False))
            uploads = asked(_upload(who, ref, path) for who, (path, _) in rows)
            tokens = [headers["Location"].rsplit("/", 1)[1] for _, _, headers in uploads]
            answers = asked(
                _submission(who, ref, token, text) for (who, (_, text)), token in zip(rows, tokens, strict=True)
            )
            if not all(json.loads(b"".join(body))["accepted"] for body, _, _ in answers):
                raise RuntimeError("a bid was not accepted")
    return took


def _upload(who: service.Person, ref: str, path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    meta = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in (("lot", ref), ("envelope", "bid")))
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": meta,
               "Content-Type": "application/offset+octet-stream"}  # fmt: skip
    return _request(who, "/uploads/acts", headers, data=data)


def _submission(who: service.Person, ref: str, token: str, submission: str) -> dict[str, Any]:
    form = {"csrf_token": who.csrf, "form_id": secrets.token_urlsafe(16), "upload": token, "submission": submission}
    return _request(who, f"/bidder/lots/{ref}/acts/submit", {"Accept": "application/json"}, data=form)


def _request(who: service.Person, path: str, headers: dict[str, str], **data: Any) -> dict[str, Any]:
    headers = {"User-Agent": service.AGENT, "Cookie": who.cookie, **headers}
    return {"method": "POST", "path": path, "headers": headers, "base_url": "http://127.0.0.1",
            "environ_base": {"REMOTE_ADDR": "127.0.0.1"}, **data}  # fmt: skip


# --- opening --------------------------------------------------------------------------------------------------------------


def _list(world: World, folder: Path, sealed: Sealed) -> tuple[float]:
    """Every bid handed in and the sets published, in the folder ``listed``; the moment by which that was done."""
    with reopened(world, folder / "world", folder / "listing") as copy:
        for ref, bids in sealed.items():
            for name, (path, submission) in zip(world.bidders, bids, strict=False):
                sealing.hand_in(copy, ref, name, path.read_bytes(), json.loads(submission))
        sealing.close(copy, next(iter(sealed)))
        for ref in sealed:
            sealing.list_set(copy, ref)
        copy.office.engine.dispose()
        (folder / "listed").mkdir()
        shutil.copytree(folder / "listing" / "blobs", folder / "listed" / "blobs")
        shutil.copyfile(folder / "listing" / DATABASE, folder / "listed" / DATABASE)
        return (copy.now.timestamp(),)


def _open(world: World, source: Path, target: Path, sealed: Sealed, listed: float) -> float:
    """Three officers' shares and the decryption of the last lot, from the published set to verdicts and the signed list."""
    took: dict[str, float] = {}
    world.clock.set(datetime.fromtimestamp(listed, UTC))
    with reopened(world, source, target) as copy:
        for ref in sealed:
            before = _spent()
            for username in CAME:
                opening_steps.share(copy, ref, username)
            took[ref] = _spent() - before
        copy.clock.advance(minutes=31)  # not all came, so the window has to end first
        for ref, bids in sealed.items():
            before = _spent()
            decryption.open_bids(copy.office, copy.actor("host"), ref)
            took[ref] += _spent() - before
            with copy.view("clock") as view:
                opened = ceremony.opened_of_lot(view.session, copy.lot_in(view, ref))
                if len(opened) != len(bids) or any(bid.price_minor is None for bid in opened):
                    raise RuntimeError(f"{len(opened)} of {len(bids)} bids were opened")
    return took[ref]


if __name__ == "__main__":
    main()
