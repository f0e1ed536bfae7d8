"""The audit log as it is kept: notes beside what rows say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.store.collecting import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.store.collecting import Collected
    from controller.store.database import Tx


def note(
    tx: Tx,
    code: str,
    about: tuple[str, str] | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    result: str = "done",
) -> None:
    """Say in this transaction's audit row what no row of the database says.

    ``about`` is the kind and id of the object meant. Values are plain JSON, and never secrets. What
    nobody of the staff does is not noted (`controller.acting.acting` says who acts).
    """
    collected: Collected | None = tx.info.get(INFO)
    if collected is not None:
        told = {"note": code, "about": list(about or ()), "before": before, "after": after}
        collected.note(told, result)
