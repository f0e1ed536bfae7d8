"""Why a customer is not online, and the one box, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.office import a_day, a_grant, a_plan, a_session, a_site, a_subscriber, caller

if TYPE_CHECKING:
    from tests.support.office import Office


async def test_the_first_wrong_link_is_named_with_its_evidence_and_what_to_do(
    office: Office,
) -> None:
    grant = a_grant(cause_id="staff:9")
    await office.keep(a_site(), a_plan(), a_subscriber(), grant, a_session())
    async with caller(office) as client:
        answer = await client.get("/api/v1/subscribers/0712345678/why")
        told = answer.json()
        unknown = await client.get("/api/v1/subscribers/0799999999/why")

    (one,) = told["answers"]
    step = one["steps"][2]
    assert (told["phone"], told["online"], one["wrong"]) == ("254712345678", False, "generation")
    assert [found["step"] for found in one["steps"]] == [
        "payment",
        "grant",
        "generation",
        "session",
        "counters",
        "link",
    ]
    assert (step["mark"], step["code"]) == ("wrong", "site_not_told")
    assert step["to_do"] == (
        "Suspend and resume the grant (or its subscription): that tells the site anew."
    )
    assert {"name": "site", "value": "estate-1", "at": None} in step["evidence"]
    assert one["steps"][5]["evidence"][1]["at"].startswith("2026-11-23T08:59:56")
    assert unknown.status_code == 404


async def test_why_is_for_staff_only(office: Office) -> None:
    await office.keep(*a_day())
    async with caller(office, None) as client:
        answer = await client.get("/api/v1/subscribers/254712345678/why")

    assert answer.status_code == 401


async def test_the_one_box_finds_over_http(office: Office) -> None:
    await office.keep(*a_day())
    async with caller(office) as client:
        answer = await client.get("/api/v1/search", params={"q": "0712 345"})
        odd = await client.get("/api/v1/search", params={"q": "x" * 81})
        none = await client.get("/api/v1/search", params={"q": "0"})

    (hit,) = answer.json()["hits"]
    assert (hit["kind"], hit["phone"], hit["id"]) == ("subscriber", "254712345678", "5" * 32)
    assert odd.status_code == 422
    assert none.json() == {"q": "0", "hits": []}
