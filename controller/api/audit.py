"""The audit log, to look at: what staff did. Nothing here writes."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from controller.api import pages
from controller.api.needs import Needed, PageAsked
from controller.api.shapes import Instant, Page
from controller.noc.audit_log import AuditAsked, audit_rows
from controller.noc.views import Mark
from controller.store.audit_rows import AuditRow

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditLogAsked(PageAsked):
    """Which rows are wanted: ``about`` is a kind, or kind:id; ``what`` a part of route or code."""

    who: str = Field("", max_length=120)
    about: str = Field("", max_length=160)
    what: str = Field("", max_length=80)
    since: Instant | None = None
    until: Instant | None = None


class AuditOut(BaseModel):
    """One transaction of staff. ``seq`` and ``hash`` are its place in the chain, once it has one.

    ``changes``: for each row its ``table`` and ``key``, what was ``before`` and ``after``, of
    changed columns alone, and which ``hidden`` columns changed; or a ``note``; or what had no room.
    """

    id: str
    at: Instant
    staff_id: str
    staff_name: str
    address: str
    route: str
    request_id: str
    code: str
    about_kind: str
    about_id: str
    changes: list[dict[str, Any]]
    result: str
    seq: int | None
    hash: str | None

    @classmethod
    def of(cls, row: AuditRow) -> "AuditOut":
        """A row as it is shown."""
        fields = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**{**fields, "changes": json.loads(row.changes)})


@router.get("")
async def list_audit(deps: Needed, asked: Annotated[AuditLogAsked, Query()]) -> Page[AuditOut]:
    """What staff did, newest first."""
    after = pages.read(asked.cursor)
    wanted = AuditAsked(asked.who, asked.about, asked.what, asked.since, asked.until)
    async with deps.db.read() as tx:
        found = await audit_rows(tx, wanted, after=after, limit=asked.limit)
    last = found[-1] if len(found) == asked.limit else None
    return Page(
        data=[AuditOut.of(row) for row in found],
        next_cursor=pages.written(Mark(last.at, last.id)) if last else None,
    )
