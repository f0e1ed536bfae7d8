"""Pools, the garden and probes over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller.store.site_rows import ProbeResultRow
from tests.support.office import NOON, a_site, caller

if TYPE_CHECKING:
    from tests.support.office import Office

POOLS, PROBES = "/api/v1/sites/fresh/pools", "/api/v1/sites/fresh/probes"
POOL = {"id": "mast", "name": "Mast", "down_bps": 50_000_000, "up_bps": 20_000_000}


async def test_a_pool_is_added_set_listed_and_removed(office: Office) -> None:
    await office.keep(a_site("fresh", digest=bytes(32), generation=0))
    changed = {key: POOL[key] for key in ("name", "up_bps")} | {"down_bps": 9_000_000}
    async with caller(office) as client:
        made = await client.post(POOLS, json=POOL)
        again = await client.post(POOLS, json={**POOL, "name": "Other"})
        was_set = await client.post(f"{POOLS}/mast", json=changed)
        listed = (await client.get(POOLS)).json()["data"]
        gone = await client.post(f"{POOLS}/mast/remove")

    assert (made.status_code, again.status_code, was_set.status_code) == (201, 409, 200)
    assert listed == [was_set.json()]
    assert listed[0]["down_bps"] == 9_000_000
    assert gone.json()["data"] == []


async def test_the_garden_is_added_to_listed_and_removed_from(office: Office) -> None:
    await office.keep(a_site("fresh", digest=bytes(32), generation=0))
    bank = {"entry": "Bank.example"}
    async with caller(office) as client:
        made = await client.post("/api/v1/garden", json=bank)
        await client.post("/api/v1/garden", json={"entry": "192.0.2.0/24", "site_id": "fresh"})
        listed = (await client.get("/api/v1/garden", params={"site_id": "fresh"})).json()["data"]
        codes = [
            (await client.post("/api/v1/garden/remove", json=bank)).status_code for _ in range(2)
        ]

    assert made.json() == {"site_id": None, "entry": "bank.example", "kind": "name"}
    assert [(one["entry"], one["site_id"]) for one in listed] == [
        ("192.0.2.0/24", "fresh"),
        ("bank.example", None),
    ]
    assert codes == [200, 404]


async def test_a_probe_is_asked_for_and_shows_what_it_saw(office: Office) -> None:
    await office.keep(a_site("fresh", digest=bytes(32), generation=0))
    async with caller(office) as client:
        made = await client.post(PROBES, json={"kind": "arp"})
        again = await client.post(PROBES, json={"kind": "arp"})
        await office.keep(
            ProbeResultRow(site_id="fresh", probe_id=made.json()["id"], at=NOON, body='{"odd": []}')
        )
        shown = (await client.get(f"{PROBES}/{made.json()['id']}")).json()
        listed = (await client.get(PROBES)).json()["data"]

    assert (made.status_code, made.json()["state"]) == (201, "under_way")
    assert (again.status_code, again.json()["code"]) == (409, "probe_under_way")
    assert (shown["state"], shown["result"]) == ("answered", {"odd": []})
    assert listed == [shown]


async def test_an_answer_that_is_no_json_is_shown_as_an_error(office: Office) -> None:
    await office.keep(a_site("fresh", digest=bytes(32), generation=0))
    async with caller(office) as client:
        made = (await client.post(PROBES, json={"kind": "arp"})).json()
        await office.keep(ProbeResultRow(site_id="fresh", probe_id=made["id"], at=NOON, body="[1"))
        shown = (await client.get(f"{PROBES}/{made['id']}")).json()

    assert shown["result"]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (POOLS, {**POOL, "down_bps": "fast"}, "down_bps"),
        (POOLS, {**POOL, "down_bps": 0}, "down_bps"),
        (POOLS, {**POOL, "parent_id": "nowhere"}, "parent_id"),
        (POOLS, {**POOL, "colour": "red"}, "colour"),
        ("/api/v1/garden", {"entry": "0.0.0.0/0"}, "entry"),
        ("/api/v1/garden", {"entry": "a.example", "site_id": "nowhere"}, "site_id"),
        (PROBES, {"kind": "ping"}, "kind"),
        (PROBES, {"kind": "dhcp", "target": "10.0.0.1"}, "target"),
        (PROBES, {"kind": "trace", "target": 7}, "target"),
    ],
)
async def test_bad_input_is_refused_by_its_field(
    office: Office, path: str, body: dict[str, Any], field: str
) -> None:
    await office.keep(a_site("fresh", digest=bytes(32), generation=0))
    async with caller(office) as client:
        answer = await client.post(path, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_what_is_not_there_is_not_found(office: Office) -> None:
    async with caller(office) as client:
        codes = [
            (await client.get(POOLS)).status_code,
            (await client.post(POOLS, json=POOL)).status_code,
            (await client.get(PROBES)).status_code,
            (await client.post(PROBES, json={"kind": "arp"})).status_code,
            (await client.get("/api/v1/garden", params={"site_id": "fresh"})).status_code,
        ]

    assert codes == [404] * 5
