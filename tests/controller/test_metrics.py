"""What Prometheus is told, through the door that it comes in by."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy import text

from controller.api.app import create_app
from controller.management import create_management
from controller.metrics import LOOK_EVERY, Metrics
from controller.store import series
from controller.store.database import Database
from controller.store.migrations import head
from tests.support.office import NOON, a_grant, a_payment, a_plan, a_site, a_subscriber, an_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.office import Office

PHONE = "254712345678"


@pytest.fixture
def office(tmp_path: Path, db: Database) -> Office:
    return an_office(tmp_path, db)


@asynccontextmanager
async def asking(
    office: Office, metrics: Metrics, *, peer: str = "127.0.0.1"
) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(
        app=create_management(office.deps, metrics), client=(peer, 5000)
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


async def scraped(office: Office, metrics: Metrics | None = None) -> dict[str, float]:
    async with asking(office, metrics or Metrics()) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [one for one in answer.text.splitlines() if one and not one.startswith("#")]
    return {name: float(value) for name, value in (one.rsplit(" ", 1) for one in lines)}


async def sampled(office: Office, site_id: str, **values: int) -> None:
    at_s = series.second(office.clock())
    sample: dict[str, int | str | None] = {"site_id": site_id, "at_s": at_s, **values}
    async with office.deps.db.begin() as tx:
        await series.keep(tx, [sample])


async def test_sites_are_told_by_their_newest_sample(office: Office) -> None:
    await office.keep(
        a_site(last_seen_at=NOON - timedelta(seconds=5)),
        a_site("estate-2", last_seen_at=NOON - timedelta(hours=1)),
    )
    await sampled(office, "estate-1", sessions=12, down_bps=9_000_000, temperature_c=55)
    found = await scraped(office)

    assert found['lango_agent_up{site="estate-1"}'] == 1
    assert found['lango_agent_up{site="estate-2"}'] == 0
    assert found['lango_agent_heard_seconds{site="estate-1"}'] == 5
    assert found['lango_sessions{site="estate-1"}'] == 12
    assert found['lango_site_down_bps{site="estate-1"}'] == 9_000_000
    assert 'lango_site_rtt_ms{site="estate-1"}' not in found
    assert 'lango_sessions{site="estate-2"}' not in found
    assert found["lango_db_up"] == 1
    assert found["process_resident_memory_bytes"] > 0


async def test_a_site_that_falls_silent_keeps_no_old_value(office: Office) -> None:
    await office.keep(a_site(last_seen_at=NOON))
    await sampled(office, "estate-1", sessions=12)
    metrics = Metrics()
    before = await scraped(office, metrics)
    office.clock.forward(minutes=10)
    after = await scraped(office, metrics)

    assert 'lango_sessions{site="estate-1"}' in before
    assert 'lango_sessions{site="estate-1"}' not in after
    assert after['lango_agent_up{site="estate-1"}'] == 0


async def test_payments_are_counted_once_when_they_end(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    metrics = Metrics()
    pending = a_payment(
        state="pending",
        receipt=None,
        settled_at=None,
        created_at=NOON,
        pushed_at=NOON + timedelta(seconds=1),
    )
    await office.keep(pending)
    before = await scraped(office, metrics)
    async with office.deps.db.begin() as tx:
        row = await tx.merge(pending)
        row.state, row.receipt = "settled", "TK1"
        row.settled_at = NOON + timedelta(seconds=9)
        tx.add(a_grant(cause_id=row.order_id, started_at=NOON + timedelta(seconds=12)))
    office.clock.forward(seconds=20)
    after = await scraped(office, metrics)
    office.clock.forward(seconds=20)
    again = await scraped(office, metrics)
    total = f'lango_payment_total{{method="{pending.rail}",result="settled"}}'

    assert total not in before
    assert after[total] == again[total] == 1
    assert after['lango_payment_seconds_sum{stage="callback"}'] == 8
    assert after['lango_payment_seconds_sum{stage="online"}'] == 3


async def test_what_ended_before_the_start_is_not_counted(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    await office.keep(a_payment(created_at=NOON, pushed_at=NOON, settled_at=NOON))
    metrics = Metrics()
    await scraped(office, metrics)
    office.clock.forward(seconds=20)

    assert not [name for name in await scraped(office, metrics) if "payment_total" in name]


async def test_nobody_is_named(office: Office) -> None:
    await office.keep(a_site(), a_plan(), a_subscriber())
    await office.keep(a_grant(), a_payment(created_at=NOON))
    metrics = Metrics()
    await ask(office, metrics, f"/api/v1/subscribers/{PHONE}", f"/nothing/{PHONE}")
    async with asking(office, metrics) as client:
        said = (await client.get("/metrics")).text

    assert PHONE not in said
    assert re.search(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", said) is None


async def ask(office: Office, metrics: Metrics, *paths: str) -> None:
    app = create_app(office.deps, metrics=metrics)
    transport = httpx2.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {office.key}"}
    async with httpx2.AsyncClient(
        transport=transport, base_url=office.deps.settings.public_url, headers=headers
    ) as client:
        for path in paths:
            await client.get(path)


async def test_requests_are_counted_by_the_template_of_their_route(office: Office) -> None:
    await office.keep(a_site())
    metrics = Metrics()
    await ask(
        office,
        metrics,
        "/api/v1/sites/estate-1",
        "/api/v1/sites/nowhere",
        "/api/v1/plans",
        *(f"/wp-admin/{number}" for number in range(5)),
    )
    found = await scraped(office, metrics)
    route = "/api/v1/sites/{site_id}"

    count = "lango_http_requests_total"
    assert found[f'{count}{{method="GET",route="{route}",status="2xx"}}'] == 1
    assert found[f'{count}{{method="GET",route="{route}",status="4xx"}}'] == 1
    assert found[f'{count}{{method="GET",route="elsewhere",status="4xx"}}'] == 5
    assert found[f'lango_http_request_seconds_count{{route="{route}"}}'] == 2


async def test_however_many_scrape_the_database_is_read_seldom(office: Office) -> None:
    metrics = Metrics()
    await scraped(office, metrics)
    await office.keep(a_site(last_seen_at=NOON))
    soon = await scraped(office, metrics)
    office.clock.forward(seconds=LOOK_EVERY // timedelta(seconds=1))

    assert 'lango_agent_up{site="estate-1"}' not in soon
    assert 'lango_agent_up{site="estate-1"}' in await scraped(office, metrics)


async def test_a_database_that_cannot_be_read_is_a_metric(office: Office, tmp_path: Path) -> None:
    gone = Database(f"sqlite+aiosqlite:///{tmp_path / 'none' / 'lango.db'}")
    broken = replace(office, deps=replace(office.deps, db=gone))
    found = await scraped(broken)
    await gone.close()

    assert found["lango_db_up"] == 0


async def test_ready_means_at_the_newest_migration(office: Office) -> None:
    async with asking(office, Metrics()) as client:
        well = await client.get("/readyz")
        async with office.deps.db.begin() as tx:
            await tx.execute(text("UPDATE alembic_version SET version_num = 'older'"))
        behind = await client.get("/readyz")

    assert (well.status_code, well.json()["migration"]) == (200, head())
    assert behind.status_code == 503
    assert behind.json() == {
        "status": "not_ready",
        "database": "ok",
        "trouble": "",
        "migration": "older",
        "wanted_migration": head(),
    }


async def test_details_are_for_this_machine_alone(office: Office) -> None:
    async with asking(office, Metrics(), peer="198.51.100.7") as client:
        far = await client.get("/readyz")
    async with asking(office, Metrics()) as client:
        by_proxy = await client.get("/readyz", headers={"X-Forwarded-For": "198.51.100.7"})
        near = await client.get("/readyz")
        others = [(await client.get(path)).status_code for path in ("/healthz", "/version", "/x")]

    assert far.json() == by_proxy.json() == {"status": "ok"}
    assert "migration" in near.json()
    assert others == [200, 200, 404]
