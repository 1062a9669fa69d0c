"""The mark in a platform's name by which a rehearsal's documents tell themselves apart for ever.

The name stands in every record and is the origin of every checkpoint, so whatever a rehearsal signs carries the mark, and a verifier needs
nothing else to see it. No host name ends like this.
"""

MARK = ".yanlian-rehearsal"
"""演练 (yanlian), rehearsal: at the end of the name."""


def is_name(platform: str) -> bool:
    """Whether a platform of this name is a rehearsal."""
    return platform.endswith(MARK)


def name_of(site: str) -> str:
    """The name of a site's rehearsal."""
    return site + MARK


def site_of(platform: str) -> str:
    """The site a rehearsal was made of."""
    return platform.removesuffix(MARK)


def is_origin(origin: str) -> bool:
    """Whether a log of this origin (its key's name, ``NAME/log``) is a rehearsal's."""
    return is_name(origin.removesuffix("/log"))
