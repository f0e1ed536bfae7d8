"""Roots and groups, as the system's ``tc`` tells of them; classes beside those that it makes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from shaping.linux import tc
from shaping.linux.iproute import build_group, build_root, remove_root
from shaping.linux.netlink import NETLINK_ROUTE, NetlinkSocket
from shaping.linux.shaper import index_of
from shaping.plane import PlaneError
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def by_tc(rate_bps: int) -> str:
    """The same class as the system's own command makes it, from rate and burst alone."""
    spare = tc.ROOT_HANDLE | tc.SPARE_MINOR
    one = tc.Class(spare, tc.parent_of(spare), tc.class_figures(rate_bps))
    return tc.class_text(LINK, one)


@pytest.mark.root
@pytest.mark.parametrize("spare_bps", [8_000, SPARE_BPS, 40_000_000_000])
def test_a_class_of_our_own_message_is_the_class_that_tc_makes(
    box: Namespace, spare_bps: int
) -> None:
    box.call(lambda: build_root(index_of(LINK), spare_bps=spare_bps))
    ours = classes(box)
    box.run("tc", *by_tc(spare_bps).split())

    # How many bytes a class may send in its turn is ours to choose; tc reckons it otherwise.
    assert _unpaced(classes(box)) == _unpaced(ours)
    assert "class htb 4c00:ffff root" in ours


def _unpaced(told: str) -> str:
    return re.sub(r"quantum \d+", "", told)


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

    assert "qdisc htb 4c16: parent 4c00:3" in box.run("tc", "qdisc", "show", "dev", LINK)
    assert "class htb 4c16:ffff root" in classes(box)


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
