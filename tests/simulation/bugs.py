"""The bugs that the simulation must find: each is one place of the product, made wrong.

Every one of them was thought of as a mistake that somebody could make on a bad day. A bug whose
place has changed is an error: then the list is brought up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("agent", "billing", "controller", "portal", "shaping", "proto", "tests", "pyproject.toml")
PATIENCE_S = 600


@dataclass(frozen=True, slots=True)
class Bug:
    """``wrong`` in place of ``right``, which stands once in the file; ``seeds`` that find it."""

    name: str
    file: str
    right: str
    wrong: str
    seeds: tuple[int, ...]


BUGS = (
    Bug(
        "records are forgotten before the controller has them",
        "agent/courier.py",
        "self._journal.ack, acked)",
        "self._journal.ack, self._journal.last_seq)",
        (1, 2, 3),
    ),
    Bug(
        "a reading is the difference since the last one",
        "agent/sessions.py",
        "down_bytes_total=volume.down_bytes,",
        "down_bytes_total=volume.down_bytes"
        " - session.reported.epochs.get(epoch, Volume()).down_bytes,",
        (1, 2, 3),
    ),
    Bug(
        "the controller adds readings up",
        "billing/metering.py",
        "max(seen.down_bytes, reading.down_bytes),",
        "seen.down_bytes + reading.down_bytes,",
        (1, 2, 3),
    ),
    Bug(
        "a quota is for each session",
        "agent/grants.py",
        "return use.past.down_bytes + use.past.up_bytes + use.elsewhere_bytes + now",
        "return use.elsewhere_bytes + now",
        (1, 2, 3),
    ),
    Bug(
        "what a session used is forgotten when it ends",
        "agent/sessions.py",
        "past=use.past + session.meter.usage",
        "past=use.past",
        (1, 2, 3),
    ),
    Bug(
        "a closed session is counted out before the kernel has closed it",
        "agent/sessions.py",
        "    if applied:\n        for session in closing:",
        "    if closing:\n        for session in closing:",
        (1, 2, 3),
    ),
    Bug(
        "the journal does not wait for the disk",
        "agent/journal.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        (1, 2, 3),
    ),
    Bug(
        "the plane is told before the journal",
        "agent/loop.py",
        "        told = await self._written(state, _facts(effects), now)\n",
        "        self.state = state\n        await self._apply()\n"
        "        told = await self._written(state, _facts(effects), now)\n",
        (1, 2, 3),
    ),
    Bug(
        "an ack runs ahead of what was committed",
        "controller/usecases/ingest.py",
        "            journal.acked_seq = fresh[-1].seq\n",
        "            journal.acked_seq = fresh[-1].seq + 1\n",
        (1, 2, 3),
    ),
    Bug(
        "records with a gap between them are taken",
        "controller/records.py",
        "        if record.seq == expected:",
        "        if record.seq >= expected:",
        (1, 2, 3),
    ),
    Bug(
        "time that the machine was off is free",
        "agent/decide.py",
        "draft.put_use(replace(use, owes=True))",
        "draft.put_use(use)",
        (1, 2, 3),
    ),
    Bug(
        "the kernel is given no deadline",
        "agent/desired.py",
        "        open_until=until,",
        "        open_until=None,",
        (1, 2, 3),
    ),
    Bug(
        "money that comes late is not taken",
        "billing/payment.py",
        "changed=state is not PaymentState.SETTLED)",
        "changed=state in {PaymentState.SENT, PaymentState.PENDING})",
        (1, 2, 3),
    ),
    Bug(
        "an order that is asked about again is pushed again",
        "controller/usecases/purchase.py",
        "    if payment.state != PaymentState.CREATED:\n        return None\n    if max(",
        "    if payment.state == PaymentState.SETTLED:\n        return None\n    if max(",
        (1, 2, 3),
    ),
    Bug(
        "a settled payment gives no grant",
        "controller/usecases/evidence.py",
        "    await _hand_over(tx, deps, payment, now=now)\n",
        "",
        (1,),
    ),
    Bug(
        "half of the money is booked",
        "controller/usecases/evidence.py",
        "postings=(Posting(wallet, till, amount), Posting(income, wallet, amount)),",
        "postings=(Posting(income, wallet, amount),),",
        (1,),
    ),
    Bug(
        "a code that came twice is not booked",
        "controller/usecases/redemptions.py",
        "    if what.first is not None:\n        await _book_double(",
        "    if what.first is not None and not one.batch:\n        await _book_double(",
        (1, 2, 3),
    ),
    Bug(
        "a site and its controller name the grant of a code differently",
        "controller/usecases/redeem.py",
        "    grant_id = grant_of(attempt.redemption_id)\n",
        "    grant_id = grants.new_id()\n",
        (1, 2, 3),
    ),
    Bug(
        "a used code may be used again after a restart",
        "agent/journal.py",
        "            (self._used, state.used),\n",
        "",
        (1, 2, 3),
    ),
    Bug(
        "what the site gave with its link down is dropped when its session ends",
        "agent/sessions.py",
        " not in draft.items and not use.made_here",
        " not in draft.items",
        (1, 2, 3),
    ),
    Bug(
        "every site is handed the whole grant",
        "billing/quota.py",
        "free=_less(limits.quota_bytes, used + held),",
        "free=limits.quota_bytes,",
        (1, 2, 3),
    ),
    Bug(
        "a suspended grant goes on",
        "agent/grants.py",
        "    return Why.SUSPENDED if use.suspended else None\n",
        "    return None\n",
        (1, 2, 3),
    ),
)


def found(bug: Bug, folder: Path, seeds: Sequence[int]) -> str:
    """The last line of a run of the simulation on the product with this bug; "" when all held."""
    _with_bug(bug, folder)
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation", *map(str, seeds)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{folder / 'proto'}", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    lines = [line for line in told.stdout.splitlines() if line.startswith("seed ")]
    assert lines, told.stderr[-2_000:]
    return lines[-1] if told.returncode else ""


def _with_bug(bug: Bug, folder: Path) -> None:
    """A tree of links to the product, with one file changed."""
    wrong = Path(bug.file)
    for top in TOPS:
        (folder / top).symlink_to(ROOT / top)
    here = folder
    for part in wrong.parts[:-1]:
        original, here = ROOT / (here / part).relative_to(folder), here / part
        here.unlink()
        here.mkdir()
        for one in original.iterdir():
            if one.name != "__pycache__":
                (here / one.name).symlink_to(one)
    text = (ROOT / wrong).read_text()
    assert text.count(bug.right) == 1, f"{bug.file} has changed: where is {bug.right!r} now?"
    (folder / wrong).unlink()
    (folder / wrong).write_text(text.replace(bug.right, bug.wrong))
