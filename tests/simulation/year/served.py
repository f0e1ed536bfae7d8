"""Who was served when: what sites were told of grants, looked at after everything that happened.

This is the other side of the calendar: the days that are billed must be these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.year.naive import DAY, day_in_nairobi, midnight_in_nairobi
from tests.simulation.year.sight import moment

if TYPE_CHECKING:
    from datetime import date, datetime

    from tests.simulation.year.provider import Line
    from tests.simulation.year.sight import Sight

LOOK = """
    SELECT s.id, s.state, s.hold, s.paid_until,
           g.id IS NOT NULL AND g.ended_at IS NULL AND g.suspended_at IS NULL
    FROM subscription s LEFT JOIN "grant" g ON g.id = s.grant_id
"""


@dataclass(slots=True)
class Span:
    """From when on, and until when; None is still so."""

    since: datetime
    until: datetime | None = None


@dataclass(slots=True)
class History:
    """What was seen of a subscription. ``held`` is when it was suspended for a debt or by staff.

    ``anchors`` are the moments from which its periods are counted, ``plans`` since when it was
    agreed to be on which (with a bespoke price, or None), ``nexts`` since when which one was to
    follow at the next renewal.
    """

    line: Line
    anchors: list[datetime]
    plans: list[tuple[datetime, str, int | None]]
    nexts: list[tuple[datetime, str | None]] = field(default_factory=list)
    state: str = ""
    hold: str | None = None
    billed_until: datetime | None = None
    served: list[Span] = field(default_factory=list)
    held: list[Span] = field(default_factory=list)
    kept_rest: bool = False

    def plan_at(self, at: datetime, *, changed: bool) -> tuple[str, int | None]:
        """The plan of that moment, and its bespoke price: with what changed then, or before it."""
        known = [one for one in self.plans if one[0] < at or (changed and one[0] == at)]
        _, plan_id, bespoke = (known or self.plans)[-1 if known else 0]
        return plan_id, bespoke

    def next_at(self, at: datetime) -> str | None:
        """The plan that is to follow, as of that moment."""
        return next((plan_id for since, plan_id in reversed(self.nexts) if since < at), None)

    def agree(self, at: datetime, plan_id: str, bespoke: int | None = None) -> None:
        """It is on another plan from then on, and nothing else is to follow."""
        self.plans.append((at, plan_id, bespoke))
        self.nexts.append((at, None))
        self.plans.sort(key=lambda one: one[0])
        self.nexts.sort(key=lambda one: one[0])

    def days(self, spans: list[Span], upto: datetime) -> set[date]:
        """The days in Nairobi of which some spans have a part, those before ``upto`` alone."""
        found: set[date] = set()
        for span in spans:
            until = span.until or upto
            day = day_in_nairobi(span.since)
            last = day_in_nairobi(until)
            while day < last or (day == last and span.since < until and _begun(until)):
                found.add(day)
                day += DAY
        return found


def _begun(until: datetime) -> bool:
    return (until.hour, until.minute, until.second, until.microsecond) != (21, 0, 0, 0)


@dataclass(slots=True)
class Witness:
    """Looks at the grants, and remembers.

    ``fell`` and ``lapsed`` are subscriptions that were suspended since they were last asked for.
    """

    histories: dict[str, History] = field(default_factory=dict)
    fell: list[str] = field(default_factory=list)
    lapsed: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)

    def look(self, sight: Sight, now: datetime, subscriber: str | None = None) -> None:
        """See who is served now; of one subscriber alone where only that one's can have changed."""
        if subscriber is None:
            found = sight.tuples(LOOK)
        else:
            found = sight.tuples(f"{LOOK} WHERE s.subscriber_id = ?", subscriber)
        for row in found:
            self._note(*row, now=now)

    def _note(
        self,
        name: str,
        state: str,
        hold: str | None,
        paid_until: Any,
        passes: Any,
        *,
        now: datetime,
    ) -> None:
        one = self.histories[name]
        assert (state == "active") == bool(passes), f"{name} is {state}, its grant passes: {passes}"
        one.billed_until = moment(paid_until)
        if (state, hold) == (one.state, one.hold):
            return
        self.changed.add(name)
        if hold == "debt" and one.hold != "debt":
            self.fell.append(name)
        if hold == "unpaid":
            self.lapsed.append(name)
        if one.hold == "unpaid" and state == "active":
            day_counts = one.line.rhythm.by_days
            one.anchors.append(midnight_in_nairobi(day_in_nairobi(now)) if day_counts else now)
        _turn(one.served, now, on=state == "active", was=one.state == "active")
        _turn(one.held, now, on=_is_held(state, hold), was=_is_held(one.state, one.hold))
        one.state, one.hold = state, hold


def _is_held(state: str, hold: str | None) -> bool:
    return state == "suspended" and hold in {"debt", "staff"}


def _turn(spans: list[Span], now: datetime, *, on: bool, was: bool) -> None:
    if on and not was:
        spans.append(Span(now))
    if was and not on:
        spans[-1].until = now
