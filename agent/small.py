"""Keeping a process that runs for months on a small box small: what it loads and holds on to."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ARENAS_MAX = 1
"""Heaps of the C library. By itself it makes one for each thread that allocates, eight for each
processor at most, and gives little of them back. None of our threads allocates much or often."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 << 10


def one_heap() -> None:
    """Let the C library keep one heap, and return what is large or at its end at once.

    Elsewhere than on glibc there is nothing to do.
    """
    library = ctypes.CDLL(None)
    try:
        mallopt = library.mallopt
    except AttributeError:
        return
    mallopt(_M_ARENA_MAX, ARENAS_MAX)
    mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Return memory to the system that the C library holds for later."""
    library = ctypes.CDLL(None)
    try:
        library.malloc_trim(0)
    except AttributeError:
        return


@contextmanager
def without_front_page(package: str) -> Iterator[None]:
    """Import modules of ``package`` without running its front page, which would load all of it."""
    spec = find_spec(package)
    if package in sys.modules or spec is None:
        yield
        return
    sys.modules[package] = module_from_spec(spec)
    try:
        yield
    finally:
        # Whoever imports the package after us gets the whole of it.
        del sys.modules[package]
