"""The life of a subscription. PURE.

What happens by itself (billing, money, dunning) moves a subscription or says nothing new to it;
what somebody asks for moves it, is so already, or is refused with the reason. ``ended`` is final.

A subscription is suspended for one reason at a time, its hold. Staff's own goes before the others:
only staff lift it. Who lifts one looks again at once at what is owed and what is to be billed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from billing.errors import (
    BillingRefusal,
    SubscriptionEnded,
    SubscriptionNotStarted,
    SubscriptionPaused,
    SubscriptionSuspended,
)


class State(StrEnum):
    """Where a subscription stands."""

    PENDING = "pending"  # agreed on; begins later
    ACTIVE = "active"  # served
    SUSPENDED = "suspended"  # not served, for the reason in its hold
    PAUSED = "paused"  # not served and not billed, by the subscriber's wish
    ENDED = "ended"  # for good


class Hold(StrEnum):
    """Why a subscription is suspended."""

    DEBT = "debt"  # an invoice is overdue; what is owed ends it
    UNPAID = "unpaid"  # prepaid: the wallet does not hold the next period's price
    STAFF = "staff"  # somebody decided it


class Event(StrEnum):
    """What happens to a subscription."""

    START = "start"  # its first day has come
    BILLED = "billed"  # a period was invoiced and, when prepaid, paid
    LAPSE = "lapse"  # prepaid: the wallet did not hold the price
    OVERDUE = "overdue"  # dunning came to its suspension
    STAFF_SUSPEND = "staff_suspend"
    PAID = "paid"  # nothing is overdue any more
    STAFF_RESUME = "staff_resume"  # also for a debt: staff trust the subscriber
    PAUSE = "pause"
    RESUME = "resume"  # after a pause
    END = "end"


@dataclass(frozen=True, slots=True)
class Move:
    """Where an event leads, and whether that is news. Only a suspended one has a hold."""

    state: State
    hold: Hold | None
    changed: bool


_E = Event
_Place = tuple[State, Hold | None]
_PENDING: _Place = (State.PENDING, None)
_ACTIVE: _Place = (State.ACTIVE, None)
_DEBT: _Place = (State.SUSPENDED, Hold.DEBT)
_UNPAID: _Place = (State.SUSPENDED, Hold.UNPAID)
_STAFF: _Place = (State.SUSPENDED, Hold.STAFF)
_PAUSED: _Place = (State.PAUSED, None)
_ENDED: _Place = (State.ENDED, None)

_MOVES: dict[tuple[_Place, Event], _Place] = {
    (_PENDING, _E.START): _ACTIVE,
    (_PENDING, _E.BILLED): _ACTIVE,
    (_PENDING, _E.LAPSE): _UNPAID,
    (_ACTIVE, _E.LAPSE): _UNPAID,
    (_ACTIVE, _E.OVERDUE): _DEBT,
    (_ACTIVE, _E.STAFF_SUSPEND): _STAFF,
    (_ACTIVE, _E.PAUSE): _PAUSED,
    (_DEBT, _E.PAID): _ACTIVE,
    (_DEBT, _E.STAFF_SUSPEND): _STAFF,
    (_DEBT, _E.STAFF_RESUME): _ACTIVE,
    (_UNPAID, _E.BILLED): _ACTIVE,
    (_UNPAID, _E.STAFF_SUSPEND): _STAFF,
    (_STAFF, _E.STAFF_RESUME): _ACTIVE,
    (_PAUSED, _E.RESUME): _ACTIVE,
    **{(place, _E.END): _ENDED for place in (_PENDING, _ACTIVE, _DEBT, _UNPAID, _STAFF, _PAUSED)},
}

_BY_STAFF = (_E.STAFF_SUSPEND, _E.STAFF_RESUME)
_PAUSES = (_E.PAUSE, _E.RESUME)
_REFUSED: dict[tuple[_Place, Event], tuple[type[BillingRefusal], str]] = {
    **{
        (_ENDED, event): (SubscriptionEnded, "it has ended; a new one can be made")
        for event in (_E.START, *_BY_STAFF, *_PAUSES)
    },
    **{
        (_PENDING, event): (SubscriptionNotStarted, "it has not begun")
        for event in (*_BY_STAFF, *_PAUSES)
    },
    **{
        (_PAUSED, event): (SubscriptionPaused, "it is paused; it can be resumed or ended")
        for event in _BY_STAFF
    },
    **{
        (place, event): (SubscriptionSuspended, f"it is suspended ({place[1]})")
        for place in (_DEBT, _UNPAID, _STAFF)
        for event in _PAUSES
    },
    (_UNPAID, _E.STAFF_RESUME): (
        SubscriptionSuspended,
        "its next period is not paid; money in the wallet resumes it",
    ),
}
"""What nobody can ask for, and the refusal that says so."""


@lru_cache(256)
def moved(state: State, hold: Hold | None, event: Event) -> Move:
    """Where ``event`` leads from ``state``. What says nothing new changes nothing.

    Raises `SubscriptionEnded`, `SubscriptionNotStarted`, `SubscriptionSuspended` or
    `SubscriptionPaused` when that state cannot do what somebody asks for.
    """
    assert (state is State.SUSPENDED) == (hold is not None), "only a suspension has a reason"
    place = (state, hold)
    if (place, event) in _REFUSED:
        refusal, why = _REFUSED[place, event]
        raise refusal(why)
    to_state, to_hold = _MOVES.get((place, event), place)
    return Move(to_state, to_hold, changed=(to_state, to_hold) != place)
