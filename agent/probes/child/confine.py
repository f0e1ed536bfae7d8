"""What a process gives up before it touches a packet, so that a bad packet gains little."""

from __future__ import annotations

import ctypes
import os
import signal
import struct

from agent.probes.asked import SECONDS_MAX

CAP_NET_RAW = 13
"""From linux/capability.h."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522


def confine() -> None:
    """Keep nothing but raw packets, die with the parent, and end in time. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    _ask(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _ask(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _ask(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    head = _packed(_CAPABILITY_VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    _ask(libc.capget(head, held))
    permitted = struct.unpack("6I", held.raw)[1]
    raw = permitted & (1 << CAP_NET_RAW)
    _ask(libc.capset(head, _packed(raw, raw, 0, 0, 0, 0)))
    # The parent ends it sooner; this holds where the parent was stopped.
    signal.alarm(SECONDS_MAX + 1)


def _packed(*numbers: int) -> ctypes.Array[ctypes.c_char]:
    """The kernel's structures here are rows of 32-bit numbers."""
    text = struct.pack(f"{len(numbers)}I", *numbers)
    return ctypes.create_string_buffer(text, len(text))


def _ask(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
