"""The audit log is sealed within a second, and the head of its chain leaves for where nobody edits.

Rows are written without a place, so that staff never wait for each other; the job gives them their
places. Each head is appended to ``audit-heads`` in the state directory, and once a day it goes by
e-mail to whom the owner named. Against these `verify` holds the chain: who rewrites the database
has to have rewritten the file and the letters too.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from billing.period import NAIROBI
from controller.notify.email import EmailOut
from controller.store import audit
from controller.store.audit_chain import Fault, Head, Walk
from controller.usecases.emails import email_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from controller.deps import Deps
    from controller.store.database import Database

SEALED_MAX = 1_000
WALKED_MAX = 5_000
HEADS_FILE = "audit-heads"
RESTORED = "restored"
"""The word before a head from which the chain goes on after an older backup was restored."""


class HeadsUnreadable(Exception):  # noqa: N818 - a sentence
    """A file of heads has a line that is none; the number of the line is named."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What a file of heads says: those that hold, and how many a restored backup gave up."""

    held: tuple[Head, ...] = ()
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Verified:
    """What a walk along the chain found. ``fault`` is None when all is as it was sealed."""

    head: Head
    heads: int
    given_up: int
    fault: Fault | None


async def seal_due(deps: Deps) -> int:
    """Seal what waits; how many places were given. Raises `DatabaseBusy`, ``OSError``.

    The file is written after the commit: a head that is not in the database was never there.
    """
    async with deps.db.read() as tx:
        waits, before = await audit.any_unsealed(tx), await audit.head(tx)
    if not waits:
        await _keep_head(deps, before)
        return 0
    async with deps.db.begin() as tx:
        after = await audit.seal(tx, limit=SEALED_MAX)
    if after is None:
        return 0
    await _keep_head(deps, after)
    return after.seq - before.seq


async def tell_head(deps: Deps) -> int:
    """Send the day's head by e-mail to whom the owner named, once; whether it is on its way."""
    to = deps.settings.audit.heads_to
    if not to or not deps.email.is_set_up:
        return 0
    now = deps.now()
    day = now.astimezone(NAIROBI).date().isoformat()
    async with deps.db.begin() as tx:
        head = await audit.head(tx)
        text = (
            f"Lango: the audit log ends at {head}\n\n"
            f"Keep this letter. With it, `lango audit verify --head {head}`\n"
            "finds out whether anything before this was changed or removed.\n"
        )
        out = EmailOut(to, f"Audit log of {day}", text)
        told = await email_in(
            tx, deps, out, subscriber_id=None, about="audit", now=now, event=f"audit-head:{day}"
        )
    return int(told)


async def verify(db: Database, heads: Heads) -> Verified:
    """Walk the whole chain and hold it against ``heads``. Reads only, in pieces."""
    walk = Walk(heads.held)
    seq = 0
    async with db.read() as tx:
        while walk.fault is None:
            rows = await audit.sealed_rows(tx, after_seq=seq, limit=WALKED_MAX)
            if not rows:
                break
            walk.along(rows)
            seq = rows[-1].seq
            tx.expunge_all()
    walk.end()
    return Verified(walk.head, len(heads.held), heads.given_up, walk.fault)


def read_heads(lines: Iterable[str]) -> Heads:
    """The heads of a file. Raises `HeadsUnreadable`.

    After a restored backup the chain goes on from an older head: what was sealed after that one,
    and before the restoring, is no longer there, and the file says so itself.
    """
    held: list[Head] = []
    given_up = 0
    for number, line in enumerate(lines, start=1):
        try:
            at, *words = line.split()
            head = read_head(words.pop())
            datetime.fromisoformat(at)
        except (ValueError, IndexError) as strange:
            raise HeadsUnreadable(f"line {number} is not a head") from strange
        if words == [RESTORED]:
            kept = [one for one in held if one.seq <= head.seq]
            given_up += len(held) - len(kept)
            held = kept
        held.append(head)
    return Heads(tuple(held), given_up)


def read_head(text: str) -> Head:
    """A head as it is printed. Raises ``ValueError``."""
    seq, _, digest = text.partition(":")
    if len(digest) != len(bytes.fromhex(digest)) * 2 or len(digest) != 64:  # noqa: PLR2004 - SHA-256
        raise ValueError("not a head")
    return Head(int(seq), digest)


def keep_head(folder: Path, head: Head, now: datetime, *, word: str = "") -> None:
    """Append a head to the file, on disk when this returns. Raises ``OSError``."""
    line = " ".join(filter(None, (now.isoformat(timespec="seconds"), word, str(head))))
    handle = os.open(folder / HEADS_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def last_kept(folder: Path) -> str:
    """The last head of the file as it is written there, or ""."""
    try:
        with (folder / HEADS_FILE).open("rb") as kept:
            kept.seek(0, os.SEEK_END)
            kept.seek(max(0, kept.tell() - 200))
            lines = kept.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    words = [line.split()[-1] for line in lines if line.split()]
    return words[-1] if words else ""


async def _keep_head(deps: Deps, head: Head) -> None:
    """Append the head unless it stands there: also one whose commit the last process outlived."""
    folder = deps.settings.state_dir
    if head.seq and await asyncio.to_thread(last_kept, folder) != str(head):
        await asyncio.to_thread(keep_head, folder, head, deps.now())
