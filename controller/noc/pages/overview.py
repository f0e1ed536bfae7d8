"""The front page: how the whole network does just now."""

from __future__ import annotations

from controller.noc import board, incoming, live, views
from controller.noc.rates import Counted, followed
from controller.noc.text import midnight
from controller.rights import Right

SITES_MAX = 200
SESSIONS_MAX = 200
PAYMENTS_MAX = 40
NOTICES_MAX = 30
UNMATCHED_MAX = 8


async def look(asked: live.Asked) -> board.Board:
    """Everything on the front page."""
    snapshot = await _snapshot(asked)
    before = asked.before.rates if isinstance(asked.before, board.Board) else {}
    return board.drawn(snapshot, followed(before, (_counted(v) for v in snapshot.sessions)))


async def _snapshot(asked: live.Asked) -> board.Snapshot:
    now = asked.now
    async with asked.deps.db.read() as tx:
        return board.Snapshot(
            at=now,
            sites=await views.site_views(tx, limit=SITES_MAX),
            sessions=await views.session_views(tx, limit=SESSIONS_MAX, only_open=True),
            sessions_open=await views.sessions_open(tx),
            payments=await views.payment_views(tx, limit=PAYMENTS_MAX),
            takings=await views.takings_since(tx, midnight(now)),
            notices=await views.notice_rows(tx, limit=NOTICES_MAX),
            waiting=await incoming.waiting_views(tx, now),
            unmatched=await incoming.unmatched(tx, limit=UNMATCHED_MAX),
        )


def _counted(view: views.SessionView) -> Counted:
    row = view.row
    return Counted(row.id, row.seen_at, row.down_bytes, row.up_bytes)


OVERVIEW = live.View(
    name="Overview",
    path="/noc",
    right=Right.SEE_SITES,
    look=look,
    template="overview/page.html",
    panels=tuple(
        f"overview/{panel}.html"
        for panel in ("sites", "waiting", "unmatched", "sessions", "payments", "notices")
    ),
)

router = live.pages(OVERVIEW)
