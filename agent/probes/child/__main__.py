"""One order from standard input, one result to standard output."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from agent.probes import asked, told
from agent.probes.asked import Kind, ProbeRefused
from agent.probes.child.confine import confine

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.probes.asked import Place, Wish
    from agent.probes.child.sending import Budget

ORDER_BYTES_MAX = 16_384


def main() -> int:
    """Confine, read, look, write."""
    confine()
    raw: dict[str, Any] = json.loads(sys.stdin.buffer.read(ORDER_BYTES_MAX))
    kind, target = str(raw["kind"])[:20], str(raw["target"])[: asked.TARGET_LENGTH_MAX]
    try:
        result = looked(raw)
    except ProbeRefused as refusal:
        result = told.failed(kind, target, str(refusal), refused=True)
    except OSError as error:
        result = told.failed(kind, target, str(error))
    sys.stdout.write(told.bounded(result))
    return 0


def looked(raw: dict[str, Any]) -> dict[str, Any]:
    """Carry out one order. Raises `ProbeRefused`, `OSError`."""
    wish, wiring = asked.read_order(raw)
    # Deferred: what is refused needs no scapy, and what follows from a bad order is not loaded.
    from agent.probes.child import machine, names, offers, path, sweep
    from agent.probes.child.sending import Budget, now_ms

    looks: dict[Kind, Callable[[Wish, Place, Budget], dict[str, Any]]] = {
        Kind.ARP: sweep.seen,
        Kind.DHCP: offers.seen,
        Kind.TRACE: path.traced,
        Kind.MTU: path.measured,
        Kind.DNS: names.seen,
    }
    budget, began = Budget(), now_ms()
    found = looks[wish.kind](wish, machine.place(wiring), budget)
    return {
        "kind": wish.kind.value,
        "target": wish.target,
        "outcome": "seen",
        **found,
        "packets": budget.sent,
        "took_ms": now_ms() - began,
    }


if __name__ == "__main__":
    sys.exit(main())
