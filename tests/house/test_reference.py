"""The reference pages are what the code says today."""

from web import reference


def test_the_reference_pages_are_fresh() -> None:
    assert reference.stale() == []
