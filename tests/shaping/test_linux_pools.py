"""Pools, bursts and moves, by real packets through the real kernel."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

import pytest

from shaping.linux.netlink import NETLINK_ROUTE, NetlinkSocket
from shaping.linux.shaper import Shaper
from shaping.plane import (
    Applied,
    Burst,
    Desired,
    PlaneError,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
)
from tests.support.gateway import (
    CONFIG,
    DATAGRAM_BYTES,
    KEY,
    PHONE,
    SERVER4,
    THIEF,
    Street,
    an_access,
    goodput_bps,
    until,
    v4_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.root

AP, SECTOR, TOWER = PoolKey("ap"), PoolKey("sector"), PoolKey("tower")
NEXT = SessionKey("0193-next")
FOUR = Rate(4_000_000, 4_000_000)
WIDE = Rate(30_000_000, 30_000_000)
SINK_PORT = 9


def pooled(*, phone: PoolKey = AP, other: PoolKey = AP, pools: dict[PoolKey, Pool]) -> Desired:
    access = {
        KEY: replace(an_access(), pool=phone),
        NEXT: replace(an_access(THIEF), pool=other),
    }
    return Desired(access, pools=pools)


def flooded(street: Street, *, seconds: float) -> dict[int, int]:
    """Bytes a second that each device got while the internet sent far too much to both."""
    counts = dict.fromkeys((PHONE, THIEF), 0)
    end = time.monotonic() + 1 + seconds

    def count(number: int, sink: socket.socket) -> None:
        began = time.monotonic() + 1
        while time.monotonic() < end:
            size = len(sink.recv(2048))
            counts[number] += size + 42 if time.monotonic() > began else 0

    sinks = {number: street.devices[number].socket(kind=socket.SOCK_DGRAM) for number in counts}
    for number, sink in sinks.items():
        sink.bind((str(v4_of(number)), SINK_PORT))
        sink.settimeout(5)
    threads = [threading.Thread(target=count, args=pair) for pair in sinks.items()]
    for thread in threads:
        thread.start()
    with street.internet.socket(kind=socket.SOCK_DGRAM) as source:
        while any(thread.is_alive() for thread in threads):
            for number in counts:
                source.sendto(bytes(DATAGRAM_BYTES), (str(v4_of(number)), SINK_PORT))
            time.sleep(0.0005)
    for sink in sinks.values():
        sink.close()
    return {number: int(count / seconds) for number, count in counts.items()}


def test_sessions_of_one_pool_share_it_alike_whatever_their_plans(street: Street) -> None:
    desired = pooled(pools={AP: Pool(FOUR)})
    slow = replace(desired.access[NEXT], rate=Rate(10_000_000, 10_000_000))
    street.apply(replace(desired, access={**desired.access, NEXT: slow}))
    got = flooded(street, seconds=2)

    assert 0.9 <= got[PHONE] / got[THIEF] <= 1.1
    assert 0.85 <= 8 * sum(got.values()) / 4_000_000 <= 1.05


def test_pools_inside_a_pool_share_it_by_their_sessions(street: Street) -> None:
    tree = {SECTOR: Pool(FOUR), AP: Pool(WIDE, SECTOR), TOWER: Pool(WIDE, SECTOR)}
    street.apply(pooled(other=TOWER, pools=tree))
    got = flooded(street, seconds=2)

    assert 0.9 <= got[PHONE] / got[THIEF] <= 1.1
    assert 0.85 <= 8 * sum(got.values()) / 4_000_000 <= 1.05


def test_a_pool_inside_another_is_held_to_its_own_rate(street: Street) -> None:
    tree = {SECTOR: Pool(WIDE), AP: Pool(FOUR, SECTOR)}
    street.apply(Desired({KEY: replace(an_access(), pool=AP)}, pools=tree))

    assert 0.9 <= goodput_bps(street, up=True, seconds=2) / 4_000_000 <= 1.0


def test_a_pools_rate_changes_under_a_running_connection(street: Street) -> None:
    street.apply(Desired({KEY: replace(an_access(), pool=AP)}, pools={AP: Pool(FOUR)}))
    faster = Desired(
        {KEY: replace(an_access(), pool=AP)}, pools={AP: Pool(Rate(8_000_000, 8_000_000))}
    )
    change = threading.Timer(0.3, lambda: street.apply(faster))
    change.start()
    share = goodput_bps(street, up=False, seconds=2) / 8_000_000
    change.join()

    assert 0.9 <= share <= 1.01


MOVES: dict[str, tuple[dict[PoolKey, Pool], PoolKey | None]] = {
    "to another pool": ({AP: Pool(WIDE), TOWER: Pool(WIDE)}, TOWER),
    "with its pool, which became part of another": ({AP: Pool(WIDE, TOWER), TOWER: Pool(WIDE)}, AP),
    "out of all pools, which go": ({}, None),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_session_moves_and_loses_no_packet(street: Street, name: str) -> None:
    pools, pool = MOVES[name]
    street.apply(Desired({KEY: replace(an_access(), pool=AP)}, pools={AP: Pool(WIDE)}))
    after = Desired({KEY: replace(an_access(), pool=pool)}, pools=pools)
    move = threading.Timer(0.1, lambda: street.apply(after))
    move.start()
    arrived = street.send(400, up=True)
    move.join()

    assert arrived == 400
    assert street.counter().up_bytes_total == 400 * (DATAGRAM_BYTES + 28)
    assert street.apply(after) == Applied(0)


def test_what_waits_in_a_pool_that_went_is_delivered_first(street: Street) -> None:
    slow = Rate(800_000, 800_000)
    street.apply(Desired({KEY: replace(an_access(), pool=AP)}, pools={AP: Pool(slow)}))
    after = Desired({KEY: an_access()})
    move = threading.Timer(0.05, lambda: street.apply(after))
    move.start()
    arrived = street.send(60, up=True, pace_s=0.002)
    move.join()

    assert arrived == 60
    assert until(
        lambda: street.apply(after) == Applied(0) and classes(street).count("4c00:8001") == 0
    )


def classes(street: Street) -> str:
    """The classes on the WAN, without the numbers that their queues happen to have."""
    told = street.gateway.run("tc", "class", "show", "dev", "wan0")
    return re.sub(r" leaf \w+:", "", told)


def test_a_burst_passes_at_its_speed_and_then_the_rate_holds(street: Street) -> None:
    burst = Burst(40_000_000, 40_000_000, 1_000_000)
    street.apply(Desired({KEY: an_access(rate=Rate(1_000_000, 1_000_000, burst))}))
    began = time.monotonic()
    arrived = street.send(2_000, up=True, pace_s=0.0002)
    took_s = time.monotonic() - began

    assert 900 <= arrived <= 1_150 + 125 * took_s


def test_pools_that_went_leave_no_class_and_no_name(street: Street) -> None:
    tree = {SECTOR: Pool(WIDE), AP: Pool(WIDE, SECTOR)}
    street.apply(pooled(pools=tree))
    street.apply(Desired({KEY: an_access()}))
    left = classes(street).count("4c00:800"), street.nft("list counters table inet lango")

    assert left[0] == 0
    assert "p.ap" not in left[1]


def test_a_successor_of_one_killed_between_name_and_class_clears_up(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}))
    street.nft("add counter inet lango p.lost.7")
    street.restart()
    street.apply(Desired({KEY: an_access()}))

    assert "p.lost" not in street.nft("list counters table inet lango")


def tc(*lines: str) -> Callable[[Street], None]:
    def hand(street: Street) -> None:
        for line in lines:
            street.gateway.run("tc", *line.split())

    return hand


HANDS: dict[str, Callable[[Street], None]] = {
    "the pool sector was changed": tc(
        "class change dev wan0 parent 4c00: classid 4c00:8001 htb rate 9mbit"
    ),
    "wan0: group 1 of the shaper was changed": tc(
        "class change dev wan0 parent 4c00:8002 classid 4c00:1 htb rate 8bit ceil 1gbit"
    ),
    "the speed of 0193-phone was changed": tc(
        "class change dev wan0 parent 4c01: classid 4c01:1 htb rate 50mbit ceil 90mbit"
    ),
    "the shaper of wan0 was missing": tc("qdisc del dev wan0 root"),
    "wan0: group 1 of the shaper was changed ": tc(
        "class del dev wan0 classid 4c00:1",
        "class add dev wan0 parent 4c00:8001 classid 4c00:1 htb rate 8bit ceil 1gbit",
        "qdisc add dev wan0 parent 4c00:1 handle 4c01: htb default ffff",
    ),
}


@pytest.mark.parametrize("words", HANDS)
def test_what_of_a_pool_was_changed_by_hand_is_named_and_mended(street: Street, words: str) -> None:
    tree = {SECTOR: Pool(WIDE), AP: Pool(WIDE, SECTOR)}
    desired = Desired({KEY: replace(an_access(), pool=AP)}, pools=tree)
    street.apply(desired)
    before = classes(street)
    HANDS[words](street)
    asyncio.run(street.plane.verify())
    drift = " · ".join(street.apply(desired).drift)
    mended = classes(street)

    assert words.strip() in drift
    assert street.apply(desired) == Applied(0)
    assert street.reaches(PHONE, SERVER4)
    if not words.endswith(" "):
        assert sorted(mended.splitlines()) == sorted(before.splitlines())


@contextmanager
def a_shaper(street: Street, **limits: int) -> Iterator[Shaper]:
    """A shaper of these limits, looked at its interfaces already."""
    netlink = street.gateway.call(lambda: NetlinkSocket(NETLINK_ROUTE))
    shaper = Shaper(CONFIG, netlink, **limits)
    street.gateway.call(shaper.observe)
    yield shaper
    netlink.close()


def test_the_group_of_nobody_is_given_up_when_no_other_is_left(street: Street) -> None:
    with a_shaper(street, groups_max=1) as shaper:
        shaper.number_pools([(AP,)])
        shaper.set_pool((AP,), WIDE)
        shaper.set_rate(KEY, WIDE)
        with pytest.raises(PlaneError, match="all 1 groups of shaper classes are in use: no room"):
            shaper.set_rate(NEXT, WIDE, (AP,))
        shaper.free(KEY)
        shaper.set_rate(NEXT, WIDE, (AP,))
        shaper.flush()
        places = dict(shaper.places())

    assert places == {1: (AP,)}
    assert "class htb 4c00:1 parent 4c00:8001" in classes(street)


def test_pools_beyond_the_last_number_are_refused(street: Street) -> None:
    with (
        a_shaper(street, pools_max=1) as shaper,
        pytest.raises(PlaneError, match="all 1 pools are in use"),
    ):
        shaper.number_pools([(AP,), (TOWER,)])


def test_classes_beyond_the_last_queue_number_are_refused(street: Street) -> None:
    with a_shaper(street, classes_max=4) as shaper:
        shaper.set_rate(KEY, WIDE)
        with pytest.raises(PlaneError, match="all 4 classes of br-lan are in use"):
            shaper.set_rate(NEXT, WIDE)


def test_sessions_beyond_one_group_of_a_pool_get_a_second_one_in_it(street: Street) -> None:
    addresses = [IPv6Address(f"fd77:1::1:{number:x}") for number in range(1, 252)]
    many = {
        SessionKey(f"many-{address.packed.hex()[-4:]}"): replace(
            an_access(), ipv4=None, ipv6=frozenset({address}), pool=AP
        )
        for address in addresses
    }
    street.apply(Desired(many, pools={AP: Pool(WIDE)}))
    told = classes(street)

    assert "class htb 4c00:1 parent 4c00:8001" in told
    assert "class htb 4c00:2 parent 4c00:8001" in told
