"""Bugs that a story or a named test must find: each is one place of the product, made wrong.

Every one of them was thought of as a mistake that somebody could make on a bad day. A bug whose
place has changed is an error: then the list is brought up to date.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("agent", "billing", "controller", "portal", "shaping", "proto", "tests", "pyproject.toml")
PATIENCE_S = 600
PYTEST = ("-m", "pytest", "-q", "-x", "-m", "not postgres")
COMPILED = "__pycache__"


@dataclass(frozen=True, slots=True)
class Bug:
    """``wrong`` in place of ``right``, which stands once in the file.

    ``seeds`` find it; or, where a story seldom comes by that place, ``tests`` do: by name, for
    each bug is a run of its own, and none that looks by chance.
    """

    name: str
    file: str
    right: str
    wrong: str
    seeds: tuple[int, ...] = ()
    tests: tuple[str, ...] = ()


BUGS = (
    Bug(
        "records are forgotten before the controller has them",
        "agent/courier.py",
        "self._journal.ack, acked)",
        "self._journal.ack, self._journal.last_seq)",
        (1, 2, 7),
    ),
    Bug(
        "a reading is the difference since the last one",
        "agent/sessions.py",
        "down_bytes_total=volume.down_bytes,",
        "down_bytes_total=volume.down_bytes"
        " - session.reported.epochs.get(epoch, Volume()).down_bytes,",
        (3,),
    ),
    Bug(
        "the controller adds readings up",
        "billing/metering.py",
        "max(seen.down_bytes, reading.down_bytes),",
        "seen.down_bytes + reading.down_bytes,",
        (3,),
    ),
    Bug(
        "a quota is for each session",
        "agent/grants.py",
        "return use.past.down_bytes + use.past.up_bytes + use.elsewhere_bytes + now",
        "return use.elsewhere_bytes + now",
        (3,),
    ),
    Bug(
        "what a session used is forgotten when it ends",
        "agent/sessions.py",
        "past=use.past + session.meter.usage",
        "past=use.past",
        (3,),
    ),
    Bug(
        "a closed session is counted out before the kernel has closed it",
        "agent/sessions.py",
        "    if applied:\n        for session in closing:",
        "    if closing:\n        for session in closing:",
        tests=("tests/agent/test_decide.py::test_sessions",),
    ),
    Bug(
        "the journal does not wait for the disk",
        "agent/journal.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        (21,),
    ),
    Bug(
        "the plane is told before the journal",
        "agent/loop.py",
        "        told = await self._written(state, _facts(effects), now)\n",
        "        self.state = state\n        await self._apply()\n"
        "        told = await self._written(state, _facts(effects), now)\n",
        (21,),
    ),
    Bug(
        "an ack runs ahead of what was committed",
        "controller/usecases/ingest.py",
        "            journal.acked_seq = fresh[-1].seq\n",
        "            journal.acked_seq = fresh[-1].seq + 1\n",
        (21,),
    ),
    Bug(
        "records with a gap between them are taken",
        "controller/records.py",
        "        if record.seq == expected:",
        "        if record.seq >= expected:",
        tests=("tests/controller/usecases/test_ingest.py::test_after_a_gap_nothing_is_taken",),
    ),
    Bug(
        "time that the machine was off is free",
        "agent/decide.py",
        "draft.put_use(replace(use, owes=True))",
        "draft.put_use(use)",
        tests=("tests/agent/test_decide.py::test_sessions",),
    ),
    Bug(
        "the kernel is given no deadline",
        "agent/desired.py",
        "        open_until=until,",
        "        open_until=None,",
        tests=(
            "tests/agent/test_desired.py::test_access_is_closed_at_its_deadline_even_before_it_is_decided",
        ),
    ),
    Bug(
        "money that comes late is not taken",
        "billing/payment.py",
        "changed=state is not PaymentState.SETTLED)",
        "changed=state in {PaymentState.SENT, PaymentState.PENDING})",
        tests=("tests/billing/test_payment.py::test_evidence_leads_where_the_table_says",),
    ),
    Bug(
        "an order that is asked about again is pushed again",
        "controller/usecases/asking.py",
        "    if payment.state != PaymentState.CREATED:\n        return None\n    if max(",
        "    if payment.state == PaymentState.SETTLED:\n        return None\n    if max(",
        tests=(
            "tests/controller/usecases/test_purchase.py::test_same_order_ten_times_at_once_prompts_once",
        ),
    ),
    Bug(
        "a settled payment gives no grant",
        "controller/usecases/together.py",
        "give_many_in(tx, given, shop.plans",
        "give_many_in(tx, [], shop.plans",
        (21,),
    ),
    Bug(
        "half of the money is booked",
        "controller/usecases/belief.py",
        "postings=(Posting(purse, landed, amount), *sale),",
        "postings=tuple(sale),",
        (15,),
    ),
    Bug(
        "a code that came twice is not booked",
        "controller/usecases/redemptions.py",
        "    if what.first is not None:\n        await _book_double(",
        "    if what.first is not None and not one.batch:\n        await _book_double(",
        tests=(
            "tests/controller/usecases/test_offline_vouchers.py::test_a_voucher_redeemed_at_two_sites_is_booked_as_a_loss_once",
        ),
    ),
    Bug(
        "a site and its controller name the grant of a code differently",
        "controller/usecases/redeem.py",
        "    grant_id = grant_of(attempt.redemption_id)\n",
        "    grant_id = grants.new_id()\n",
        tests=(
            "tests/controller/usecases/test_offline_vouchers.py::test_a_redemption_sent_and_lost_and_done_offline_is_one_grant",
        ),
    ),
    Bug(
        "a used code may be used again after a restart",
        "agent/journal.py",
        "            (self._used, state.used),\n",
        "",
        tests=(
            "tests/agent/test_journal.py::test_a_voucher_that_was_taken_is_known_before_anybody_has_access",
        ),
    ),
    Bug(
        "what the site gave with its link down is dropped when its session ends",
        "agent/sessions.py",
        " not in draft.items and not use.made_here",
        " not in draft.items",
        tests=("tests/agent/test_offline.py::test_vouchers",),
    ),
    Bug(
        "every site is handed the whole grant",
        "billing/quota.py",
        "free=_less(limits.quota_bytes, used + held),",
        "free=limits.quota_bytes,",
        tests=(
            "tests/billing/test_quota.py::test_what_only_a_silent_site_holds_is_lent_once_more_and_the_loss_is_known",
        ),
    ),
    Bug(
        "a suspended grant goes on",
        "agent/grants.py",
        "    return Why.SUSPENDED if use.suspended else None\n",
        "    return None\n",
        tests=("tests/agent/test_allowances.py::test_allowances",),
    ),
    Bug(
        "any number of devices may use a grant",
        "agent/grants.py",
        "return len(draft.sessions_of(use.grant.id)) < use.grant.limits.devices_max",
        "return True",
        tests=("tests/agent/test_decide.py::test_sessions",),
    ),
    Bug(
        "the kernel's budget is for each device",
        "agent/desired.py",
        "cap=CapKey(session.grant_id) if capped(use)",
        "cap=CapKey(session.id) if capped(use)",
        tests=("tests/agent/test_desired.py::test_devices_of_one_grant_draw_on_one_budget",),
    ),
    Bug(
        "each dial of a line is charged for all dials before it",
        "agent/dialling.py",
        "if before and goes_on else NO_VOLUME",
        "if before and not goes_on else NO_VOLUME",
        tests=(
            "tests/agent/test_lines.py::test_who_dials_anew_between_two_looks_has_another_session_and_no_byte_counts_twice",
        ),
    ),
    Bug(
        "a line that nobody has begun has no end on the router",
        "agent/lines.py",
        "lease_ms=grants.lease_ms(use),",
        "lease_ms=None,",
        tests=(
            "tests/agent/test_lines.py::test_time_that_does_not_run_yet_is_given_for_no_longer_than_there_is",
        ),
    ),
    Bug(
        "who dials in by a stranger's secret is put out",
        "shaping/routeros/ops.py",
        "if name in theirs and address != ours[name]:",
        "if name in theirs and address == ours[name]:",
        tests=(
            "tests/shaping/test_routeros_lines.py::test_a_stranger_who_takes_a_name_of_ours_later_keeps_their_dials",
        ),
    ),
)


def found(bug: Bug, folder: Path) -> str:
    """By what the bug was found, in a line; "" when everything held with it."""
    with_bug(bug, folder)
    if bug.tests:
        told = _run(folder, *PYTEST, *bug.tests)
        return next((one for one in told.splitlines() if one.startswith("FAILED")), "")
    lines = _run(folder, "-m", "tests.simulation", *map(str, bug.seeds)).splitlines()
    ends = [one for one in lines if one.startswith("seed ")]
    assert ends, "the simulation told nothing"
    return "" if "all invariants held" in ends[-1] else ends[-1]


def _run(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{folder / 'proto'}", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return ran.stdout


def with_bug(bug: Bug, folder: Path) -> None:
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
            if one.name != COMPILED:
                (here / one.name).symlink_to(one)
        (here / COMPILED).mkdir()
        for one in (original / COMPILED).glob("*.pyc"):
            (here / COMPILED / one.name).symlink_to(one)  # what is compiled anew replaces the link
    text = (ROOT / wrong).read_text()
    assert text.count(bug.right) == 1, f"{bug.file} has changed: where is {bug.right!r} now?"
    (folder / wrong).unlink()
    (folder / wrong).write_text(text.replace(bug.right, bug.wrong))
