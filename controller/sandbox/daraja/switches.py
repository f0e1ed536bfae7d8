"""The faults of money that nobody pushed for: the menu, the lists, the statement. PURE.

Each has two sentences, as all faults have: what a real network does, and what should be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Switch:
    """One fault as people see it. ``seconds`` tells a duration from an on/off switch."""

    name: str
    title: str
    real: str
    seen: str
    seconds: bool = False


MENU_SWITCHES: Mapping[str, tuple[Switch, ...]] = {
    "The confirmation, which says that money came to the PayBill": (
        Switch(
            "confirm_lost",
            "Confirmation lost",
            "A confirmation is tried once. If our line is down just then, it never comes.",
            "Credited some minutes later: the product pulls the list of what came.",
        ),
        Switch(
            "confirm_doubled",
            "Confirmation twice",
            "The same confirmation is posted again right after the first.",
            "One receipt, one credit.",
        ),
        Switch(
            "confirm_ten_at_once",
            "Ten confirmations at once",
            "A retrying proxy on the way multiplies one confirmation, all in the same instant.",
            "One receipt, one credit.",
        ),
        Switch(
            "confirm_forged",
            "Confirmation forged",
            "With each payment, a stranger confirms ten times as much that never came.",
            "Above the set limit it is doubted: M-PESA's own list does not know that receipt.",
        ),
        Switch(
            "confirm_late_s",
            "Confirmation late",
            "Confirmations wait in queues like everything else.",
            "Credited when the list is pulled; the late confirmation changes nothing.",
            seconds=True,
        ),
        Switch(
            "confirm_before_callback",
            "Confirmation before the callback",
            "A push is confirmed as well, and the confirmation overtakes the callback.",
            "Online at once; the callback, which has the same receipt, changes nothing.",
        ),
        Switch(
            "urls_taken",
            "Addresses already registered",
            "A live shortcode takes addresses once; each further time it answers 500.",
            "Nothing odd: it counts as registered.",
        ),
    ),
    "The payer at the menu": (
        Switch(
            "account_mistyped",
            "Account mistyped",
            "The payer leaves out one character of the account number.",
            "The money waits as unmatched; staff are shown whose it may be.",
        ),
        Switch(
            "account_lower",
            "Account in small letters",
            "The payer types the account number in small letters.",
            "Credited as if it were in capitals.",
        ),
        Switch(
            "account_spaced",
            "Account with spaces and a dash",
            "The payer types the account number with spaces and a dash.",
            "Credited as if there were none.",
        ),
        Switch(
            "account_letters",
            "O for 0, I for 1",
            "The payer reads zero as the letter O and one as the letter I.",
            "Credited if exactly one account fits; else it waits as unmatched.",
        ),
        Switch(
            "payer_hashed",
            "Number hashed",
            "Version 1 tells the SHA-256 of the payer's number.",
            "The account number decides; the number is only compared.",
        ),
        Switch(
            "payer_plain",
            "Number in full",
            "Old contracts still tell the whole number.",
            "Credited by account number all the same.",
        ),
    ),
    "The list, which is pulled for what we may have missed": (
        Switch(
            "pull_lag_s",
            "Behind by",
            "A payment stands in the list only some minutes after it was made.",
            "Credited when the list has it: each pull looks further back than the one before.",
            seconds=True,
        ),
        Switch(
            "pull_misses_rows",
            "Rows missing",
            "Some payments are never listed; nobody outside knows why.",
            "The statement finds them, and the day's reconciliation shows the difference.",
        ),
        Switch(
            "pull_request_id",
            "Answered with RequestID",
            "Some answers name themselves RequestID where others write ResponseRefID.",
            "Nothing odd.",
        ),
        Switch(
            "pull_only_get",
            "GET only",
            "The portal says GET, with a body; in practice POST works. Here only GET does.",
            "Nothing odd: it is asked the other way.",
        ),
    ),
    "What an initiator asks: status, reversal, payout, balance": (
        Switch(
            "result_lost",
            "Result lost",
            "The request is done, and its result never comes.",
            "Still checking; the status is asked, and nothing is paid out twice.",
        ),
        Switch(
            "result_late_s",
            "Result late",
            "Results wait in queues like everything else.",
            "Still checking until it comes, and then done once.",
            seconds=True,
        ),
        Switch(
            "result_doubled",
            "Result twice",
            "The same result is posted again right after the first.",
            "One refund, booked once.",
        ),
        Switch(
            "result_timeout",
            "Queue timeout",
            "The request waits too long in M-PESA's queue and is dropped; only that is told.",
            "Not done yet: staff see it, and it can be asked again.",
        ),
        Switch(
            "result_text_code",
            "Result code as text",
            'Some results write "0" where others write 0.',
            "Nothing odd.",
        ),
        Switch(
            "result_no_parameters",
            "Result without parameters",
            "A success comes with nothing but its code.",
            "A refund is done. A status without amount credits nobody: it is asked again.",
        ),
        Switch(
            "result_single_object",
            "One parameter only",
            "Where a list is usual, a single object stands.",
            "A refund is done. A status without amount credits nobody: it is asked again.",
        ),
        Switch(
            "initiator_role",
            "Role missing",
            "The initiator was not given the role for this request: code 21.",
            "Staff are told which role is missing; nothing moved.",
        ),
        Switch(
            "initiator_locked",
            "Credential locked",
            "The initiator's password ran out after 90 days, or was wrong too often: 8006.",
            "Staff are told to have it unlocked; nothing moved.",
        ),
        Switch(
            "initiator_busy",
            "Initiator's spike arrest",
            "Too many requests in one moment are turned away.",
            "Asked again a little later, under the same name.",
        ),
        Switch(
            "initiator_no_answer",
            "Request taken, never answered",
            "The request is taken, but Daraja's answer is lost.",
            "Asked again under the same name, which M-PESA knows: nothing is paid out twice.",
        ),
        Switch(
            "payout_unregistered",
            "Payee without M-PESA",
            "The number that is paid has no M-PESA of its own: code 2040.",
            "The refund waits for staff; nothing moved.",
        ),
    ),
    "The statement of the organisation portal": (
        Switch(
            "statement_missing_day",
            "Day missing",
            "The file has its head and its columns, and not one row.",
            "The day's reconciliation says that the statement knows none of our money.",
        ),
        Switch(
            "statement_doubled",
            "Rows doubled",
            "Two exports overlap and were put together: each row stands there twice.",
            "Nothing odd: each receipt is booked once.",
        ),
        Switch(
            "statement_drops_columns",
            "Columns dropped",
            "Some exports leave out columns.",
            "Nothing odd: receipt, time and amounts suffice.",
        ),
    ),
    "The standing order, which pays by itself": (
        Switch(
            "order_no_funds",
            "No money when it comes due",
            "The order comes due on an empty wallet. M-PESA tells the payer, and nobody else.",
            "The invoice stays open and is asked for in the usual way.",
        ),
        Switch(
            "order_lost",
            "Agreement never told",
            "The payer agreed, and the callback that says so never comes.",
            "The first payment of the order, with its account number, is credited all the same.",
        ),
        Switch(
            "order_other_case",
            "Keys in the other case",
            "Samples differ: a success has small keys in one, capital ones in another.",
            "Nothing odd.",
        ),
    ),
    "The network's clock": (
        Switch(
            "clock_ahead_s",
            "Clock ahead by",
            "M-PESA's clock and ours differ by minutes.",
            "Nothing odd: money is found by receipt, and pulls reach beyond the present.",
            seconds=True,
        ),
        Switch(
            "clock_behind_s",
            "Clock behind by",
            "M-PESA's clock and ours differ by minutes.",
            "Nothing odd: money is found by receipt, and pulls overlap.",
            seconds=True,
        ),
    ),
}
