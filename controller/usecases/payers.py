"""Whose money moves: the subscribers that a verb names, locked before anything is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.store import payers

if TYPE_CHECKING:
    from controller.store.database import Tx
    from controller.store.rows import SubscriberRow


class SubscriberUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such subscriber. ``field`` is how the verb calls the one who was named."""

    def __init__(self, named: str, *, field: str = "subscriber") -> None:
        super().__init__(f"there is no subscriber {named[:40]}")
        self.field = field


async def locked(tx: Tx, msisdn_or_id: str, *, field: str = "subscriber") -> SubscriberRow:
    """The subscriber who is named by phone or id, locked. Raises `SubscriberUnknown`."""
    found = await payers.id_of(tx, msisdn_or_id)
    if found is None:
        raise SubscriberUnknown(msisdn_or_id, field=field)
    return (await payers.locked(tx, found))[found]


async def both_locked(tx: Tx, one: str, other: str) -> tuple[SubscriberRow, SubscriberRow]:
    """Two subscribers, locked in the order of their ids. Raises `SubscriberUnknown`.

    They are named as ``source`` and ``target`` in refusals.
    """
    first, second = await payers.id_of(tx, one), await payers.id_of(tx, other)
    if first is None:
        raise SubscriberUnknown(one, field="source")
    if second is None:
        raise SubscriberUnknown(other, field="target")
    rows = await payers.locked(tx, first, second)
    return rows[first], rows[second]
