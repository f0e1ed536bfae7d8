"""What can go wrong on the way to the money, as switches. PURE.

Each has two sentences: what a real network does, and what the customer should see when the product
copes with it. Only what real networks and real forgers do is here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from controller.sandbox.daraja.switches import MENU_SWITCHES, Switch

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_MAX = 7_200
"""Two hours: the latest callback that integrators report."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults are on. False and 0 are a good day."""

    callback_late_s: int = 0
    callback_lost: bool = False
    callback_doubled: bool = False
    callback_ten_at_once: bool = False
    callback_before_answer: bool = False
    callback_wrong_amount: bool = False
    callback_wrong_shortcode: bool = False
    callback_forged: bool = False
    callback_text_code: bool = False
    callback_truncated: bool = False
    push_refused: bool = False
    push_html_502: bool = False
    push_no_answer: bool = False
    push_slow_s: int = 0
    push_spike_arrest: bool = False
    push_quota: bool = False
    push_busy: bool = False
    query_flaps: bool = False
    query_stays_open: bool = False
    query_disagrees: bool = False
    token_life_s: int = 0
    token_wrong: bool = False
    token_as_number: bool = False
    token_fails: bool = False
    line_busy_later: bool = False
    line_same_amount: bool = False
    confirm_lost: bool = False
    confirm_doubled: bool = False
    confirm_ten_at_once: bool = False
    confirm_forged: bool = False
    confirm_late_s: int = 0
    confirm_before_callback: bool = False
    urls_taken: bool = False
    account_mistyped: bool = False
    account_lower: bool = False
    account_spaced: bool = False
    account_letters: bool = False
    payer_hashed: bool = False
    payer_plain: bool = False
    pull_lag_s: int = 0
    pull_misses_rows: bool = False
    pull_request_id: bool = False
    pull_only_get: bool = False
    result_lost: bool = False
    result_late_s: int = 0
    result_doubled: bool = False
    result_timeout: bool = False
    result_text_code: bool = False
    result_no_parameters: bool = False
    result_single_object: bool = False
    initiator_role: bool = False
    initiator_locked: bool = False
    initiator_busy: bool = False
    initiator_no_answer: bool = False
    payout_unregistered: bool = False
    statement_missing_day: bool = False
    statement_doubled: bool = False
    statement_drops_columns: bool = False
    order_no_funds: bool = False
    order_lost: bool = False
    order_other_case: bool = False
    clock_ahead_s: int = 0
    clock_behind_s: int = 0
    sms_down: bool = False
    sms_bad_sender: bool = False
    sms_no_credit: bool = False
    sms_no_answer: bool = False
    sms_undelivered: bool = False
    sms_report_lost: bool = False
    sms_report_disorder: bool = False
    sms_code_spelt_right: bool = False


SWITCHES: Mapping[str, tuple[Switch, ...]] = {
    "The callback, which says that money came": (
        Switch(
            "callback_late_s",
            "Late",
            "Callbacks wait in queues; two hours have been seen.",
            "Nothing odd: the query finds the payment, and the late callback changes nothing.",
            seconds=True,
        ),
        Switch(
            "callback_lost",
            "Lost",
            "A callback is tried once. If our line is down just then, it never comes.",
            "Online a little later: the product asks by itself.",
        ),
        Switch(
            "callback_doubled",
            "Twice",
            "The same callback is posted again right after the first.",
            "One payment, one grant.",
        ),
        Switch(
            "callback_ten_at_once",
            "Ten at once",
            "A retrying proxy on the way multiplies one callback, all in the same instant.",
            "One payment, one grant.",
        ),
        Switch(
            "callback_before_answer",
            "Before the push is answered",
            "The payer is fast and the answer to the push is slow: the callback overtakes it.",
            "Online at once; the late answer changes nothing.",
        ),
        Switch(
            "callback_wrong_amount",
            "Wrong amount",
            "Someone who learnt the callback address posts another amount.",
            "The lie is put aside and staff see why; the query finds the true payment.",
        ),
        Switch(
            "callback_wrong_shortcode",
            "Wrong shortcode",
            "A callback meant for another merchant arrives here.",
            "It is put aside with its reason; the query finds the true payment.",
        ),
        Switch(
            "callback_forged",
            "Forged",
            "With each prompt, a stranger posts a success that he made up himself.",
            "No free internet: the prompt stays until the payer really answers.",
        ),
        Switch(
            "callback_text_code",
            "Code as text",
            'Some channels write "0" where others write 0.',
            "Nothing odd.",
        ),
        Switch(
            "callback_truncated",
            "Cut off",
            "The connection breaks half-way through the callback.",
            "Online a little later: the product asks by itself.",
        ),
    ),
    "The push, which asks the payer": (
        Switch(
            "push_refused",
            "Refused",
            "Daraja does not know the shortcode, for example before go-live is finished.",
            "Told that it is our fault and nothing was charged; staff see the code.",
        ),
        Switch(
            "push_html_502",
            "502 with a web page",
            "The gateway before Daraja fails and answers with HTML.",
            "Still checking: it may have been taken, so nobody says failed.",
        ),
        Switch(
            "push_no_answer",
            "Taken, never answered",
            "The prompt is on the phone, but Daraja's answer is lost.",
            "Pay on the phone, and be online by the callback alone.",
        ),
        Switch(
            "push_slow_s",
            "Slow",
            "At month's end an answer takes many seconds.",
            "The prompt comes and can be paid while the answer is still on its way.",
            seconds=True,
        ),
        Switch(
            "push_spike_arrest",
            "Spike arrest",
            "Too many requests in one moment are turned away.",
            "M-PESA is slow now; the same button again in a moment. Nothing was charged.",
        ),
        Switch(
            "push_quota",
            "Quota used up",
            "The contract's number of requests is reached.",
            "M-PESA is slow now. Nothing was charged.",
        ),
        Switch(
            "push_busy",
            "System busy",
            "Daraja itself is overloaded and says so.",
            "M-PESA is slow now. Nothing was charged.",
        ),
    ),
    "The query, which asks what became of it": (
        Switch(
            "query_flaps",
            "Every second answer is a 500",
            "The query door fails as often as it works.",
            "Nothing odd: it is asked again.",
        ),
        Switch(
            "query_stays_open",
            "Always still processing",
            "Code 4999 for ten minutes, also after the payer has paid.",
            "The callback alone decides; without it, still checking.",
        ),
        Switch(
            "query_disagrees",
            "Says no reply too early",
            "The query says 1037 while the payer is still typing, and then the money comes.",
            "Told that there was no reply, and online all the same once it is paid.",
        ),
    ),
    "The access token": (
        Switch(
            "token_life_s",
            "Dies early, after",
            "Another program fetched a token with the same key: ours is dead before its time.",
            "Nothing odd: a new one is fetched once.",
            seconds=True,
        ),
        Switch(
            "token_wrong",
            "Never taken",
            "The product is not enabled for this key: each token is called invalid.",
            "Told that it is our fault and nothing was charged.",
        ),
        Switch(
            "token_as_number",
            "Lifetime as a number",
            'The portal shows 3599, the field is "3599" in practice. Both happen.',
            "Nothing odd.",
        ),
        Switch(
            "token_fails",
            "Door closed",
            "The token door answers 500.",
            "M-PESA is slow now. Nothing was charged.",
        ),
    ),
    "The payer's line": (
        Switch(
            "line_busy_later",
            "Busy, told later",
            "A second prompt is accepted, and then refused by callback with 1001.",
            "Another M-PESA request is open; wait a minute.",
        ),
        Switch(
            "line_same_amount",
            "Same amount within two minutes",
            "The same payer and amount again within two minutes is refused with code 17.",
            "M-PESA is slow now; again later.",
        ),
    ),
    **MENU_SWITCHES,
    "The text message": (
        Switch(
            "sms_down",
            "Carrier down",
            "The SMS carrier answers 503.",
            "The code is on the page; the SMS comes as soon as the carrier is back.",
        ),
        Switch(
            "sms_bad_sender",
            "Sender not registered",
            "The carrier answers 201 and yet sends nothing: the sender id is wrong.",
            "The code is on the page; the SMS waits until staff have put it right.",
        ),
        Switch(
            "sms_no_credit",
            "No credit",
            "The prepaid account with the carrier is empty.",
            "The code is on the page; the SMS waits for credit.",
        ),
        Switch(
            "sms_no_answer",
            "Sent, never answered",
            "The message is out, but the carrier's answer is lost.",
            "The same SMS may come twice; never not at all.",
        ),
        Switch(
            "sms_undelivered",
            "Taken, not delivered",
            "The carrier took it, and reports later that the phone does not exist.",
            "Staff see failed beside the message.",
        ),
        Switch(
            "sms_report_lost",
            "Reports never come",
            "The carrier tells nothing of what became of a message.",
            "The message is shown as sent, and nothing is claimed beyond that.",
        ),
        Switch(
            "sms_report_disorder",
            "Reports out of order",
            "The report of an earlier step comes after the last one.",
            "Delivered stays delivered.",
        ),
        Switch(
            "sms_code_spelt_right",
            "The code spelt right",
            "Resellers' platforms misspell the key of their code (respose-code), but not all.",
            "Nothing odd: both are read.",
        ),
    ),
}


class BadFaults(Exception):  # noqa: N818 - a refusal, see style
    """Some switches were set to what they cannot be; ``faults`` says for each what it wants."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {wants}" for name, wants in faults.items()))
        self.faults = dict(faults)


def switched(faults: Faults, wanted: Mapping[str, object]) -> Faults:
    """``faults`` with all of the wanted changes. Raises `BadFaults` naming every wrong one."""
    durations = {
        f.name for f in fields(Faults) if isinstance(f.default, int) and f.default is not False
    }
    switches = {f.name for f in fields(Faults)} - durations
    wrong: dict[str, str] = {}
    for name, value in wanted.items():
        if name in durations:
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not 0 <= int(str(value)) <= SECONDS_MAX:
                wrong[name] = f"want whole seconds, 0 to {SECONDS_MAX:,}"
        elif name not in switches:
            wrong[name] = "there is no such switch"
        elif not isinstance(value, bool):
            wrong[name] = "want true or false"
    if wrong:
        raise BadFaults(wrong)
    checked: dict[str, Any] = dict(wanted)
    return replace(faults, **checked)
