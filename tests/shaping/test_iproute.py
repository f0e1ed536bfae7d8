"""What pyroute2 builds is what our own messages would, as the system's ``tc`` tells it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from shaping.linux import tc
from shaping.linux.iproute import (
    EventsLostError,
    build_group,
    build_root,
    listening,
    remove_root,
)
from shaping.linux.netlink import NETLINK_ROUTE, NLM_F_CREATE, NetlinkSocket
from shaping.linux.shaper import index_of
from shaping.plane import PlaneError
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SPARE_BPS = 1_000_000
LINK = "lan0"


@pytest.fixture
def box() -> Iterator[Namespace]:
    """A namespace with one interface."""
    with Namespace("box") as namespace:
        namespace.ip(f"link add {LINK} type bridge", f"link set {LINK} up")
        yield namespace


def classes(box: Namespace) -> str:
    return box.run("tc", "-d", "class", "show", "dev", LINK)


def sent(classid: int, rate_bps: int) -> Callable[[], list[int]]:
    """Send the class message of our own."""

    def send() -> list[int]:
        netlink = NetlinkSocket(NETLINK_ROUTE)
        message = tc.class_message(index_of(LINK), classid, rate_bps)
        try:
            return netlink.request([(tc.RTM_NEWTCLASS, NLM_F_CREATE, message)])
        finally:
            netlink.close()

    return send


@pytest.mark.root
@pytest.mark.parametrize("spare_bps", [8_000, SPARE_BPS, 40_000_000_000])
def test_a_class_by_pyroute2_is_the_class_of_our_own_message(
    box: Namespace, spare_bps: int
) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=spare_bps))
    by_pyroute2 = classes(box)
    results = box.call(sent(tc.ROOT_HANDLE | tc.SPARE_MINOR, spare_bps))

    assert results == [0]
    assert classes(box) == by_pyroute2
    assert "class htb 4c00:ffff root" in by_pyroute2


@pytest.mark.root
def test_what_has_no_class_falls_to_the_spare_one(box: Namespace) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=SPARE_BPS))

    assert "default 0xffff" in box.run("tc", "qdisc", "show", "dev", LINK)


@pytest.mark.root
def test_our_root_is_known_again_by_its_handle_and_its_spare_class(box: Namespace) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=SPARE_BPS))
    found = box.call(_qdiscs)

    assert ("htb", tc.ROOT_HANDLE, tc.SPARE_MINOR) in [(q.kind, q.handle, q.spare) for q in found]


def _qdiscs() -> list[tc.Qdisc]:
    netlink = NetlinkSocket(NETLINK_ROUTE)
    try:
        dumped = netlink.dump(tc.RTM_GETQDISC, tc.plain_message(index_of(LINK)))
        return [tc.read_qdisc(body) for _, body in dumped]
    finally:
        netlink.close()


@pytest.mark.root
def test_a_group_is_an_htb_of_its_own_with_a_spare_class(box: Namespace) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=SPARE_BPS))
    box.call(lambda: build_group(index_of(LINK), 3, spare_bps=SPARE_BPS))

    assert "qdisc htb 4c03: parent 4c00:3" in box.run("tc", "qdisc", "show", "dev", LINK)
    assert "class htb 4c03:ffff root" in classes(box)


@pytest.mark.root
def test_a_root_removed_takes_all_below_it_along(box: Namespace) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=SPARE_BPS))
    box.call(lambda: build_group(index_of(LINK), 1, spare_bps=SPARE_BPS))
    box.call(lambda: remove_root(index_of(LINK)))

    assert classes(box) == ""


@pytest.mark.root
def test_a_refusal_says_what_was_being_done(box: Namespace) -> None:
    with pytest.raises(PlaneError, match="building a shaper"):
        box.call(lambda: build_group(index_of(LINK), 1, spare_bps=SPARE_BPS))


@pytest.mark.root
def test_events_that_nobody_takes_are_given_up_and_do_not_fill_the_memory(box: Namespace) -> None:
    crowd = [f"neigh replace 10.7.0.{n} lladdr 02:00:00:00:00:01 dev {LINK}" for n in range(1, 51)]

    async def listen() -> None:
        async with listening(waiting_max=20) as ears:
            box.ip(*crowd)
            for _ in range(100):
                await asyncio.sleep(0)  # the library takes one message in each turn of the loop
            await ears.events()

    with pytest.raises(EventsLostError, match="faster than they can be read"):
        box.call(lambda: asyncio.run(listen()))


def test_only_the_parts_that_are_needed_are_loaded() -> None:
    count = "import sys, shaping.linux.iproute; print(sum('pyroute2' in m for m in sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", count], check=True, capture_output=True, text=True, timeout=60
    )

    assert int(told.stdout) < 100, "its front page loads twice as many"


def test_whoever_imports_pyroute2_after_us_gets_all_of_it() -> None:
    script = "import shaping.linux.iproute, pyroute2; pyroute2.NDB; print('whole')"
    told = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )

    assert told.stdout == "whole\n"
