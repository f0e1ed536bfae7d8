"""Notices to staff, as they are kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from controller.store.database import inserted
from controller.store.site_rows import NoticeRow

if TYPE_CHECKING:
    from datetime import datetime

    from controller.store.database import Tx

CODE_MAX = 40
TEXT_MAX = 500


async def add(
    tx: Tx,
    *,
    now: datetime,
    code: str,
    text: str,
    site_id: str | None = None,
    once: str | None = None,
) -> None:
    """Leave a notice; with ``once`` (what it is about) a second one of the same is not kept."""
    name = secrets.token_hex(16) if once is None else hashlib.sha256(once.encode()).hexdigest()[:32]
    await inserted(
        tx,
        NoticeRow,
        id=name,
        at=now,
        site_id=site_id,
        code=code[:CODE_MAX],
        text=text.replace("\0", "")[:TEXT_MAX],
    )
