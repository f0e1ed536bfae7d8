"""``shaper-replan``: another rate for every one of 20,000 subscribers, while one of them sends.

The peer throws its flat tree away and builds it anew by ``tc -b``; the limit is ``class change`` of
our own tree by ``tc -b``. The frames of one class run through the change and are counted at both
ends of the cable; the oracle also counts the classes of the new rate as ``tc`` lists them.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from shaping.linux import tc
from tests.bench import trees
from tests.bench.booth import WIRING, Booth
from tests.bench.row import Row

if TYPE_CHECKING:
    from tests.support.netns import Namespace

SUBSCRIBERS = 20_000
ROUNDS = 3
"""A flat tree of 20,000 takes more than 20 s to build."""

RATES_BPS = (5_000_000, 6_000_000, 7_000_000)
FRAME = b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x88\xb5" + bytes(986)
PAUSE_S = 0.002
SETTLE_S = 0.5
SO_MARK, SO_PRIORITY, SO_RCVBUFFORCE = 36, 12, 33
QUEUE_BYTES = 64 << 20
LOCAL_EXPERIMENT = 0x88B5
"""The frames' own protocol (IEEE 802)."""


class Flow:
    """Frames of the first subscriber from the WAN interface to the other end of its cable."""

    def __init__(self) -> None:
        self._arrived = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._arrived.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES)
        self._arrived.bind(("wan1", LOCAL_EXPERIMENT))
        self._out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._out.setsockopt(socket.SOL_SOCKET, SO_MARK, tc.group_of(0))
        self._out.setsockopt(socket.SOL_SOCKET, SO_PRIORITY, tc.classid_of(0))
        self._out.bind((WIRING.wan, LOCAL_EXPERIMENT))
        self._over = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def stop(self) -> int:
        """Send no more; how many frames never arrived."""
        self._over.set()
        self._thread.join()
        self._arrived.settimeout(SETTLE_S)
        arrived = 0
        try:
            while self._arrived.recv(len(FRAME)):
                arrived += 1
        except TimeoutError:
            pass
        self._arrived.close()
        self._out.close()
        return self.sent - arrived

    def _send(self) -> None:
        while not self._over.wait(PAUSE_S):
            self._out.send(FRAME)
            self.sent += 1


def run() -> list[Row]:
    """Measure, interleaved."""
    ours, peer, limit, lost, sent = [], [], [], 0, 0
    correct = True
    for number in range(ROUNDS):
        with Booth() as booth:
            took_s, by_tc_s, flow_sent, flow_lost = _ours(booth.gateway)
            ours.append(took_s)
            limit.append(by_tc_s)
            sent += flow_sent
            lost += flow_lost
            trees.by_tc(booth.gateway, trees.flat(SUBSCRIBERS, RATES_BPS[0]))
            began = time.perf_counter()
            trees.gone(booth.gateway)
            trees.by_tc(booth.gateway, trees.flat(SUBSCRIBERS, RATES_BPS[1]))
            peer.append(time.perf_counter() - began)
            correct = correct and _all(booth.gateway, RATES_BPS[1])
        print(f"  {number + 1}: {ours[-1]:.2f} s, {flow_lost} lost", file=sys.stderr)
    return [
        Row(
            name="shaper-replan",
            unit="s for 20,000",
            ours=ours,
            peer=peer,
            peer_is="flat HTB thrown away and built anew by tc -b",
            limit=limit,
            limit_is="class change by tc -b",
            lower_is_better=True,
            correct=correct and lost == 0 and sent > 0,
            more={"frames_sent": sent, "frames_lost": lost},
        )
    ]


def _ours(gateway: Namespace) -> tuple[float, float, int, int]:
    """Seconds by us and by tc; frames sent and lost meanwhile."""

    def change() -> tuple[float, float, int, int]:
        before, after, again = RATES_BPS
        with closing(trees.OurTrees()) as ours:
            ours.give(SUBSCRIBERS, before)
            flow = Flow()
            time.sleep(SETTLE_S)
            took_s = ours.give(SUBSCRIBERS, after)
            time.sleep(SETTLE_S)
            lost = flow.stop()
            assert _all(gateway, after), "not every class was changed"
            by_tc_s = trees.by_tc(gateway, trees.changes(SUBSCRIBERS, again))
            assert _all(gateway, again), "tc did not change every class"
        return took_s, by_tc_s, flow.sent, lost

    return gateway.call(change)


def _all(gateway: Namespace, rate_bps: int) -> bool:
    found = {trees.classes(gateway, name, rate_bps) for name in trees.INTERFACES}
    return found == {SUBSCRIBERS}
