"""Settings that are chosen on screen: all faults before anything is kept, then taken over.

What was chosen holds from the next start of each controller; `ChoiceWatch` makes that now.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from billing.errors import InvalidField
from controller import choices
from controller.config import ConfigFaults, settled
from controller.rails import mpesa_settings
from controller.store import chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.config import Settings
    from controller.deps import Deps
    from controller.store.chosen_rows import ChosenRow

log = structlog.get_logger("choices")

Chosen = dict[str, Any]

TURN = "begins_anew"
TURN_LASTS = timedelta(seconds=30)
"""A busy machine may need twenty seconds to begin anew; who needs more is not waited for."""


async def choose(deps: Deps, wanted: Mapping[str, str | None]) -> Settings:
    """Keep choices, by ``section.key``; None lets the usual hold again. What would hold then.

    A key that is not named stays as it was. Raises `ConfigFaults` with every fault, each naming its
    key, before anything is kept; `DatabaseBusy`.
    """
    assert choices.CHOOSABLE.issuperset(wanted), "only what may be chosen is asked for"
    async with deps.db.begin() as tx:
        rows = await chosen.every(tx)
        before = choices.opened(rows, deps.vault)
        settings = checked(deps, _changed(before, wanted))
        await _keep(tx, deps, before, wanted)
    deps.signals.wake("live")
    return settings


async def would_be(deps: Deps, wanted: Mapping[str, str | None]) -> Settings:
    """What would hold, were this chosen. Raises `ConfigFaults` as `choose` does."""
    async with deps.db.read() as tx:
        before = choices.opened(await chosen.every(tx), deps.vault)
    return checked(deps, _changed(before, wanted))


async def to_be(deps: Deps) -> Settings:
    """The settings that hold once what is kept now is taken over; those that hold if it cannot."""
    async with deps.db.read() as tx:
        rows = await chosen.every(tx)
    if chosen.mark_of(rows) == deps.choices.mark:
        return deps.settings
    try:
        return checked(deps, choices.opened(rows, deps.vault))
    except ConfigFaults:
        return deps.settings


def checked(deps: Deps, told: Chosen) -> Settings:
    """The settings with these choices, if a controller would start with them.

    Raises `ConfigFaults`.
    """
    fixed = deps.choices.fixed
    keys = [f"{section}.{key}" for section, values in told.items() for key in values]
    settings = settled(fixed, told)
    try:
        if settings.mpesa is not None:
            mpesa_settings(settings.mpesa, public_url=settings.public_url)
    except InvalidField as fault:
        raise ConfigFaults([f"mpesa.{fault.field}: {fault.problem}"]) from fault
    assert settings.chosen <= set(keys)
    return settings


def refuse_fixed(deps: Deps, wanted: Mapping[str, object]) -> None:
    """Raise `ConfigFaults` for keys that something outside the database fixes."""
    faults = [
        f"{key}: is set in {by}, and changed there" for key in wanted
        if (by := deps.choices.fixed.by(key))
    ]  # fmt: skip
    if faults:
        raise ConfigFaults(faults)


def _changed(before: Chosen, wanted: Mapping[str, str | None]) -> Chosen:
    told = {section: dict(values) for section, values in before.items()}
    for name, value in wanted.items():
        section, _, key = name.partition(".")
        if value is None:
            told.get(section, {}).pop(key, None)
        else:
            told.setdefault(section, {})[key] = value
    return {section: values for section, values in told.items() if values}


async def _keep(tx: Any, deps: Deps, before: Chosen, wanted: Mapping[str, str | None]) -> None:
    now = deps.now()
    for name, value in wanted.items():
        section, _, key = name.partition(".")
        if value is None or before.get(section, {}).get(key) == value:
            continue
        if choices.is_secret(name):
            await chosen.put(tx, name, sealed=deps.vault.seal(value.encode()), now=now)
        else:
            await chosen.put(tx, name, value=json.dumps(value), now=now)
    await chosen.forget(tx, [name for name, value in wanted.items() if value is None])


class ChoiceWatch:
    """Notices that other choices are kept than those with which this controller began.

    It waits for one more look, so that whoever made the choice is answered first, and for choices
    that cannot hold here (another controller's file allows them, ours does not) it stays as it is.
    Controllers of one database begin anew one after another: each waits for its turn.
    """

    def __init__(self, take_over: Callable[[], object], *, holder: str) -> None:
        """``take_over`` has the controller begin anew; ``holder`` is what tells it from others."""
        self._take_over = take_over
        self._holder = holder
        self._seen = ""
        self._refused = ""

    async def look(self, deps: Deps) -> int:
        """Look once; 1 when they are taken over."""
        async with deps.db.read() as tx:
            rows = await chosen.every(tx)
        mark = chosen.mark_of(rows)
        if mark in {deps.choices.mark, self._refused}:
            return 0
        if mark != self._seen:
            self._seen = mark
            return 0
        if not self._holds(deps, rows):
            self._refused = mark
            return 0
        async with deps.db.begin() as tx:
            if not await chosen.take_turn(tx, TURN, self._holder, deps.now(), lasts=TURN_LASTS):
                return 0
        log.info("choices_taken_over", keys=" ".join(row.name for row in rows))
        self._take_over()
        return 1

    def _holds(self, deps: Deps, rows: list[ChosenRow]) -> bool:
        try:
            checked(deps, choices.opened(rows, deps.vault))
        except ConfigFaults as faults:
            log.error("choices_refused", faults="; ".join(faults.faults))  # noqa: TRY400 - a sentence
            return False
        return True


async def began_anew(deps: Deps, *, holder: str) -> None:
    """Let the next controller begin anew, when this one did and its doors are open again."""
    async with deps.db.begin() as tx:
        await chosen.end_turn(tx, TURN, holder)


async def is_taken_over(deps: Deps) -> bool:
    """Whether this controller runs with the choices that are kept now."""
    async with deps.db.read() as tx:
        return chosen.mark_of(await chosen.every(tx)) == deps.choices.mark
