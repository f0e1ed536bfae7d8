"""The life of a payment. PURE.

A payment is an attempt to collect. What a provider says is *evidence*; the rule below says where it
leads. Three sentences hold throughout:

- an unknown outcome is never called failed;
- ``settled`` is final: only a reversal, which is another transaction, undoes money;
- late success is honoured: every state but ``settled`` may still become ``settled``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PaymentState(StrEnum):
    """Where an attempt to collect stands."""

    CREATED = "created"  # written down, nothing sent yet
    SENT = "sent"  # the push may or may not have reached the provider
    PENDING = "pending"  # the provider took it; the payer is being asked
    UNKNOWN = "unknown"  # asked for long enough; only reconciliation can tell now
    REFUSED = "refused"  # the provider said no (wrong PIN, cancelled, no balance …)
    EXPIRED = "expired"  # nothing was ever sent to the provider
    SETTLED = "settled"  # the provider says that the money is ours


class Evidence(StrEnum):
    """What was learned about a payment."""

    PUSHING = "pushing"  # about to send the push
    ACCEPTED = "accepted"  # the provider took the push
    NOT_SENT = "not_sent"  # certain: the push never left, or was rejected as a whole
    NO_ANSWER = "no_answer"  # the push timed out or broke: it may have been taken
    STILL_OPEN = "still_open"  # the provider is still asking the payer
    REFUSED = "refused"  # the provider's final no
    PAID = "paid"  # the provider's yes
    GAVE_UP = "gave_up"  # our patience ended without an answer


class OrderStage(StrEnum):
    """Where an order stands, as a customer may be told."""

    QUEUED = "queued"  # not yet at the controller (link down or slow); nothing was charged
    PROMPTED = "prompted"  # the prompt is on, or on its way to, the payer's phone
    CHECKING = "checking"  # the outcome is unknown; never call this failed
    REFUSED = "refused"  # final as known now: not paid; a `Reason` says why
    EXPIRED = "expired"  # nothing was sent to the provider, nothing was charged
    PAID = "paid"  # money is in the ledger; access follows by itself


class Reason(StrEnum):
    """Why an order was refused; the portal's text tables turn it into a sentence."""

    NO_BALANCE = "no_balance"  # the payer's account has too little
    CANCELLED = "cancelled"  # the payer said no
    NO_REPLY = "no_reply"  # the phone did not answer in time
    WRONG_PIN = "wrong_pin"
    LINE_BUSY = "line_busy"  # another request to this phone is open; wait a minute
    PROVIDER_SLOW = "provider_slow"  # the provider's own trouble; try again soon
    LIMIT = "limit"  # an amount or daily limit of the payer or the provider
    ACCOUNT = "account"  # the payer's account cannot do this
    OUR_SIDE = "our_side"  # our configuration is wrong; staff have been told
    PLAN_UNKNOWN = "plan_unknown"  # the plan is no longer sold
    TOO_OFTEN = "too_often"  # this phone was asked many times and never paid; wait an hour
    TOO_LATE = "too_late"  # the order reached the controller too late to push


_S = PaymentState
_E = Evidence
_MOVES: dict[tuple[PaymentState, Evidence], PaymentState] = {
    (_S.CREATED, _E.PUSHING): _S.SENT,
    (_S.CREATED, _E.GAVE_UP): _S.EXPIRED,
    (_S.SENT, _E.ACCEPTED): _S.PENDING,
    (_S.SENT, _E.NOT_SENT): _S.REFUSED,
    (_S.SENT, _E.GAVE_UP): _S.UNKNOWN,
    (_S.SENT, _E.REFUSED): _S.REFUSED,
    (_S.PENDING, _E.GAVE_UP): _S.UNKNOWN,
    (_S.PENDING, _E.REFUSED): _S.REFUSED,
    (_S.UNKNOWN, _E.ACCEPTED): _S.PENDING,
    (_S.UNKNOWN, _E.REFUSED): _S.REFUSED,
}

_STAGES = {
    PaymentState.CREATED: OrderStage.PROMPTED,
    PaymentState.SENT: OrderStage.PROMPTED,
    PaymentState.PENDING: OrderStage.PROMPTED,
    PaymentState.UNKNOWN: OrderStage.CHECKING,
    PaymentState.REFUSED: OrderStage.REFUSED,
    PaymentState.EXPIRED: OrderStage.EXPIRED,
    PaymentState.SETTLED: OrderStage.PAID,
}


def stage(state: PaymentState) -> OrderStage:
    """What the customer may be told of a payment in ``state``."""
    return _STAGES[state]


@dataclass(frozen=True, slots=True)
class Move:
    """The state after a piece of evidence, and whether that is news."""

    state: PaymentState
    changed: bool


def moved(state: PaymentState, evidence: Evidence) -> Move:
    """Where ``evidence`` leads from ``state``. Evidence that says nothing new changes nothing."""
    if evidence is Evidence.PAID:
        return Move(PaymentState.SETTLED, changed=state is not PaymentState.SETTLED)
    target = _MOVES.get((state, evidence), state)
    return Move(target, changed=target is not state)
