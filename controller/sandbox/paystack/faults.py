"""What can go wrong with cards, as switches. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from controller.sandbox.switches import Switch


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults are on. False and 0 are a good day."""

    push_refused: bool = False
    push_no_answer: bool = False
    push_html_502: bool = False
    push_too_many: bool = False
    query_fails: bool = False
    query_lags: bool = False
    charge_wants_holder: bool = False
    charge_token_expired: bool = False
    charge_no_answer: bool = False
    card_not_reusable: bool = False
    event_lost: bool = False
    event_late_s: int = 0
    event_doubled: bool = False
    event_out_of_order: bool = False
    event_replayed: bool = False
    event_tampered: bool = False
    event_unsigned: bool = False
    event_foreign_currency: bool = False
    refund_refused: bool = False
    refund_no_answer: bool = False
    refund_stays_open: bool = False
    refund_fails_later: bool = False


SWITCHES = (
    Switch(
        "push_refused",
        "Page refused",
        "The secret key was changed in the dashboard and not here.",
        "Told that it is our fault and nothing was charged.",
    ),
    Switch(
        "push_no_answer",
        "Page opened, never answered",
        "The page exists, but nobody has learnt its address.",
        "Still checking; a new attempt opens a new page.",
    ),
    Switch(
        "push_html_502",
        "502 with a web page",
        "A gateway on the way fails and answers with HTML.",
        "Still checking, so nobody says failed.",
    ),
    Switch(
        "push_too_many",
        "Too many requests",
        "Paystack throttles.",
        "The card provider is slow now; nothing was charged.",
    ),
    Switch(
        "query_fails",
        "Verify down",
        "The verify door answers 500.",
        "The event alone decides; without it, still checking.",
    ),
    Switch(
        "query_lags",
        "Verify lags",
        "Verify still says ongoing for a while after the payment.",
        "Nothing odd: it is asked again.",
    ),
    Switch(
        "charge_wants_holder",
        "Bank wants the holder",
        "The bank asks for 3-D Secure when a stored card is charged.",
        "The subscriber gets a link to confirm; nothing is cut off before the due day.",
    ),
    Switch(
        "charge_token_expired",
        "Stored card expired",
        "The authorisation is not good any more.",
        "Told to store a card again; the invoice stays open.",
    ),
    Switch(
        "charge_no_answer",
        "Charged, never answered",
        "The card was charged, but the answer is lost.",
        "Charged once: it is asked for by our own reference.",
    ),
    Switch(
        "card_not_reusable",
        "Card not reusable",
        "The bank gives no authorisation for later.",
        "Paid; paying automatically is not offered with this card.",
    ),
    Switch(
        "event_lost",
        "Event lost",
        "The event never comes.",
        "Online a little later: the product asks by itself.",
    ),
    Switch(
        "event_late_s",
        "Event late",
        "Events wait in queues.",
        "Nothing odd: verify was faster.",
        seconds=True,
    ),
    Switch(
        "event_doubled",
        "Event twice",
        "The same event is posted again right after the first.",
        "One payment, one grant.",
    ),
    Switch(
        "event_out_of_order",
        "Out of order",
        "An event is overtaken by the next one.",
        "Nothing odd.",
    ),
    Switch(
        "event_replayed",
        "Replayed",
        "A stranger posts a true old event again, signature and all.",
        "Nothing is credited a second time.",
    ),
    Switch(
        "event_tampered",
        "Tampered",
        "The amount in the event is changed on the way.",
        "It is not believed; verify finds the true payment.",
    ),
    Switch(
        "event_unsigned",
        "Unsigned",
        "A stranger posts an event without a signature.",
        "It is not believed.",
    ),
    Switch(
        "event_foreign_currency",
        "Another currency",
        "The event tells the same figure in another currency.",
        "It is not believed; staff see why.",
    ),
    Switch(
        "refund_refused",
        "Refund refused",
        "The balance with Paystack is too small.",
        "The refund stays open with its reason; staff see it.",
    ),
    Switch(
        "refund_no_answer",
        "Refund taken, never answered",
        "The refund is under way, but the answer is lost.",
        "Given back once: it is found again by our own id.",
    ),
    Switch(
        "refund_stays_open",
        "Refund pending",
        "Banks take up to ten working days.",
        "Shown as on its way.",
    ),
    Switch(
        "refund_fails_later",
        "Refund fails later",
        "The payer's bank sends the money back.",
        "The refund is shown as refused, and the books say so.",
    ),
)
