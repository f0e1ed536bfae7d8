"""Bytes, budgets, deadlines and speeds, by real packets through the real kernel."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from shaping.linux.plane import boot_clock
from shaping.plane import Cap, CapKey, Desired, MonotonicMs, Rate, SessionKey
from tests.support.gateway import (
    DATAGRAM_BYTES,
    ECHO_PORT,
    KEY,
    PHONE,
    SERVER4,
    SERVER6,
    Street,
    an_access,
    goodput_bps,
)

pytestmark = pytest.mark.root

HEADERS = {SERVER4: 28, SERVER6: 48}
"""Bytes of network and datagram headers: the kernel counts whole layer-3 packets."""

BOTH = pytest.mark.parametrize("server", [SERVER4, SERVER6])
CAP = CapKey("grant-7")
SMALL = Cap(left_bytes=50_000)


@BOTH
def test_the_kernel_counts_exactly_what_was_sent(street: Street, server: str) -> None:
    street.apply(Desired({KEY: an_access()}))
    up = street.send(150, up=True, server=server)
    down = street.send(100, up=False, server=server)
    counter = street.counter()
    size = DATAGRAM_BYTES + HEADERS[server]

    assert (up, down) == (150, 100)
    assert (counter.up_bytes_total, counter.down_bytes_total) == (150 * size, 100 * size)


def test_both_families_of_a_device_are_one_count_and_one_budget_to_the_byte(street: Street) -> None:
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL}))
    passed = dict.fromkeys(HEADERS, 0)
    for server in (SERVER4, SERVER6, SERVER4, SERVER6):
        passed[server] += street.send(18, up=True, server=server)
    counter = street.counter()
    total = sum(count * (DATAGRAM_BYTES + HEADERS[server]) for server, count in passed.items())

    assert min(passed.values()) > 0
    assert sum(passed.values()) < 4 * 18
    assert counter.up_bytes_total == total
    assert SMALL.left_bytes - DATAGRAM_BYTES - 48 < total <= SMALL.left_bytes


def test_nothing_that_was_refused_is_counted(street: Street) -> None:
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL}))
    arrived = street.send(100, up=True)

    assert street.counter().up_bytes_total == arrived * (DATAGRAM_BYTES + 28)


def test_more_time_loses_no_packet_and_keeps_counting(street: Street) -> None:
    later = MonotonicMs(boot_clock() + 60_000)
    street.apply(Desired({KEY: an_access(open_until=later)}))
    renew = threading.Timer(
        0.1, lambda: street.apply(Desired({KEY: an_access(open_until=MonotonicMs(later * 2))}))
    )
    renew.start()
    arrived = street.send(400, up=True)
    renew.join()

    assert arrived == 400
    assert street.counter().up_bytes_total == 400 * (DATAGRAM_BYTES + 28)


def test_a_successor_changes_nothing_and_loses_nothing_in_mid_transfer(street: Street) -> None:
    desired = Desired({KEY: an_access(open_until=MonotonicMs(boot_clock() + 60_000), cap=CAP)})
    desired = replace(desired, caps={CAP: Cap(10_000_000)})
    street.apply(desired)
    epoch = street.counter().epoch
    changes: list[int] = []

    def succeed() -> None:
        street.restart()
        changes.append(street.apply(desired).changes)

    successor = threading.Timer(0.1, succeed)
    successor.start()
    arrived = street.send(400, up=True)
    successor.join()
    counter = street.counter()

    assert changes == [0]
    assert (arrived, counter.epoch) == (400, epoch)
    assert counter.up_bytes_total == 400 * (DATAGRAM_BYTES + 28)


def test_another_speed_keeps_counting_under_the_same_epoch(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}))
    street.send(10, up=True)
    before = street.counter()
    street.apply(Desired({KEY: an_access(rate=Rate(8_000_000, 4_000_000))}))

    assert street.counter() == before


def test_time_ends_on_the_second_with_nobody_there_to_end_it(street: Street) -> None:
    deadline = MonotonicMs(boot_clock() + 1_200)
    street.apply(Desired({KEY: an_access(open_until=deadline)}))
    street.plane.close()
    last = _last_answer_at(street, until=MonotonicMs(deadline + 500))

    assert -100 <= last - deadline <= 100


def _last_answer_at(street: Street, *, until: MonotonicMs) -> int:
    last = 0
    with street.echo(), street.udp(PHONE, SERVER4) as phone:
        phone.settimeout(0.02)
        while boot_clock() < until:
            phone.sendto(b"ping", (SERVER4, ECHO_PORT))
            try:
                phone.recv(100)
                last = boot_clock()
                time.sleep(0.01)
            except TimeoutError:
                continue
    return last


def test_a_budget_ends_at_the_byte_with_nobody_there_to_end_it(street: Street) -> None:
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL}))
    street.plane.close()
    size = DATAGRAM_BYTES + 28
    passed = street.send(100, up=True) * size

    assert SMALL.left_bytes - size < passed <= SMALL.left_bytes


def test_both_directions_and_both_families_draw_on_one_budget(street: Street) -> None:
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL}))
    up4 = street.send(20, up=True) * (DATAGRAM_BYTES + 28)
    down6 = street.send(100, up=False, server=SERVER6) * (DATAGRAM_BYTES + 48)

    assert SMALL.left_bytes - DATAGRAM_BYTES - 48 < up4 + down6 <= SMALL.left_bytes


def test_a_successor_goes_on_with_the_budget_as_it_stands(street: Street) -> None:
    desired = Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL})
    street.apply(desired)
    before = street.send(30, up=True)
    street.restart()
    street.apply(desired)
    after = street.send(100, up=True)

    assert before + after == SMALL.left_bytes // (DATAGRAM_BYTES + 28)


def test_a_budget_bought_anew_opens_again(street: Street) -> None:
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: SMALL}))
    street.send(60, up=True)
    street.apply(Desired({KEY: an_access(cap=CAP)}, {CAP: Cap(20_000, revision=1)}))

    assert street.send(60, up=True) == 20_000 // (DATAGRAM_BYTES + 28)


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_tcp_carries_nearly_the_whole_rate_and_never_more(street: Street, *, up: bool) -> None:
    rate = Rate(down_bps=5_000_000, up_bps=5_000_000)
    street.apply(Desired({KEY: an_access(rate=rate)}))
    share = goodput_bps(street, up=up, seconds=3) / 5_000_000

    assert 0.93 <= share <= 1.0


def test_a_changed_speed_holds_for_a_running_connection(street: Street) -> None:
    street.apply(Desired({KEY: an_access(rate=Rate(2_000_000, 2_000_000))}))
    faster = Rate(down_bps=8_000_000, up_bps=8_000_000)
    change = threading.Timer(0.3, lambda: street.apply(Desired({KEY: an_access(rate=faster)})))
    change.start()
    share = goodput_bps(street, up=False, seconds=2) / 8_000_000
    change.join()

    assert 0.9 <= share <= 1.01


def test_nothing_leaves_unshaped(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}))
    street.send(20, up=True)
    street.send(20, up=False)
    told = street.gateway.run("tc", "-s", "qdisc", "show")

    assert "direct_packets_stat 0" in told
    assert "direct_packets_stat 1" not in told


def test_a_session_that_is_over_is_forgotten(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}))
    street.apply(Desired())
    counters = asyncio.run(street.plane.counters())

    assert SessionKey(KEY) not in counters
