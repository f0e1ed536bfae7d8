"""The set-up: its steps, and how far each is. A step is done when it was seen working.

Nothing here is a state of its own: what can be found out is looked up, so that what the command
line did counts too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.payment import PaymentState
from controller.backup import keys
from controller.store import backups, chosen, operators, setup_facts, sms, staff
from controller.usecases import first_shilling, first_sms, reached

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.chosen_rows import SetupNoteRow
    from controller.store.database import Tx

FULL = 100
KEY_NOTE = "recovery_key"
ASIDE = "aside:"


class StepName(StrEnum):
    """The steps, in their order."""

    OWNER = "owner"
    BUSINESS = "business"
    ADDRESS = "address"
    MPESA = "mpesa"
    SMS = "sms"
    PLANS = "plans"
    SITE = "site"
    BACKUPS = "backups"


MAY_WAIT = frozenset((StepName.ADDRESS, StepName.MPESA, StepName.SMS))
"""Steps that a provider may do without: who sells vouchers for cash needs no M-PESA."""


class Stand(StrEnum):
    """How far a step is."""

    OPEN = "open"
    BEGUN = "begun"  # told, and not yet seen working
    DONE = "done"
    ASIDE = "aside"  # not wanted for now, as staff said


@dataclass(frozen=True, slots=True)
class Step:
    """A step and how far it is."""

    name: StepName
    stand: Stand

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do in it."""
        return self.stand in {Stand.DONE, Stand.ASIDE}


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole set-up."""

    steps: tuple[Step, ...]

    @property
    def per_cent(self) -> int:
        """How much of it is over."""
        return sum(step.is_over for step in self.steps) * FULL // len(self.steps)

    @property
    def next(self) -> StepName | None:
        """The first step that is not over."""
        return next((step.name for step in self.steps if not step.is_over), None)


async def progress(tx: Tx, deps: Deps) -> Progress:
    """How far every step is."""
    notes = await chosen.notes(tx)
    found = {
        StepName.OWNER: _done(await staff.has_owner(tx)),
        StepName.BUSINESS: _done(bool((await operators.operator(tx)).name)),
        StepName.ADDRESS: await _address(tx, deps),
        StepName.MPESA: await _mpesa(tx, deps, notes),
        StepName.SMS: await _sms(tx, deps, notes),
        StepName.PLANS: _done(await setup_facts.has_plan(tx)),
        StepName.SITE: _done(bool(await setup_facts.site_seen(tx))),
        StepName.BACKUPS: await _backups(tx, deps, notes),
    }
    return Progress(tuple(Step(name, _or_aside(name, found[name], notes)) for name in StepName))


def _or_aside(name: StepName, stand: Stand, notes: dict[str, SetupNoteRow]) -> Stand:
    is_aside = f"{ASIDE}{name}" in notes and stand is not Stand.DONE
    return Stand.ASIDE if is_aside else stand


async def put_aside(deps: Deps, name: str, *, aside: bool) -> None:
    """Let a step wait, or take it up again. Raises `InvalidField`, `DatabaseBusy`."""
    if name not in MAY_WAIT:
        raise InvalidField("step", f"want one of {', '.join(sorted(MAY_WAIT))}")
    async with deps.db.begin() as tx:
        if aside:
            await chosen.note(tx, f"{ASIDE}{name}", "{}", deps.now())
        else:
            await chosen.forget_note(tx, f"{ASIDE}{name}")
    deps.signals.wake("live")


def _done(is_done: bool, *, begun: bool = False) -> Stand:  # noqa: FBT001 - its one word
    return Stand.DONE if is_done else Stand.BEGUN if begun else Stand.OPEN


async def _address(tx: Tx, deps: Deps) -> Stand:
    if deps.settings.http.public_url is None:
        return Stand.OPEN
    look = await reached.last_look(tx)
    seen = look is not None and look.url == deps.settings.public_url and _is_enough(deps, look)
    return _done(seen, begun=True)


def _is_enough(deps: Deps, look: reached.Look) -> bool:
    """This machine's own address is enough for providers that are simulated on it."""
    simulated = deps.settings.simulated.mpesa or deps.settings.simulated.sms
    return look.verdict == reached.OURS or bool(simulated and look.verdict == reached.THIS_MACHINE)


async def _mpesa(tx: Tx, deps: Deps, notes: dict[str, SetupNoteRow]) -> Stand:
    told = deps.settings.mpesa
    if told is None:
        return Stand.OPEN
    order_id = first_shilling.order_of(notes)
    same = bool(order_id) and json.loads(notes[first_shilling.NOTE].told)["shortcode"] in {
        told.shortcode, told.till,
    }  # fmt: skip
    came = same and await setup_facts.state_of(tx, order_id) == PaymentState.SETTLED
    return _done(came, begun=True)


async def _sms(tx: Tx, deps: Deps, notes: dict[str, SetupNoteRow]) -> Stand:
    if deps.settings.sms is None:
        return Stand.OPEN
    row = await setup_facts.message(tx, first_sms.about_of(notes))
    return _done(row is not None and row.state == sms.SENT, begun=True)


async def _backups(tx: Tx, deps: Deps, notes: dict[str, SetupNoteRow]) -> Stand:
    recipient = keys.recipient_of(deps.settings.state_dir, deps.settings.backup.recipient)
    made = await backups.last_success(tx)
    kept = not must_confirm(recipient, notes)
    return _done(bool(recipient) and kept and made is not None, begun=bool(recipient))


def must_confirm(recipient: str, notes: dict[str, SetupNoteRow]) -> bool:
    """Whether the recovery key was made on screen, and nobody has shown that they kept it."""
    row = notes.get(KEY_NOTE)
    if row is None:
        return False
    told = json.loads(row.told)
    made_here = {told["recipient"], told.get("before", "")}
    return bool(recipient) and recipient in made_here and not told["kept"]
