"""Alerts, routes, maintenance and credit over HTTP, as programs use them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.rights import Role
from controller.store.site_rows import OutageRow, SiteRow
from controller.usecases.maintenance import tell_due
from tests.controller.noc.test_alert_pages import NAME, an_alert
from tests.support.office import Office, a_site, caller
from tests.support.staff import a_token
from tests.support.two_branches import HERE, IDS, THERE, two_branches

if TYPE_CHECKING:
    import httpx2

ROUTE = {"name": "Desk", "kind": "sms", "target": "0712345678"}
KEY = {"Idempotency-Key": "made-by-a-test-1"}


async def posted(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any] | None = None
) -> httpx2.Response:
    return await client.post(f"/api/v1{path}", json=body)


async def test_an_alert_is_listed_acknowledged_silenced_and_assigned(office: Office) -> None:
    await office.keep(a_site(), an_alert(office))
    async with caller(office) as client:
        listed = (await client.get("/api/v1/alerts?open=true&site_id=estate-1")).json()["data"]
        await posted(client, f"/alerts/{NAME}/acknowledge")
        await posted(client, f"/alerts/{NAME}/silence", {"for_s": 600})
        await posted(client, f"/alerts/{NAME}/assign", {"to": "Njeri"})
        found = (await client.get(f"/api/v1/alerts/{NAME}")).json()

    assert [one["id"] for one in listed] == [NAME]
    assert (found["state"], found["acked_by"], found["assigned_to"]) == (
        "acknowledged",
        "the key",
        "Njeri",
    )
    assert {one["what"] for one in found["history"]} == {"acknowledged", "silenced", "assigned"}


async def test_pages_of_alerts_follow_each_other(office: Office) -> None:
    await office.keep(a_site())
    for n in range(5):
        at = office.clock() - timedelta(minutes=n)
        over: dict[str, Any] = {"state": "recovered", "recovered_at": at, "raised_at": at}
        await office.keep(an_alert(office, f"{n}" * 32, **over))
    async with caller(office) as client:
        first = (await client.get("/api/v1/alerts?limit=3")).json()
        then = (await client.get(f"/api/v1/alerts?limit=3&cursor={first['next_cursor']}")).json()

    ids = [one["id"][0] for one in first["data"] + then["data"]]
    assert (ids, then["next_cursor"]) == (list("01234"), None)


async def test_what_is_not_there_or_over_is_said(office: Office) -> None:
    await office.keep(a_site(), an_alert(office, state="recovered", recovered_at=office.clock()))
    async with caller(office) as client:
        answers = [
            (await client.get("/api/v1/alerts/none")).status_code,
            (await posted(client, f"/alerts/{NAME}/acknowledge")).status_code,
            (await posted(client, "/alert-routes/none/test")).status_code,
            (await posted(client, "/maintenance/none/end")).status_code,
            (await client.get("/api/v1/outage-credits/none")).status_code,
        ]

    assert answers == [404, 409, 404, 404, 404]


async def test_a_route_is_made_tried_and_removed(office: Office) -> None:
    hook = {"name": "Chat", "kind": "webhook", "target": "https://chat.example.co.ke/in?key=1"}
    async with caller(office) as client:
        made = (await client.post("/api/v1/alert-routes", json=hook, headers=KEY)).json()
        again = (await client.post("/api/v1/alert-routes", json=hook, headers=KEY)).json()
        route_id = made["route"]["id"]
        await posted(client, f"/alert-routes/{route_id}/test")
        hooks = (await client.get(f"/api/v1/alert-routes/{route_id}/webhooks")).json()["data"]
        listed = (await client.get("/api/v1/alert-routes")).json()["data"]
        await posted(client, f"/alert-routes/{route_id}/remove")
        left = (await client.get("/api/v1/alert-routes")).json()["data"]

    assert made == again
    assert made["secret"].startswith("whsec_")
    assert "key=1" not in str(listed)
    assert [(one["about"], one["state"]) for one in hooks] == [("alert.test", "waiting")]
    assert (len(listed), left) == (1, [])


@pytest.mark.parametrize(
    "target",
    [
        "http://chat.example.co.ke/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:127.0.0.1]/",
        "https://user@chat.example.co.ke/",
        "file:///etc/passwd",
    ],
)
async def test_a_webhook_that_would_lead_inside_names_its_field(
    office: Office, target: str
) -> None:
    hook = {"name": "Chat", "kind": "webhook", "target": target}
    async with caller(office) as client:
        answer = await client.post("/api/v1/alert-routes", json=hook, headers=KEY)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == ["target"]


async def test_maintenance_is_previewed_planned_listed_and_ended(office: Office) -> None:
    await office.keep(a_site())
    start = office.clock() + timedelta(hours=1)
    body = {
        "site_id": "estate-1",
        "from_at": start.isoformat(),
        "until_at": (start + timedelta(hours=2)).isoformat(),
        "text_en": "New mast.",
        "tell_before_s": 600,
        "id": "d" * 32,
    }
    async with caller(office) as client:
        seen = (await posted(client, "/maintenance/preview", body)).json()
        made = await posted(client, "/maintenance", body)
        again = await posted(client, "/maintenance", body)
        other = await posted(client, "/maintenance", {**body, "text_en": "Another."})
        listed = (await client.get("/api/v1/maintenance")).json()["data"]
        told = (await client.get("/api/v1/area-notices")).json()["data"]
        ended = (await posted(client, f"/maintenance/{'d' * 32}/end")).json()

    assert (seen["messages"], seen["cost"]) == (0, None)
    assert "New mast." in seen["text_en"]
    assert (made.status_code, again.json(), other.status_code) == (201, made.json(), 409)
    assert [one["id"] for one in listed] == ["d" * 32]
    assert [one["maintenance_id"] for one in told] == ["d" * 32]
    assert ended["ended_at"] is not None


async def test_an_area_is_told_and_that_can_be_stopped(office: Office) -> None:
    await office.keep(a_site())
    body = {"site_id": "estate-1", "text_en": "Internet is back.", "id": "e" * 32}
    async with caller(office) as client:
        made = (await posted(client, "/area-notices", body)).json()
        stopped = (await posted(client, f"/area-notices/{made['id']}/stop")).json()
        nowhere = await posted(client, "/area-notices", {**body, "site_id": "none", "id": ""})

    assert (made["done_at"], stopped["done_at"] is None, nowhere.status_code) == (None, False, 404)


async def test_who_is_held_to_a_branch_writes_only_to_its_customers(office: Office) -> None:
    await two_branches(office)
    async with office.deps.db.begin() as tx:
        (await tx.get_one(SiteRow, IDS[THERE]["site"])).parent_id = IDS[HERE]["site"]
    start = office.clock() + timedelta(hours=1)
    message = {"site_id": IDS[HERE]["site"], "text_en": "New mast.", "id": "e" * 32}
    times = {"from_at": start.isoformat(), "until_at": (start + timedelta(hours=1)).isoformat()}
    work = {**message, **times, "tell_before_s": 3_600, "id": "f" * 32}
    of_branch = await a_token(office, Role.ADMIN, frozenset({HERE}))
    seen: list[list[int]] = []
    async with caller(office) as anybody, caller(office, of_branch) as theirs:
        for client in (anybody, theirs):
            told = await posted(client, "/area-notices/preview", message)
            planned = await posted(client, "/maintenance/preview", work)
            seen.append([told.json()["messages"], planned.json()["messages"]])
        await posted(theirs, "/area-notices", message)
        await posted(theirs, "/maintenance", work)
    await tell_due(office.deps)
    async with caller(office) as client:
        told_all = (await client.get("/api/v1/area-notices")).json()["data"]

    assert seen == [[2, 2], [1, 1]]
    assert sorted(one["messages"] for one in told_all if one["done_at"]) == [1, 1]


async def test_outages_are_listed_and_credit_is_previewed_and_given(office: Office) -> None:
    began = office.clock() - timedelta(hours=9)
    await office.keep(
        a_site(),
        OutageRow(site_id="estate-1", began_at=began, ended_at=began + timedelta(hours=5)),
    )
    body = {
        "id": "f" * 32,
        "from_at": (began - timedelta(days=1)).isoformat(),
        "until_at": office.clock().isoformat(),
        "more_than_s": 3_600,
        "gives": "days",
        "days": 1,
    }
    async with caller(office) as client:
        outages = (await client.get("/api/v1/outages?site_id=estate-1")).json()["data"]
        seen = (await posted(client, "/outage-credits/preview", body)).json()
        given = (await posted(client, "/outage-credits", body)).json()
        shown = (await client.get(f"/api/v1/outage-credits/{'f' * 32}")).json()
        wrong = await posted(client, "/outage-credits", {**body, "days": 0})
        elsewhere = {**body, "id": "e" * 32, "site_id": "nowhere"}
        nowhere = await posted(client, "/outage-credits", elsewhere)

    assert [one["duration_s"] for one in outages] == [5 * 3_600]
    assert (seen["outages"], seen["subscriptions"]) == (1, 0)
    assert (given["data"], shown) == ([], given)
    assert wrong.status_code == 422
    assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "there is no site nowhere")


async def test_a_site_is_put_behind_another_and_not_behind_itself(office: Office) -> None:
    await office.keep(a_site(), a_site("estate-2", name="Estate 2"))
    async with caller(office) as client:
        well = await posted(client, "/sites/estate-2/upstream", {"parent_id": "estate-1"})
        ring = await posted(client, "/sites/estate-1/upstream", {"parent_id": "estate-2"})
        none = await posted(client, "/sites/estate-2/upstream", {"parent_id": None})

    assert (well.status_code, ring.status_code, none.status_code) == (200, 422, 200)
    assert ring.json()["errors"][0]["field"] == "parent_id"
