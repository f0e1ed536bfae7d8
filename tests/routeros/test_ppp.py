"""PPPoE by the box's own secrets: who gets in, what is made for them, and what ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.routeros.emulator import Box, Passed, Trap, routeros

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAC, OTHER = "48:A9:8A:AA:BB:01", "48:A9:8A:AA:BB:02"
SERVER = "/interface/pppoe-server/server"


@pytest.fixture(params=[6, 7])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    async with routeros(major=request.param, hotspot=False) as one:
        yield one


def secret(box: Box, **words: str) -> str:
    return box.add("/ppp/secret", **{"name": "jane", "password": "pw", **words})


def online(box: Box) -> list[tuple[str, str]]:
    return [(row["name"], row["address"]) for row in box.rows("/ppp/active")]


async def test_a_secrets_own_address_is_given_and_its_comment_shown(box: Box) -> None:
    secret(box, remote_address="10.20.0.5", comment="house 7", profile="default")
    box.dial("jane", "pw", MAC)
    (row,) = box.rows("/ppp/active")

    assert (row["address"], row["caller-id"], row["comment"]) == ("10.20.0.5", MAC, "house 7")
    assert (row["radius"], row["session-id"][:2]) == ("false", "0x")


async def test_without_a_server_on_any_interface_nobody_dials(box: Box) -> None:
    secret(box)
    (server,) = box.rows(SERVER)
    box.edit(SERVER, server[".id"], disabled="yes")

    with pytest.raises(Trap, match="no answer"):
        box.dial("jane", "pw", MAC)


async def test_a_profile_with_only_one_puts_the_earlier_dial_out(box: Box) -> None:
    box.add("/ppp/profile", name="one", only_one="yes")
    secret(box, profile="one", remote_address="10.20.0.5")
    box.dial("jane", "pw", MAC)
    first = box.rows("/ppp/active")[0]["session-id"]
    box.dial("jane", "pw", OTHER)
    (row,) = box.rows("/ppp/active")

    assert row["caller-id"] == OTHER
    assert row["session-id"] != first


async def test_a_secret_may_be_for_one_device_and_one_service(box: Box) -> None:
    secret(box, caller_id=MAC, service="pppoe")
    with pytest.raises(Trap, match="authentication failed"):
        box.dial("jane", "pw", OTHER)
    box.dial("jane", "pw", MAC)
    box.add("/ppp/secret", name="joe", password="pw", service="l2tp")
    with pytest.raises(Trap, match="authentication failed"):
        box.dial("joe", "pw", MAC)

    assert [name for name, _ in online(box)] == ["jane"]


async def test_a_secrets_volume_ends_the_dial(box: Box) -> None:
    secret(box, limit_bytes_out="1000", remote_address="10.20.0.5")
    box.dial("jane", "pw", MAC)
    (row,) = box.rows("/ppp/active")
    box.pass_bytes("10.20.0.5", up=5_000, down=1_000)

    assert row["limit-bytes-out"] == "1000"
    assert online(box) == []


async def test_each_dial_has_an_interface_that_counts_from_nothing(box: Box) -> None:
    secret(box, remote_address="10.20.0.5")
    counts = []
    for size in (7, 9):
        box.dial("jane", "pw", MAC)
        box.pass_bytes("10.20.0.5", up=size, down=2 * size)
        row = next(one for one in box.rows("/interface") if one["name"] == "<pppoe-jane>")
        counts.append((row["type"], row["rx-byte"], row["tx-byte"]))
        box.hang_up("jane")

    assert counts == [("pppoe-in", "7", "14"), ("pppoe-in", "9", "18")]


async def test_a_static_queue_of_the_address_counts_over_dials_and_shapes_alone(box: Box) -> None:
    secret(box, remote_address="10.20.0.5")
    queue = box.add("/queue/simple", name="own", target="10.20.0.5/32", max_limit="1M/2M")
    for _ in range(2):
        box.dial("jane", "pw", MAC)
        box.pass_bytes("10.20.0.5", up=10, down=20)
        box.hang_up("jane")
    (row,) = box.rows("/queue/simple")

    assert (row[".id"], row["bytes"]) == (queue, "20/40")


async def test_a_profile_that_goes_leaves_its_secrets_with_no_profile_that_is_there(
    box: Box,
) -> None:
    profile = box.add("/ppp/profile", name="one", rate_limit="1M/2M")
    secret(box, profile="one")
    box.remove("/ppp/profile", profile)
    (row,) = box.rows("/ppp/secret")
    box.dial("jane", "pw", MAC)

    assert row["profile"] == profile
    assert box.rows("/queue/simple") == []


async def test_a_power_cut_ends_dials_and_keeps_secrets(box: Box) -> None:
    secret(box, remote_address="10.20.0.5")
    box.dial("jane", "pw", MAC)
    box.power_cut()
    gone = online(box)
    box.dial("jane", "pw", MAC)

    assert gone == []
    assert online(box) == [("jane", "10.20.0.5")]
    assert box.pass_bytes("10.20.0.5", up=1) == Passed(1, 0)
