"""The law as dated data: every number of procedure is a row with its source and its time, chosen by one date.

`select` gives the rules in force on the day the first notice is published; `Rulebook.snapshot` is stored with the
lot, and from then on the lot is judged by its snapshot alone. `check_timetable` names every date of a plan that
breaks a rule. No rule of procedure is an `if` on a date in code, and no number of the law stands anywhere but in
`gp.toml` and `works.toml`.
"""

from trading.rulebook.book import (
    GP,
    REGIMES,
    WORKS,
    Rule,
    Rulebook,
    all_rules,
    change_days,
    differences,
    read_rules,
    select,
)
from trading.rulebook.timetable import (
    Bound,
    Finding,
    Window,
    breaches,
    check_timetable,
    known_moments,
    refuse_breaches,
    window,
)

__all__ = [
    "GP",
    "REGIMES",
    "WORKS",
    "Bound",
    "Finding",
    "Rule",
    "Rulebook",
    "Window",
    "all_rules",
    "breaches",
    "change_days",
    "check_timetable",
    "differences",
    "known_moments",
    "read_rules",
    "refuse_breaches",
    "select",
    "window",
]
