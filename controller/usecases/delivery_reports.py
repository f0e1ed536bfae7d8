"""Carriers tell what became of a message: in any order, more than once, or never.

Reports are unsigned: whoever learnt our address could post one. So they change nothing but what is
shown of a message, and only once: what is delivered or failed stays so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from controller.notify.reports import Delivery, read_report
from controller.store import sms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.deps import Deps

log = structlog.get_logger(__name__)


async def take_report(deps: Deps, carrier: str, form: Mapping[str, str]) -> None:
    """Note what a carrier posted; see `reports.fields_in` for the body's fields.

    Never raises for what was posted; raises `DatabaseBusy`. ``carrier`` is for the log.
    """
    report = read_report(form)
    if report is None:
        log.warning("sms.report", carrier=carrier, outcome="unreadable", fields=sorted(form)[:10])
        return
    if report.delivery is Delivery.UNDER_WAY:
        return
    now = deps.now()
    async with deps.db.begin() as tx:
        row = await sms.locked_by_name(tx, report.name)
        if row is None:
            await sms.keep_report(tx, name=report.name, delivery=report.delivery, now=now)
        elif row.delivery == Delivery.UNDER_WAY:
            row.delivery, row.told_at = report.delivery, now
    deps.signals.wake("live")
