"""What the routes answer when all is well."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.api.app import description
from controller.api.openapi import TARGET, described
from controller.edge.authority import TOKEN_PREFIX
from controller.store.site_rows import SiteItemRow
from controller.usecases.sites import enrol
from tests.controller.edge.certificates import a_csr
from tests.support.office import NOON, Office, a_day, a_payment, a_plan, a_site, caller

if TYPE_CHECKING:
    import httpx2

SITE = {"id": "estate-2", "name": "Estate 2"}
PLAN = {
    "id": "hours-3",
    "name": "3 hours",
    "price": {"amount": "30.00", "currency": "KES"},
    "down_bps": 3_000_000,
    "up_bps": 1_000_000,
    "validity_s": 10_800,
    "uptime_s": None,
    "quota_bytes": None,
    "devices_max": 2,
    "rank": 4,
}


async def got(office: Office, path: str, **query: str) -> dict[str, Any]:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def posted(office: Office, path: str, body: object = None, key: str = "") -> httpx2.Response:
    async with caller(office) as client:
        headers = {"Idempotency-Key": key} if key else {}
        return await client.post(f"/api/v1/{path}", json=body, headers=headers)


async def test_the_description_is_fresh() -> None:
    assert TARGET.read_text() == described(), "run `make openapi`"


async def test_the_description_is_told_to_staff_and_worked_out_once(office: Office) -> None:
    told = await got(office, "openapi.json")

    assert told == json.loads(described())
    assert description() is description(), "a second of this machine for each who asks"


async def test_health_wants_no_key(office: Office) -> None:
    async with caller(office, None) as client:
        answers = [await client.get(path) for path in ("/healthz", "/readyz", "/version")]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[2].json()["name"] == "lango"


async def test_without_its_tables_the_controller_is_not_ready(office: Office) -> None:
    async with office.deps.db.begin() as tx:
        await (await tx.connection()).exec_driver_sql("DROP TABLE alembic_version")

    async with caller(office, None) as client:
        answer = await client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"status": "not_ready"})


async def test_a_site_is_added_and_shown(office: Office) -> None:
    made = (await posted(office, "sites", SITE)).json()

    assert made == await got(office, "sites/estate-2")
    assert (made["name"], made["online"], made["operator_name"]) == ("Estate 2", False, "Lango")


async def test_a_second_site_of_the_same_id_is_a_conflict(office: Office) -> None:
    await posted(office, "sites", SITE)
    answer = await posted(office, "sites", SITE)

    assert (answer.status_code, answer.json()["code"]) == (409, "site_exists")


async def test_a_join_token_lets_an_agent_join(office: Office) -> None:
    await posted(office, "sites", SITE)
    token = (await posted(office, "sites/estate-2/join-tokens")).json()["token"]
    packed = token.removeprefix(TOKEN_PREFIX)
    content = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    issued = await enrol(office.deps, content["s"], a_csr())

    assert (issued.site_id, content["a"]) == ("estate-2", "127.0.0.1:8444")


async def test_a_plan_is_added_everywhere_and_shown(office: Office) -> None:
    await posted(office, "sites", SITE)
    made = (await posted(office, "plans", PLAN)).json()

    async with office.deps.db.read() as tx:
        item = await tx.get(SiteItemRow, ("estate-2", "plan/hours-3"))
    assert {name: made[name] for name in PLAN} == PLAN
    assert item is not None


async def test_the_same_plan_again_changes_nothing_and_another_is_a_conflict(
    office: Office,
) -> None:
    answers = [
        await posted(office, "plans", PLAN),
        await posted(office, "plans", PLAN),
        await posted(office, "plans", {**PLAN, "name": "Other"}),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "plan_differs"


async def test_a_withdrawn_plan_is_listed_when_asked_for(office: Office) -> None:
    await office.keep(a_plan())
    await posted(office, "plans/hours-2/withdraw")

    assert (await got(office, "plans"))["data"] == []
    assert (await got(office, "plans", withdrawn="true"))["data"][0]["withdrawn_at"]


async def test_vouchers_show_their_codes_once(office: Office) -> None:
    await office.keep(a_plan())
    made = (await posted(office, "vouchers", {"plan_id": "hours-2", "count": 3}, "k" * 8)).json()
    (batch,) = (await got(office, "vouchers"))["data"]

    assert len(set(made["codes"])) == 3
    assert (batch["batch"], batch["count"], batch["redeemed"]) == (made["batch"], 3, 0)
    assert "codes" not in batch


async def test_vouchers_for_a_plan_that_is_not_there_are_not_made(office: Office) -> None:
    answer = await posted(office, "vouchers", {"plan_id": "nothing", "count": 3}, "k" * 8)

    assert answer.status_code == 404


async def test_payments_are_shown_with_the_phone_masked(office: Office) -> None:
    await office.keep(*a_day())
    (payment,) = (await got(office, "payments"))["data"]

    assert payment == await got(office, f"payments/{'a' * 32}")
    assert payment["phone"] == "2547••••678"
    assert payment["price"] == {"amount": "10.00", "currency": "KES"}
    assert payment["created_at"] == "2026-11-23T09:00:00Z"


async def test_cursors_walk_the_whole_list(office: Office) -> None:
    await office.keep(*a_day())
    await office.keep(
        *(a_payment(f"{n:032x}", created_at=NOON - timedelta(seconds=n)) for n in range(4))
    )
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await got(office, "payments", limit="2", cursor=cursor)
        seen += [payment["order_id"] for payment in page["data"]]
        cursor = page["next_cursor"]

    assert len(seen) == len(set(seen)) == 5


async def test_sites_are_walked_in_order_of_their_id(office: Office) -> None:
    await office.keep(a_site("a"), a_site("b"), a_site("c"))
    first = await got(office, "sites", limit="2")
    second = await got(office, "sites", limit="2", cursor=first["next_cursor"])

    assert [site["id"] for site in first["data"] + second["data"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


async def test_sessions_are_shown_with_their_plan(office: Office) -> None:
    await office.keep(*a_day())
    (session,) = (await got(office, "sessions", open="true"))["data"]

    assert (session["plan_id"], session["down_bytes"]) == ("hours-2", 200_000_000)


async def test_a_grant_is_given_widened_and_revoked(office: Office) -> None:
    await office.keep(a_plan(devices_max=2))
    await posted(office, "sites", SITE)
    grant = {"site_id": "estate-2", "plan_id": "hours-2", "device_mac": "02-00-00-00-00-AA"}
    given = (await posted(office, "grants", {**grant, "phone": "0712 345 678"}, "k" * 8)).json()
    path = f"grants/{given['id']}"
    widened = await posted(office, f"{path}/devices", {"device_mac": "02:00:00:00:00:bb"})
    third = await posted(office, f"{path}/devices", {"device_mac": "02:00:00:00:00:cc"})
    revoked = [await posted(office, f"{path}/revoke") for _ in range(2)]

    assert (given["left_s"], given["phone"]) == (7_200, "2547••••678")
    assert widened.json()["devices"] == ["02:00:00:00:00:aa", "02:00:00:00:00:bb"]
    assert (third.status_code, third.json()["code"]) == (409, "devices_full")
    assert [answer.json()["ended_reason"] for answer in revoked] == ["revoked", "revoked"]


async def test_grants_still_good_can_be_asked_for(office: Office) -> None:
    await office.keep(*a_day())
    (grant,) = (await got(office, "grants", open="true"))["data"]

    assert (grant["left_s"], grant["left_bytes"]) == (3_600, None)


async def test_balances_are_money_as_text(office: Office) -> None:
    await office.keep(*a_day())
    found = {
        b["account"]: b["balance"]["amount"] for b in (await got(office, "ledger/balances"))["data"]
    }

    assert found["asset:mpesa:600111"] == "10.00"
    assert found["income:main:plan:hours-2"] == "-10.00"


async def test_transactions_show_their_postings(office: Office) -> None:
    await office.keep(*a_day())
    (transaction,) = (await got(office, "ledger/transactions"))["data"]

    assert [p["amount"]["amount"] for p in transaction["postings"]] == ["10.00", "10.00"]


async def test_notices_are_shown(office: Office) -> None:
    await office.keep(*a_day())
    (notice,) = (await got(office, "notices", site_id="estate-1"))["data"]

    assert notice["code"] == "amount_differs"


@pytest.mark.parametrize("noun", ["sites", "plans", "vouchers", "payments", "sessions", "grants"])
async def test_an_empty_list_is_a_page_too(office: Office, noun: str) -> None:
    assert await got(office, noun) == {"data": [], "next_cursor": None}


async def test_the_front_door_leads_to_the_live_page(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/noc")
