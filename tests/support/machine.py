"""What the product must never change out here, and processes as the kernel sees them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess

GONE_WAIT_S = 5.0


def machine() -> tuple[str, ...]:
    """Links, addresses, routes, rules and settings of the machine, outside every namespace."""
    commands = (
        ["ip", "-o", "link"],
        ["ip", "-o", "addr"],
        ["ip", "route"],
        ["ip", "netns"],
        ["nft", "list", "ruleset"],
        ["sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all"],
    )
    return tuple(
        subprocess.run(argv, capture_output=True, text=True, check=True).stdout for argv in commands
    )


def descendants(pid: int) -> list[int]:
    """Every process that ``pid`` started, and theirs, that still runs."""
    listed = subprocess.run(["ps", "-eo", "ppid=,pid="], capture_output=True, check=True)
    pairs = [line.split() for line in listed.stdout.decode().splitlines()]
    found: list[int] = []
    layer = [pid]
    while layer:
        layer = [int(child) for parent, child in pairs if int(parent) in layer]
        found += layer
    return found


def outlives(pids: list[int]) -> int:
    """How many of these processes are still there after `GONE_WAIT_S`; those are killed."""
    left = 0
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        if not select.select([watched], [], [], GONE_WAIT_S)[0]:
            left += 1
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(watched, signal.SIGKILL)
        os.close(watched)
    return left
