"""Flow tables: the one list of steps of each thing with a life; the only way its state changes.

``take`` needs the act, checks the state, changes it, bumps the version and records before and after. ``open_to`` gives the steps an
actor could take now, so buttons and rules cannot disagree. CHECK constraints, diagrams and the test "every pair not in the table is
refused" come from the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from trading.kernel.access import Act, Actor, may
from trading.kernel.errors import Conflict, WrongStep

if TYPE_CHECKING:
    from trading.kernel.work import UnitOfWork


class Stateful(Protocol):
    state: Any
    version: Any

    @property
    def log_of(self) -> str: ...


@dataclass(frozen=True)
class Step:
    """``name`` takes a thing from any of ``sources`` to ``target``; ``needs`` is the act that holds the key."""

    name: str
    sources: str | tuple[str, ...]
    target: str
    needs: Act

    @property
    def origins(self) -> tuple[str, ...]:
        return (self.sources,) if isinstance(self.sources, str) else self.sources


class Flow:
    """All steps of one noun. ``allows``: whether a thing may ever take a step from one of the step's sources, where not every thing may
    take every step of the table."""

    def __init__(
        self, noun: str, start: str, *steps: Step, allows: Callable[[Any, str, str], bool] | None = None
    ) -> None:
        self.noun = noun
        self.start = start
        self.steps = steps
        self._allows = allows
        names = [s.name for s in steps]
        if len(set(names)) != len(names):
            raise ValueError(f"a step of {noun} stands twice")
        self._by_name = {s.name: s for s in steps}

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order of first appearance."""
        found = dict.fromkeys([self.start])
        for step in self.steps:
            found.update(dict.fromkeys(step.origins))
            found[step.target] = None
        return tuple(found)

    def step(self, name: str) -> Step:
        return self._by_name[name]

    def origins(self, thing: Stateful, name: str) -> tuple[str, ...]:
        """The states from which this thing may take the step."""
        origins = self._by_name[name].origins
        return (
            origins if self._allows is None else tuple(state for state in origins if self._allows(thing, state, name))
        )

    def check(self, thing: Stateful, name: str) -> Step:
        """Refuses: WrongStep when ``name`` cannot be taken from the thing's state."""
        origins = self.origins(thing, name)
        if thing.state not in origins:
            raise WrongStep("flow.wrong_step", noun=self.noun, step=name, state=thing.state, from_states=list(origins))
        return self._by_name[name]

    def take(self, work: UnitOfWork, thing: Stateful, name: str, **facts: Any) -> None:
        """Take the step. Refuses: NotAllowed, SignInNeeded (the act), WrongStep (the state)."""
        step = self._by_name[name]
        work.require(step.needs)
        self.check(thing, name)
        before = thing.state
        thing.state = step.target
        thing.version = (thing.version or 0) + 1
        work.record(f"{self.noun}.{name}", thing.log_of, before=before, after=step.target, **facts)

    def open_to(self, actor: Actor, thing: Stateful) -> tuple[Step, ...]:
        return tuple(s for s in self.steps if thing.state in self.origins(thing, s.name) and may(actor, s.needs))


def check_version(thing: Any, seen: int | None) -> None:
    """Refuses: Conflict ``form.stale`` when somebody changed the thing since the form was shown."""
    if seen is not None and thing.version != seen:
        raise Conflict("form.stale", seen=seen, now=thing.version)


def state_check(flow: Flow, column: str = "state") -> str:
    """The CHECK text that admits just the states of the table."""
    return f"{column} IN ({', '.join(repr(s) for s in _sorted(flow.states))})"


def _sorted(states: Iterable[str]) -> list[str]:
    return sorted(states)
