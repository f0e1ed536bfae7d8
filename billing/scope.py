"""For what, for whom, where and when a promotion is. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from billing import written
from billing.errors import InvalidField
from billing.plan import ID_SHAPE
from billing.price import SEGMENT_SHAPE

if TYPE_CHECKING:
    from datetime import datetime

LISTED_MAX = 100


@dataclass(frozen=True, slots=True)
class Scope:
    """An empty list is every one.

    It holds from ``from_at`` up to, and without, ``until_at``; None is no bound.
    """

    plans: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    from_at: datetime | None = None
    until_at: datetime | None = None


def covers(scope: Scope, *, plan_id: str, segment: str, branch_id: str, at: datetime) -> bool:
    """Whether a scope is of this plan, segment and branch at this moment."""
    return (
        (not scope.plans or plan_id in scope.plans)
        and (not scope.segments or segment in scope.segments)
        and (not scope.branches or branch_id in scope.branches)
        and (scope.from_at is None or scope.from_at <= at)
        and (scope.until_at is None or at < scope.until_at)
    )


def check_scope(scope: Scope) -> None:
    """Raise `InvalidField` for the first part of a scope that cannot be."""
    lists = (
        ("plans", scope.plans, ID_SHAPE),
        ("segments", scope.segments, SEGMENT_SHAPE),
        ("branches", scope.branches, ID_SHAPE),
    )
    for name, listed, shape in lists:
        if len(listed) > LISTED_MAX or len(set(listed)) < len(listed):
            raise InvalidField(f"scope.{name}", f"want at most {LISTED_MAX}, and none twice")
        if not all(shape.fullmatch(each) for each in listed):
            raise InvalidField(f"scope.{name}", "one of them cannot be a name")
    for name, at in (("from_at", scope.from_at), ("until_at", scope.until_at)):
        if at is not None and at.tzinfo is None:
            raise InvalidField(f"scope.{name}", "want an instant with its time zone")
    if scope.from_at and scope.until_at and scope.until_at <= scope.from_at:
        raise InvalidField("scope.until_at", "want an instant after the first")


def scope_written(scope: Scope) -> dict[str, Any]:
    """A scope as JSON holds it."""
    return {
        "plans": list(scope.plans),
        "segments": list(scope.segments),
        "branches": list(scope.branches),
        "from_at": scope.from_at.isoformat() if scope.from_at else None,
        "until_at": scope.until_at.isoformat() if scope.until_at else None,
    }


def read_scope(value: object, where: str) -> Scope:
    """The scope that JSON holds. Raises `InvalidField` naming what is wrong with it."""
    scope = written.an_object(value, where)
    written.only(scope, ("plans", "segments", "branches", "from_at", "until_at"), where)
    return Scope(
        plans=written.words(scope, "plans", where),
        segments=written.words(scope, "segments", where),
        branches=written.words(scope, "branches", where),
        from_at=written.maybe_instant(scope, "from_at", where),
        until_at=written.maybe_instant(scope, "until_at", where),
    )
