"""Series of sites and reports of use over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.store import series
from controller.store.series_rows import SessionHourRow, SessionPaceRow
from tests.support.office import NOON, a_grant, a_plan, a_session, a_site, a_subscriber, caller

if TYPE_CHECKING:
    from controller.store.rows import Row
    from tests.support.office import Office

SERIES = "/api/v1/sites/estate-1/series"


async def sampled(office: Office, **values: int) -> None:
    sample: dict[str, int | str | None] = {
        "site_id": "estate-1",
        "at_s": series.second(NOON - timedelta(minutes=7)),
        **values,
    }
    async with office.deps.db.begin() as tx:
        await series.keep(tx, [sample])


async def test_a_series_is_told_in_a_step_that_fits(office: Office) -> None:
    await office.keep(a_site())
    await sampled(office, down_bps=7_000)
    async with caller(office) as client:
        found = (await client.get(SERIES, params={"metric": "down_bps"})).json()
        month = (await client.get(SERIES, params={"metric": "down_bps", "hours": 720})).json()

    assert found["step_s"] == 300
    assert [(one["low"], one["mean"], one["high"]) for one in found["data"]] == [(7_000,) * 3]
    assert month["step_s"] == 6 * 3_600
    assert [one["mean"] for one in month["data"]] == [7_000]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "metric"),
        ({"metric": "colour"}, "metric"),
        ({"metric": "rtt_ms", "since": "2026-11-23"}, "since"),
        ({"metric": "rtt_ms", "since": "0001-01-01T00:00:00Z"}, "since"),
        ({"metric": "rtt_ms", "until": "0001-01-01T00:00:00Z"}, "since"),
        ({"metric": "rtt_ms", "until": "2020-01-01T00:00:00Z", "since": NOON.isoformat()}, "since"),
        ({"metric": "rtt_ms", "step": "0"}, "step"),
        ({"metric": "rtt_ms", "step": "1"}, "step"),
        ({"metric": "rtt_ms", "hours": "72", "step": "300"}, "step"),
        ({"metric": "rtt_ms", "hours": "4", "since": NOON.isoformat()}, "hours"),
        ({"metric": "rtt_ms", "more": "1"}, "more"),
    ],
)
async def test_a_series_that_cannot_be_is_refused_by_its_field(
    office: Office, query: dict[str, str], field: str
) -> None:
    await office.keep(a_site())
    async with caller(office) as client:
        answer = await client.get(SERIES, params=query)

    assert answer.status_code in {400, 422}
    assert field in answer.text


async def test_a_series_of_no_site_is_not_found(office: Office) -> None:
    async with caller(office) as client:
        answer = await client.get(SERIES, params={"metric": "rtt_ms"})
        top = await client.get("/api/v1/usage/top", params={"site_id": "nowhere"})

    assert (answer.status_code, top.status_code) == (404, 404)


def an_hour(session_id: str, **fields: Any) -> Row:
    values: dict[str, Any] = {
        "site_id": "estate-1",
        "hour_s": series.second(NOON) // 3_600 * 3_600,
        "session_id": session_id,
        "grant_id": "9" * 32,
        "down_bytes": 100,
        "up_bytes": 10,
    }
    return SessionHourRow(**{**values, **fields})


async def in_use(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    await office.keep(
        a_grant(),
        a_session("7" * 32),
        a_session("8" * 32, mac="02:00:00:00:00:99", grant_id="0" * 32),
    )
    pace = {"site_id": "estate-1", "told_s": series.second(NOON), "up_bps": 1}
    await office.keep(
        an_hour("7" * 32),
        an_hour("8" * 32, grant_id="0" * 32, down_bytes=5),
        SessionPaceRow(session_id="7" * 32, down_bps=900, **pace),
        SessionPaceRow(session_id="8" * 32, down_bps=1_000, **pace),
    )


async def test_top_talkers_are_told_by_device_subscriber_and_plan(office: Office) -> None:
    await in_use(office)
    found = {}
    async with caller(office) as client:
        for by in ("device", "subscriber", "plan"):
            for span in ("now", "24h"):
                query = {"by": by, "span": span}
                answer = await client.get("/api/v1/usage/top", params=query)
                found[by, span] = [(one["id"], one["down"]) for one in answer.json()["data"]]

    mac = a_session().mac
    assert found["device", "now"] == [("02:00:00:00:00:99", 1_000), (mac, 900)]
    assert found["device", "24h"] == [(mac, 100), ("02:00:00:00:00:99", 5)]
    assert found["subscriber", "now"] == [("", 1_000), ("5" * 32, 900)]
    assert found["subscriber", "24h"] == [("5" * 32, 100), ("", 5)]
    assert found["plan", "24h"] == [("hours-2", 100), ("", 5)]


async def test_top_talkers_of_a_branch_and_a_site_are_its_own(office: Office) -> None:
    await in_use(office)
    async with caller(office) as client:
        counts = [
            len((await client.get("/api/v1/usage/top", params=query)).json()["data"])
            for query in ({"branch": "main"}, {"branch": "coast"}, {"site_id": "estate-1"})
        ]

    assert counts == [2, 0, 2]


async def test_use_by_segment_is_told_by_the_hour(office: Office) -> None:
    await in_use(office)
    office.clock.forward(minutes=1)
    async with caller(office) as client:
        found = (await client.get("/api/v1/usage/segments")).json()
        long = await client.get("/api/v1/usage/segments", params={"since": "2026-01-01T00:00:00Z"})

    assert [(one["segment"], one["down_bytes"], one["sessions"]) for one in found["data"]] == [
        ("hotspot", 100, 1),
        ("unknown", 5, 1),
    ]
    assert long.status_code in {400, 422}
