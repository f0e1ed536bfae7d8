"""Which version of Lango this is."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """The version that is installed. Its package is asked once: that takes a millisecond."""
    return metadata.version("lango")
