"""Worlds kept on disk as acts left them, for all workers of a run: who plays the same acts from the same beginning gets a copy.

    ref = kept.played(world, "lot BIDDING", build)     # build(world) plays the real acts, once a run

A kept world is found by what decides it: the name of the acts and all that the world was before them (its database byte for byte, its
moment, its people and keys). A world that a test has acted on by itself is none of those a kept one began at, so that the acts are played
on it. On PostgreSQL every test plays all acts. Tests that patch something play acts too (``automatic``): a key can't tell what was patched.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import inspect
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from tests.kit import kept_databases
from trading.kernel.db import Base

if TYPE_CHECKING:
    from tests.kit.world import World

automatic = True
"""Whether the running test lets acts of the kit be kept; named stages are kept in any case."""

_own: list[tempfile.TemporaryDirectory[str]] = []
_folder: Path | None = None


def keep_in(folder: Path) -> None:
    """Where the worlds of this run are kept."""
    global _folder
    folder.mkdir(exist_ok=True)
    _folder = folder


def forget(folder: Path) -> None:
    kept_databases.forget(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _place() -> Path:
    if _folder is None:  # outside pytest
        _own.append(tempfile.TemporaryDirectory(prefix="bidhall-stages-"))
        keep_in(Path(_own[0].name))
        return _place()
    return _folder


def state(world: World) -> str:
    """What a world is: two of the same answer to the same acts alike."""
    who = (world.people, world.party_ids, world.keys, world.bidders, world.called, world.office.keys.signing)
    told = (kept_databases.holds(world.office.engine), world.now, who, world.mirror_mode)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def played(world: World, name: str, build: Callable[[World], Any]) -> Any:
    """What ``build`` returns, with the world as ``build`` left it. ``name`` must name everything that ``build`` does."""
    if (before := state(world)) != world.state:
        return build(world)
    return _kept(world, (name, before), build)


def settled(world: World, build: Callable[[World], Any]) -> None:
    """A new world with its people, their keys and the platform's."""
    _kept(world, ("settled", world.bidders, sorted(world.called.items()), sorted(Base.metadata.tables)), build)


def _kept(world: World, key: tuple[Any, ...], build: Callable[[World], Any]) -> Any:
    whole = (kept_databases.where(world.office.engine), *key)
    place = _place() / hashlib.sha256(repr(whole).encode()).hexdigest()[:32]
    if not place.exists():
        with _alone(place):
            if not place.exists():
                told = build(world)
                _keep(world, place, told)
                return told
    if not kept_databases.put_back(world.office.engine, place):
        return build(world)
    return _copy(world, place)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    with place.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep(world: World, place: Path, told: Any) -> None:
    """Keep the world, where its database can be kept now."""
    left = state(world)
    made = place.with_suffix(".made")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    if not kept_databases.keep(world.office.engine, made):
        return
    folder = world.office.blobs.folder
    if folder.exists():
        shutil.copytree(folder, made / "blobs")
    world.state = left
    what = (left, world.office.keys, world.now, world.people, world.party_ids, world.keys, world.mirror_mode, told)
    (made / "world.pickle").write_bytes(pickle.dumps(what))
    made.rename(place)


def _copy(world: World, place: Path) -> Any:
    """The rest of a kept world, its database put back."""
    if (place / "blobs").exists():
        shutil.copytree(place / "blobs", world.office.blobs.folder, dirs_exist_ok=True)
    world.state, keys, now, world.people, world.party_ids, world.keys, world.mirror_mode, told = pickle.loads(
        (place / "world.pickle").read_bytes()
    )
    if keys != world.office.keys:
        world.office = replace(world.office, keys=keys)
    world.clock.set(now)
    return told


P = ParamSpec("P")
R = TypeVar("R")


def act(plain: Callable[P, R]) -> Callable[P, R]:
    """Acts of the kit, their first argument a world, that return a reference or nothing: kept by what they were asked."""
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def once(*given: P.args, **more: P.kwargs) -> R:
        asked = signature.bind(*given, **more)
        asked.apply_defaults()
        world, *rest = asked.arguments.values()
        name = f"{plain.__module__}.{plain.__qualname__} {rest!r}"
        if not automatic or " at 0x" in name:  # something without a name of its own
            return plain(*given, **more)
        return cast(R, played(world, name, lambda _world: plain(*given, **more)))

    return once
