"""What clocks outside say of ours: asked by whoever turns the clock, kept in a file that all processes of a data folder read.

Law of the noun: a clock outside never sets ours. Most of those that were named have to agree that ours is wrong, beyond what the way there
and back leaves open; then nothing is latched until they agree with it again. One that is silent, or alone in what it says, stops nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OUTSIDE_FILE = "clock.outside"
TOLERANCE_NS = 1_000_000_000
"""Nanoseconds our clock may be from a clock outside, beside half of the way there and back."""
VALID_NS = 600 * 10**9
"""For so long an answer counts; by then it was asked ten times anew."""
LOOK_EVERY_NS = 1_000_000_000
"""How often a process looks whether another has asked anew."""


PORT = 123
MOST = 9
"""Sources that may be named."""
NAME = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]{2,45})\]|(?P<host>[A-Za-z0-9._-]{1,253}))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Source:
    """``text`` as the settings name it."""

    text: str
    host: str
    port: int


def parse(text: str) -> Source:
    """``ntp.example``, ``ntp.example:1123``, ``[2001:db8::1]``. Raises: ValueError for anything else."""
    found = NAME.fullmatch(text)
    port = int(found["port"] or PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(text)
    return Source(text, found["six"] or found["host"], port)


@dataclass(frozen=True)
class Answer:
    """Of one clock outside. ``offset``: nanoseconds from the clock since this boot to its time, right to ``half``, half of the way there
    and back. ``fault``: a word why there is no answer, "" where there is one."""

    source: str
    offset: int = 0
    half: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a round of questions said of our clock: ``apart`` nanoseconds from theirs to ours, as the middle one of those that say it is
    wrong, 0 while most of the ``of`` that were named do not. ``near`` say that it is right, ``far`` that it is not, ``silent`` nothing."""

    apart: int
    near: int
    far: int
    silent: int
    of: int

    @property
    def confirmed(self) -> bool:
        return 2 * self.near > self.of


@dataclass(frozen=True)
class Round:
    """The answers of one round: asked in this ``boot`` at ``steady`` of its clock."""

    boot: str
    steady: int
    answers: tuple[Answer, ...]

    def judge(self, offset: int) -> Verdict:
        """``offset``: nanoseconds from the clock since boot to the time we go by."""
        said = [one for one in self.answers if not one.fault]
        far = [offset - one.offset for one in said if abs(offset - one.offset) > TOLERANCE_NS + one.half]
        # those before us and those behind us do not agree with each other
        sides = sorted(([one for one in far if one > 0], [one for one in far if one < 0]), key=len)
        most, of = sorted(sides[-1]), len(self.answers)
        apart = most[len(most) // 2] if 2 * len(most) > of else 0
        return Verdict(apart, len(said) - len(far), len(far), of - len(said), of)


class Outside:
    """The newest round of a data folder; without a file, of this process alone. ``sources``: those that were named; a round of others says
    nothing."""

    def __init__(self, path: Path | None = None, sources: tuple[str, ...] = ()) -> None:
        self.path, self.sources = path, sources
        self._mine: Round | None = None
        self._looked = -LOOK_EVERY_NS
        self._seen = (0, 0)

    def get(self, boot: str, steady: int) -> Round | None:
        """The round that counts now; None where nobody was asked in this boot, or too long ago."""
        if not self.sources:
            return None
        if self.path is not None and abs(steady - self._looked) >= LOOK_EVERY_NS:
            self._looked = steady
            self._read()
        found = self._mine
        if found is None or found.boot != boot or not 0 <= steady - found.steady <= VALID_NS:
            return None
        return found if tuple(one.source for one in found.answers) == self.sources else None

    def put(self, found: Round) -> None:
        """From now on for all. Raises: OSError for a folder that cannot be written; this process goes by it all the same."""
        self._mine = found
        if self.path is None:
            return
        answers = [
            {"source": one.source, "offset_ns": one.offset, "half_ns": one.half, "fault": one.fault}
            for one in found.answers
        ]
        value = {"v": 1, "boot": found.boot, "steady_ns": found.steady, "answers": answers}
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                json.dump(value, out)
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _read(self) -> None:
        assert self.path is not None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            facts = self.path.stat()
            if (facts.st_ino, facts.st_mtime_ns) == self._seen:
                return
            value = json.loads(self.path.read_text(encoding="utf-8"))
            self._mine = Round(str(value["boot"]), int(value["steady_ns"]), answers_of(value["answers"]))
            self._seen = (facts.st_ino, facts.st_mtime_ns)


def answers_of(values: Sequence[dict[str, str | int]]) -> tuple[Answer, ...]:
    """As they stand in the file. Raises: KeyError, TypeError, ValueError for what is none."""
    return tuple(
        Answer(str(one["source"]), int(one["offset_ns"]), int(one["half_ns"]), str(one["fault"])) for one in values
    )
