"""Whatever changes something leaves a row in the audit log, in the same transaction."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from controller.usecases import first_shilling
from tests.attacks import doors
from tests.attacks.asking import application, asked, asking, bearer, prepared, went_well
from tests.attacks.conftest import copied, renew
from tests.attacks.tables import Watcher, changed

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from tests.attacks.business import Business
    from tests.attacks.doors import Deed
    from tests.attacks.tables import Rows

WITHOUT = {
    "/api/v1/alert-routes/{route_id}/resume": "this one is not paused: there is nothing to do",
    "/noc/preferences": "a cookie of the browser's own",
}
"""What succeeds and leaves no row of its own, and why."""

REFUSED = "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
LET_IN = "DROP TRIGGER no_audit"


def test_every_route_that_changes_something_is_driven() -> None:
    driven = {deed.key for deed in doors.API}

    assert driven.isdisjoint(doors.ASKING_ONLY | doors.NOT_DRIVEN)
    assert driven | set(doors.ASKING_ONLY) | set(doors.NOT_DRIVEN) == doors.writing_api()


def test_every_form_is_driven() -> None:
    driven = {deed.key for deed in doors.ACTS}

    assert driven.isdisjoint(doors.ENTRY | doors.ELSEWHERE)
    assert driven | set(doors.ENTRY) | set(doors.ELSEWHERE) == doors.acts()


async def test_what_succeeds_is_in_the_log_and_what_cannot_be_is_not_done(
    stocked: Business, tmp_path: Path
) -> None:
    guilty: list[object] = []
    fresh: Rows = {}
    business = copied(stocked, tmp_path / "lango.db")
    app = application(business)
    for deed in (*doors.API, *doors.ACTS):
        await renew(business, stocked)
        fresh = fresh or rows_of(business)
        if fault := await fault_of(app, business, deed, fresh):
            guilty.append((deed.key, fault))
    await app.state.hub.close()
    await business.office.deps.db.close()

    assert not guilty, "\n".join(map(str, guilty))


def rows_of(business: Business) -> Rows:
    """Every row of a business that nobody has asked anything of yet."""
    watcher = Watcher(business)
    rows = watcher.rows()
    watcher.close()
    return rows


async def fault_of(app: FastAPI, business: Business, deed: Deed, fresh: Rows) -> str:
    """What is wrong with the log of a deed; "" for nothing. ``fresh``: the rows before it."""
    watcher, ids = Watcher(business), dict(business.ids)
    async with asking(app, cookies=business.owner_cookies) as client:
        await prepared(client, business, deed, ids)
        before = watcher.rows() if deed.first or deed.path in WITHOUT else fresh
        watcher.run(REFUSED)
        version, noted = watcher.version(), watcher.count("audit")
        unheard = await asked(client, deed, ids, headers=bearer(business, deed))
        left = {} if watcher.version() == version else changed(before, watcher.rows())
        watcher.run(LET_IN)
        answer = await asked(client, deed, ids, headers=bearer(business, deed))
        await asyncio.gather(*first_shilling.UNDER_WAY)
    more, after = watcher.count("audit") - noted, watcher.rows() if deed.path in WITHOUT else before
    watcher.close()
    if not went_well(business, answer):
        return f"{answer.status_code} {answer.text[:300]}"
    if deed.path in WITHOUT:
        return "" if not changed(before, after) else f"changed {changed(before, after)}"
    if went_well(business, unheard) or left:
        return f"without the log: {unheard.status_code}, changed {left}"
    return "" if more > 0 else "no row"
