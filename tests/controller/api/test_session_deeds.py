"""What staff do to sessions and devices over the API: disconnect, move, give, block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.ids import PlanId, SiteId
from billing.msisdn import Msisdn
from controller.store.rows import GrantRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.grants import give
from tests.controller.cli.lango import lango_here
from tests.support.office import NOON, Office, a_plan, a_session, a_site, caller, opened

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

SESSION, MAC, OTHER = "7" * 32, "02:00:00:00:00:01", "02:00:00:00:00:02"
UNKNOWN = "0" * 32


@pytest.fixture
async def grant_id(office: Office) -> str:
    """Somebody is online with two hours."""
    await office.keep(a_site(), a_plan())
    given = await give(
        office.deps,
        SiteId("estate-1"),
        plan_id=PlanId("hours-2"),
        device_mac=MAC,
        msisdn=Msisdn("254712345678"),
    )
    await office.keep(a_session(SESSION, grant_id=given, opened_at=NOON))
    return given


async def post(
    office: Office, path: str, sent: dict[str, Any] | None = None, key: str = ""
) -> httpx2.Response:
    async with caller(office) as client:
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post(f"/api/v1{path}", json=sent or {}, headers=headers)


async def devices(office: Office, grant_id: str) -> str:
    async with office.deps.db.read() as tx:
        return (await tx.get_one(GrantRow, grant_id)).devices


async def test_a_session_is_disconnected_once_and_the_answer_says_how_to_undo_it(
    office: Office, grant_id: str
) -> None:
    twice = [await post(office, f"/sessions/{SESSION}/disconnect") for _ in range(2)]
    without = await devices(office, grant_id)
    gone = twice[0].json()
    back = await post(office, f"/grants/{gone['grant_id']}/devices", {"device_mac": gone["mac"]})

    assert [one.status_code for one in twice] == [200, 200]
    assert (without, gone) == ("", {"grant_id": grant_id, "mac": MAC})
    assert back.json()["devices"] == [MAC]


async def test_a_session_moves_to_another_device(office: Office, grant_id: str) -> None:
    moved = await post(office, f"/sessions/{SESSION}/move", {"device_mac": "02-00-00-00-00-02"})
    odd = await post(office, f"/sessions/{SESSION}/move", {"device_mac": "tv"})

    assert (moved.status_code, moved.json()["devices"]) == (200, [OTHER])
    assert (odd.status_code, odd.json()["errors"][0]["field"]) == (422, "device_mac")
    assert await devices(office, grant_id) == OTHER


async def test_more_is_given_once_for_one_key_and_for_a_reason(
    office: Office, grant_id: str
) -> None:
    asked = {"plan_id": "hours-2", "reason": "the mast was down"}
    path = f"/sessions/{SESSION}/give"
    keyless = await post(office, path, asked)
    first, again = [await post(office, path, asked, key="give-0001") for _ in range(2)]
    silent = await post(office, path, {**asked, "reason": " "}, key="give-0002")

    assert (keyless.status_code, first.status_code, again.status_code) == (400, 201, 201)
    assert first.json() == again.json()
    assert first.json()["cause_id"].startswith("staff:")
    assert first.json()["id"] != grant_id
    assert (silent.status_code, silent.json()["errors"][0]["field"]) == (422, "reason")


@pytest.mark.parametrize("site_id", ["estate-1", None])
async def test_a_device_is_blocked_and_let_in_again(
    office: Office, grant_id: str, site_id: str | None
) -> None:
    asked = {"mac": MAC.upper(), "site_id": site_id, "reason": "sells it on"}
    blocked = [await post(office, "/devices/block", asked) for _ in range(2)]
    async with caller(office) as client:
        listed = (await client.get("/api/v1/devices/blocked")).json()["data"]
    async with office.deps.db.read() as tx:
        told = await tx.get_one(SiteItemRow, ("estate-1", "blocked"))
    freed = [
        await post(office, "/devices/unblock", {"mac": MAC, "site_id": site_id}) for _ in range(2)
    ]

    assert [one.status_code for one in blocked] == [200, 200]
    assert blocked[0].json()["data"] == listed
    assert [(one["mac"], one["site_id"], one["reason"]) for one in listed] == [
        (MAC, site_id, "sells it on")
    ]
    assert told.body is not None
    assert [one.json()["was_blocked"] for one in freed] == [True, False]


@pytest.mark.parametrize(
    ("deed", "sent", "field"),
    [
        ("block", {"mac": "tv", "reason": "x"}, "device_mac"),
        ("block", {"mac": MAC, "reason": ""}, "reason"),
        ("block", {"mac": MAC, "reason": "x", "site_id": "moon"}, "site_id"),
        ("unblock", {"mac": MAC, "site_id": "moon"}, "site_id"),
    ],
)
async def test_what_cannot_be_blocked_is_refused_by_its_field(
    office: Office, deed: str, sent: dict[str, Any], field: str
) -> None:
    answer = await post(office, f"/devices/{deed}", sent)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(("deed", "sent"), [("disconnect", {}), ("move", {"device_mac": OTHER})])
async def test_a_session_that_there_is_not_is_not_found(
    office: Office, deed: str, sent: dict[str, Any]
) -> None:
    assert (await post(office, f"/sessions/{UNKNOWN}/{deed}", sent)).status_code == 404


async def test_the_command_disconnects_blocks_and_unblocks(
    office: Office, grant_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(office) as url:
        monkeypatch.setenv("LANGO_URL", url)
        monkeypatch.setenv("LANGO_KEY", office.key)
        monkeypatch.chdir(tmp_path)
        gone = await lango_here("session", "disconnect", SESSION)
        moved = await lango_here("session", "move", SESSION, OTHER, "--json")
        shut = await lango_here("session", "block", MAC, "--site", "estate-1", "--reason", "x")
        free = await lango_here("session", "unblock", MAC, "--site", "estate-1")

    assert f"lango grant add-device {grant_id} {MAC}" in gone.err
    assert moved.json["devices"] == [OTHER]
    assert (shut.err, free.err) == ("Blocked at estate-1.\n", "Unblocked.\n")
