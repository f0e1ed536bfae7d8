"""What can go wrong with Airtel Money, as switches. PURE."""

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
    push_duplicate: bool = False
    refusals_as_400: bool = False
    enquiry_ambiguous: bool = False
    enquiry_lags: bool = False
    enquiry_fails: bool = False
    callback_lost: bool = False
    callback_late_s: int = 0
    callback_doubled: bool = False
    callback_before_answer: bool = False
    callback_hashed: bool = False
    callback_lies: bool = False
    token_life_s: int = 0
    token_wrong: bool = False
    token_as_number: bool = False
    token_fails: bool = False
    key_changes: bool = False
    refund_refused: bool = False
    refund_no_answer: bool = False


SWITCHES = (
    Switch(
        "push_refused",
        "Push refused",
        "The application may not collect for this payee, for example before it is approved.",
        "Told that it is our fault and nothing was charged; staff see the code.",
    ),
    Switch(
        "push_no_answer",
        "Taken, never answered",
        "The prompt is on the phone, but the answer is lost.",
        "Pay on the phone, and be online: the payment is asked for by our own id.",
    ),
    Switch(
        "push_html_502",
        "502 with a web page",
        "A gateway on the way fails and answers with HTML.",
        "Still checking: it may have been taken, so nobody says failed.",
    ),
    Switch(
        "push_too_many",
        "Too many requests",
        "The gateway throttles.",
        "Airtel is slow now; nothing was charged.",
    ),
    Switch(
        "push_duplicate",
        "Taken, and called a duplicate",
        "A proxy sends the push twice: we hear the answer to the second, ESB000041.",
        "One prompt, one payment; still checking until it is asked for.",
    ),
    Switch(
        "refusals_as_400",
        "Refusals with status 400",
        "Some countries refuse with HTTP 200, others with 400.",
        "Nothing odd.",
    ),
    Switch(
        "enquiry_ambiguous",
        "Always ambiguous",
        "The enquiry answers TA for ever, also after the payer has paid.",
        "Still checking, then staff look; the callback alone credits nothing.",
    ),
    Switch(
        "enquiry_lags",
        "In progress, then paid",
        "The first two enquiries after the payment still say TIP.",
        "Online a little later.",
    ),
    Switch(
        "enquiry_fails",
        "Enquiry down",
        "The enquiry answers 500.",
        "Still checking until it is back.",
    ),
    Switch(
        "callback_lost",
        "Callback lost",
        "The callback never comes.",
        "Online a little later: the product asks by itself.",
    ),
    Switch(
        "callback_late_s",
        "Callback late",
        "Callbacks wait in queues.",
        "Nothing odd: the enquiry was faster.",
        seconds=True,
    ),
    Switch(
        "callback_doubled",
        "Callback twice",
        "The same callback is posted again right after the first.",
        "One payment, one grant.",
    ),
    Switch(
        "callback_before_answer",
        "Callback before the answer",
        "The payer is fast and the answer to the push is slow.",
        "Online at once; the late answer changes nothing.",
    ),
    Switch(
        "callback_hashed",
        "Callback with a hash",
        "With callback authentication turned on in the portal a hash is added.",
        "Nothing odd.",
    ),
    Switch(
        "callback_lies",
        "Callback says paid when it was not",
        "A stranger who knows the one address posts a success.",
        "No free internet: a callback only makes the product ask.",
    ),
    Switch(
        "token_life_s",
        "Token dies after",
        "A token lives 180 s, and sometimes less than it says.",
        "Nothing odd: a new one is fetched once.",
        seconds=True,
    ),
    Switch(
        "token_wrong",
        "Token never taken",
        "The product is not enabled: each token is turned away.",
        "Told that it is our fault and nothing was charged.",
    ),
    Switch(
        "token_as_number",
        "Token's life as a number",
        'Some countries write 7200, others "180".',
        "Nothing odd.",
    ),
    Switch(
        "token_fails",
        "Token door closed",
        "The token door answers 500.",
        "Airtel is slow now; nothing was charged.",
    ),
    Switch(
        "key_changes",
        "Signing key changes",
        "Airtel replaces its key before the old one ends.",
        "Nothing odd: the new key is fetched once.",
    ),
    Switch(
        "refund_refused",
        "Refund refused",
        "The merchant's account has too little.",
        "The refund stays open with its reason; staff see it.",
    ),
    Switch(
        "refund_no_answer",
        "Refund done, never answered",
        "The money went back, but the answer is lost.",
        "The refund is not sent twice; staff look in the portal.",
    ),
)
