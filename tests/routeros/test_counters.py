"""Where bytes are counted, what lets them pass, and when counters begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.routeros.emulator import Box, Passed, routeros

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAC, ADDRESS = "AA:BB:CC:DD:EE:01", "10.5.50.14"


@pytest.fixture(params=[6, 7])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    async with routeros(major=request.param) as one:
        one.join(MAC, ADDRESS)
        yield one


def queue_bytes(box: Box, name: str) -> str:
    return next(r["bytes"] for r in box.rows("/queue/simple") if r["name"] == name)


def bypass(box: Box) -> str:
    return box.add("/ip/hotspot/ip-binding", mac_address=MAC.lower(), type="bypassed")


async def test_nothing_of_a_stranger_passes_or_counts(box: Box) -> None:
    box.add("/queue/simple", name="q", target=ADDRESS)

    assert box.pass_bytes(ADDRESS, up=10, down=100) == Passed(0, 0)
    assert queue_bytes(box, "q") == "0/0"


async def test_a_bypassed_device_is_counted_by_host_queue_and_interfaces(box: Box) -> None:
    box.add("/queue/simple", name="q", target=ADDRESS, max_limit="2M/5M")
    bypass(box)

    assert box.pass_bytes(ADDRESS, up=10, down=100) == Passed(10, 100)

    (host,) = box.rows("/ip/hotspot/host")
    wan, lan = box.rows("/interface")
    assert queue_bytes(box, "q") == "10/100"
    assert (host["bytes-in"], host["bytes-out"], host["bypassed"]) == ("10", "100", "true")
    assert (lan["rx-byte"], lan["tx-byte"]) == ("10", "100")
    assert (wan["rx-byte"], wan["tx-byte"]) == ("100", "10")


async def test_a_binding_that_is_gone_or_off_lets_nothing_pass(box: Box) -> None:
    binding = bypass(box)
    box.edit("/ip/hotspot/ip-binding", binding, disabled="yes")
    off = box.pass_bytes(ADDRESS, up=1)
    box.edit("/ip/hotspot/ip-binding", binding, disabled="no")
    on = box.pass_bytes(ADDRESS, up=1)
    box.remove("/ip/hotspot/ip-binding", binding)

    assert (off.up, on.up, box.pass_bytes(ADDRESS, up=1).up) == (0, 1, 0)


async def test_the_first_queue_that_fits_counts_and_so_do_its_parents(box: Box) -> None:
    bypass(box)
    box.add("/queue/simple", name="all", target="10.5.0.0/16")
    box.add("/queue/simple", name="own", target=ADDRESS, parent="all")
    box.add("/queue/simple", name="late", target=ADDRESS)
    box.pass_bytes(ADDRESS, up=1, down=2)

    found = {r["name"]: r["bytes"] for r in box.rows("/queue/simple")}
    assert found == {"all": "1/2", "own": "1/2", "late": "0/0"}


async def test_counters_begin_again_at_reboot_and_with_a_new_queue(box: Box) -> None:
    bypass(box)
    first = box.add("/queue/simple", name="q", target=ADDRESS)
    box.pass_bytes(ADDRESS, up=5, down=5)
    box.remove("/queue/simple", first)
    second = box.add("/queue/simple", name="q", target=ADDRESS)
    assert (first != second, queue_bytes(box, "q")) == (True, "0/0")

    box.pass_bytes(ADDRESS, up=7, down=7)
    box.pass_time(3_661)
    box.reboot()

    assert queue_bytes(box, "q") == "0/0"
    assert box.rows("/ip/hotspot/host") == []
    assert box.rows("/system/resource")[0]["uptime"] == "0s"


async def test_a_counter_of_32_bits_wraps() -> None:
    async with routeros(major=6, counter_bits=32, hotspot=False) as box:
        box.add("/queue/simple", name="q", target=ADDRESS)
        box.pass_bytes(ADDRESS, up=2**32 + 5, down=2**32 - 1)

        assert queue_bytes(box, "q") == "5/4294967295"
