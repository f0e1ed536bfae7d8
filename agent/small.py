"""Keeping a process that runs for months on a small box small: what it loads and holds on to."""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ARENAS_MAX = 1
"""Heaps of the C library. By itself it makes one for each thread that allocates, eight for each
processor at most, and gives little of them back. None of our threads allocates much or often."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 128 << 10
_MADV_DONTNEED = 4
_MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)")
_ONLY_READ = {"r-xp", "r--p"}


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


class Code:
    """Program code that the system counts as ours though it is only read, from files.

    Most of what the loader and the start of each library touched is never needed again. Let go, it
    is the system's to use or to keep; what is touched comes back from its page cache at once.
    """

    def __init__(self, smaps: Path = Path("/proc/self/smaps")) -> None:
        self._smaps = smaps
        self._seen: set[tuple[int, int]] = set()

    def let_go(self) -> None:
        """Let go what was there unwritten now and the time before.

        Once is not enough: while a library is being loaded, what will be its data looks like code.
        """
        library = ctypes.CDLL(None)
        now = set(unwritten(self._smaps))
        for start, end in now & self._seen:
            # What is refused stays where it is.
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)
        self._seen = now


def unwritten(smaps: Path) -> list[tuple[int, int]]:
    """Where files are mapped, for reading alone, without one page that was ever written.

    Invariant: a page that was written (the loader adjusts addresses) is anonymous, and no mapping
    with such a page is among these.
    """
    found: list[tuple[int, int]] = []
    ours = False
    with suppress(OSError), smaps.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if head := _MAPPED.match(line):
                begins, ends, may, inode = head.groups()
                ours = may in _ONLY_READ and inode != "0"
                found += [(int(begins, 16), int(ends, 16))] if ours else []
            elif ours and line.startswith("Anonymous:") and line.split()[1] != "0":
                found.pop()
    return found


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
