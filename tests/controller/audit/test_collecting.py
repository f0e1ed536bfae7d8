"""What staff change leaves a row that says what was before and after, and nothing else does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from controller import acting
from controller.acting import Actor
from controller.store import audit, bulk_rows
from controller.store.audit_rows import AuditRow
from controller.store.code_rows import VoucherRow
from controller.store.collecting import CHANGES_MAX, is_secret
from controller.store.database import inserted, upsert_many
from controller.store.rows import GrantSiteRow, PlanRow, Row
from controller.store.site_rows import NoticeRow, SiteRow
from tests.support.office import NOON, Office, a_day, a_notice, a_plan, a_site, caller

if TYPE_CHECKING:
    from controller.store.database import Database

JANE = Actor("staff-1", "Jane", "10.0.0.7", "POST /api/v1/plans", "req-1", NOON)


async def rows_of(db: Database) -> list[AuditRow]:
    async with db.read() as tx:
        return list(await tx.scalars(select(AuditRow).order_by(AuditRow.at, AuditRow.id)))


async def told(db: Database) -> list[dict[str, Any]]:
    """The changes of the only row."""
    (row,) = await rows_of(db)
    changes: list[dict[str, Any]] = json.loads(row.changes)
    return changes


async def test_who_did_what_from_where_is_in_the_row(office: Office) -> None:
    with acting.acting(JANE):
        await office.keep(a_plan())

    (row,) = await rows_of(office.deps.db)

    assert (row.staff_id, row.staff_name, row.address) == ("staff-1", "Jane", "10.0.0.7")
    assert (row.route, row.request_id, row.at) == ("POST /api/v1/plans", "req-1", NOON)
    assert (row.about_kind, row.about_id, row.result) == ("plan", "hours-2", "done")
    assert (row.seq, row.hash) == (None, None)


async def test_an_object_that_is_changed_says_only_what_changed(office: Office) -> None:
    await office.keep(a_site())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            row = (await tx.scalars(select(SiteRow))).one()
            row.name = "Estate One"

    assert await told(office.deps.db) == [
        {
            "table": "site",
            "key": {"id": "estate-1"},
            "before": {"name": "Estate 1"},
            "after": {"name": "Estate One"},
        }
    ]


async def test_many_rows_that_one_statement_changes_are_all_told(office: Office) -> None:
    await office.keep(a_plan("a"), a_plan("b", rank=3), a_plan("c", rank=4))
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(update(PlanRow).where(PlanRow.rank > 2).values(rank=PlanRow.rank + 1))

    changes = await told(office.deps.db)

    assert [(one["key"]["id"], one["before"], one["after"]) for one in changes] == [
        ("b", {"rank": 3}, {"rank": 4}),
        ("c", {"rank": 4}, {"rank": 5}),
    ]


async def test_what_is_removed_is_told_as_it_was(office: Office) -> None:
    await office.keep(a_site(), a_notice())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(delete(NoticeRow).where(NoticeRow.code == "amount_differs"))

    (change,) = await told(office.deps.db)

    assert change["after"] is None
    assert change["before"]["code"] == "amount_differs"


async def test_rows_written_past_the_session_are_told_too(office: Office) -> None:
    await office.keep(*a_day())
    share = ("9" * 32, "estate-1", 1, 0, 900, 0, 0, 0, 0)
    columns = bulk_rows.columns_of(GrantSiteRow)
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await bulk_rows.write(tx, GrantSiteRow, [share])
            changed = (*share[:3], 500, *share[4:])
            await bulk_rows.change(
                tx, GrantSiteRow, [changed], columns=columns, keys=("grant_id", "site_id")
            )

    (change,) = await told(office.deps.db)

    assert (change["table"], change["before"]) == ("grant_site", None)
    assert change["after"]["handed_bytes"] == 500


async def test_an_insert_that_finds_its_row_there_is_no_change(office: Office) -> None:
    await office.keep(a_plan())
    values = {name: getattr(a_plan(), name) for name in ("id", "name")}
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            assert not await inserted(tx, PlanRow, **{**as_values(a_plan()), **values})

    assert await rows_of(office.deps.db) == []


async def test_an_insert_that_replaces_says_what_was_before(office: Office) -> None:
    await office.keep(a_plan())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            new = {**as_values(a_plan()), "name": "Two hours"}
            await upsert_many(tx, PlanRow, keys=["id"], values=[new])

    (change,) = await told(office.deps.db)

    assert (change["before"], change["after"]) == ({"name": "2 hours"}, {"name": "Two hours"})


def as_values(row: Row) -> dict[str, Any]:
    return {
        column.name: getattr(row, column.name)
        for column in type(row).__table__.columns
        if getattr(row, column.name) is not None
    }


async def test_what_is_undone_leaves_no_row(office: Office) -> None:
    with acting.acting(JANE), pytest.raises(IntegrityError):
        await office.keep(a_plan(), a_plan("b", price_minor=-1))

    assert await rows_of(office.deps.db) == []


async def test_what_is_changed_and_changed_back_is_no_change(office: Office) -> None:
    await office.keep(a_plan())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(update(PlanRow).values(rank=9))
            await tx.execute(update(PlanRow).values(rank=0))

    assert await rows_of(office.deps.db) == []


async def test_when_a_site_was_last_seen_is_no_change_of_staff(office: Office) -> None:
    await office.keep(a_site())
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(update(SiteRow).values(last_seen_at=NOON + timedelta(days=1)))

    assert await rows_of(office.deps.db) == []


async def test_what_nobody_of_the_staff_does_leaves_no_row(office: Office) -> None:
    await office.keep(*a_day())
    with acting.acting(JANE), acting.aside():
        await office.keep(a_notice("d" * 32))

    assert await rows_of(office.deps.db) == []


async def test_many_rows_are_counted_and_some_are_told(office: Office) -> None:
    await office.keep(a_site(), a_plan())
    many = [
        {
            "code_hash": f"secret-{n}",
            "batch": "b-1",
            "plan_id": "hours-2",
            "created_at": NOON,
            "expires_at": NOON,
        }
        for n in range(CHANGES_MAX + 25)
    ]
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            await tx.execute(insert(VoucherRow), many)
            await tx.execute(update(VoucherRow).values(expires_at=NOON + timedelta(days=1)))

    *changes, last = await told(office.deps.db)

    assert len(changes) == CHANGES_MAX
    assert last["more"]["voucher"] >= 25
    assert "secret-" not in json.dumps(changes)
    assert changes[0]["key"] == {"code_hash": None}
    assert changes[0]["hidden"] == ["code_hash"]


async def test_a_note_says_what_no_row_does(office: Office) -> None:
    with acting.acting(JANE):
        async with office.deps.db.begin() as tx:
            audit.note(tx, "exported", ("report", "revenue"), after={"lines": 12})

    (row,) = await rows_of(office.deps.db)

    assert (row.code, row.about_kind, row.about_id) == ("exported", "report", "revenue")
    assert json.loads(row.changes)[0]["after"] == {"lines": 12}


async def test_a_request_of_staff_leaves_its_row(office: Office) -> None:
    site = {"id": "estate-2", "name": "Estate 2"}
    async with caller(office) as client:
        answer = await client.post(
            "/api/v1/sites", json=site, headers={"X-Request-ID": "request-7"}
        )
        refused = await client.post("/api/v1/sites", json=site | {"name": "Other"})
        listed = await client.get("/api/v1/sites")

    assert [answer.status_code, refused.status_code, listed.status_code] == [201, 409, 200]
    (row,) = await rows_of(office.deps.db)
    assert (row.staff_id, row.route, row.request_id) == ("key", "POST /api/v1/sites", "request-7")
    assert (row.about_kind, row.about_id) == ("site", "estate-2")


async def test_a_request_that_is_refused_leaves_no_row_even_with_a_key(office: Office) -> None:
    async with caller(office) as client:
        key = {"Idempotency-Key": "key-of-refusal"}
        answer = await client.post("/api/v1/sites", json={"id": "NO"}, headers=key)
        gone = await client.post("/api/v1/arrivals/none/assign", json={}, headers=key)

    assert not answer.is_success
    assert not gone.is_success
    assert await rows_of(office.deps.db) == []


async def test_a_request_about_one_object_names_it(office: Office) -> None:
    await office.keep(a_site())
    async with caller(office) as client:
        answer = await client.post("/api/v1/sites/estate-1/join-tokens")

    assert answer.is_success, answer.text

    (row,) = await rows_of(office.deps.db)

    assert row.route == "POST /api/v1/sites/{site_id}/join-tokens"
    assert (row.about_kind, row.about_id) == ("site", "estate-1")


def test_no_column_of_a_secret_is_shown() -> None:
    shown = {
        f"{table.name}.{column.name}"
        for table in Row.metadata.tables.values()
        for column in table.columns
        if not is_secret(table, column.name)
    }

    assert not {name for name in shown if "hash" in name or "sealed" in name or "secret" in name}
    assert {"subscriber.msisdn", "subscriber.kra_pin", "plan.name"} <= shown
