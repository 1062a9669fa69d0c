"""The watermark of a rehearsal: the words, and whether what is made now must bear them. Papers get them across every page from one template
(``web/typ/mark.typ``), pages from the layout, bundles and saved files by name.
"""

from __future__ import annotations

from crypto import rehearsals

ZH, EN = "演练 · 不具法律效力", "Rehearsal · no legal effect"
TEXT = f"{ZH}\n{EN}"
FILE = "REHEARSAL.txt"
"""In a bundle: the words, in its signed index like any other file."""


def of(platform: str) -> str:
    """What papers of a platform of this name bear: the words, or nothing."""
    return TEXT if rehearsals.is_name(platform) else ""


def saved(name: str, platform: str) -> str:
    """The name under which a file of a platform is saved: a rehearsal's says what it is."""
    return f"REHEARSAL-{name}" if rehearsals.is_name(platform) else name
