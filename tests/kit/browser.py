"""The headless browser of the machine: found on the path, never downloaded."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find_browser() -> str | None:
    """The path of a Chromium (``$BIDHALL_BROWSER`` names another), or None."""
    return os.environ.get("BIDHALL_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
