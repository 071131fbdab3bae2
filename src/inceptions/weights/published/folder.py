"""The folder for everything that can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path

HOME = "INCEPTIONS_HOME"


def home() -> Path:
    """Where everything fetched is kept: $INCEPTIONS_HOME, or `inceptions` in the user's cache ($XDG_CACHE_HOME, ~/.cache)."""
    if chosen := os.environ.get(HOME):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inceptions"
