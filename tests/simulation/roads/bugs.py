"""Defences taken away, one each: a seed of the roads, or a named test, finds that it is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.simulation.bugs import PATIENCE_S, Bug, found, with_bug

if TYPE_CHECKING:
    from pathlib import Path

FIRST = tuple(range(1, 21))
FORGERY, USECASES = "tests/controller/api/test_forgery.py", "tests/controller/usecases"
BELIEF = "controller/usecases/belief.py"
EVIDENCE, SETTLE = "controller/usecases/evidence.py", "controller/usecases/settle.py"
ARRIVALS, REFUNDS = "controller/usecases/arrivals.py", "controller/usecases/refunds.py"

BUGS = (
    Bug(
        "a receipt that was told in lower case is another one",
        "controller/store/arrivals.py",
        "        seen.receipt.upper(),\n",
        "        seen.receipt + seen.road.value[:2],\n",
        FIRST,
    ),
    Bug(
        "a callback's amount is not compared",
        BELIEF,
        "    if outcome.amount not in (None, Money(payment.amount_minor, payment.currency)):\n",
        "    if outcome.amount is None and outcome.shortcode == '':\n",
        (10, *FIRST),
    ),
    Bug(
        "a callback's shortcode is not compared",
        BELIEF,
        "    if outcome.shortcode not in (None, payment.shortcode):\n",
        "    if outcome.shortcode == '':\n",
        (15, *FIRST),
    ),
    Bug(
        "a callback's name for the payment is not compared",
        BELIEF,
        "    if payment.provider_id not in (None, outcome.provider_id):\n",
        "    if payment.provider_id == '':\n",
        (10, *FIRST),
    ),
    Bug(
        "an unsigned callback is believed for any sum",
        BELIEF,
        "confirm_above_minor and trust is Trust.ADDRESS\n",
        "confirm_above_minor and trust is Trust.HINT\n",
        tests=(
            f"{USECASES}/test_arrivals.py::test_a_dear_callback_waits_for_the_provider_s_own_answer",
        ),
    ),
    Bug(
        "an unsigned confirmation is believed for any sum",
        ARRIVALS,
        "    return seen.road in UNSIGNED and seen.amount.minor > limit\n",
        "    return seen.road in UNSIGNED and seen.amount.minor > limit * 1_000\n",
        (4, *FIRST),
    ),
    Bug(
        "a card's event needs no signature",
        "controller/payments/paystack_wire.py",
        '    if not hmac.compare_digest(made.encode(), told.encode(errors="replace")):\n',
        "    if not made and not told:\n",
        tests=(
            "tests/controller/payments/test_paystack_wire.py::test_an_event_without_the_right_signature_is_nobodys",
        ),
    ),
    Bug(
        "a bank's notice needs no password",
        "controller/payments/bank_notice.py",
        '    if kind.lower() != "basic" or not is_ours:\n',
        '    if kind.lower() != "basic" and not is_ours:\n',
        tests=(f"{FORGERY}::test_a_notice_without_the_user_and_password_of_ours_brings_nothing",),
    ),
    Bug(
        "a bank's notice needs no signature",
        "controller/payments/bank_notice.py",
        "    except (InvalidSignature, binascii.Error, ValueError):\n"
        '        raise CallbackUnreadable("signature", "is not the bank\'s") from None\n',
        "    except (InvalidSignature, binascii.Error, ValueError):\n        return\n",
        tests=(f"{FORGERY}::test_a_notice_that_the_bank_did_not_sign_brings_nothing",),
    ),
    Bug(
        "a second payment of an order is taken for the first",
        EVIDENCE,
        "    told = next((one for one in mine if receipt in {None, one.receipt}), None)\n",
        "    told = next((one for one in mine if receipt != ''), None)\n",
        tests=(
            "tests/controller/usecases/test_settle.py::test_second_receipt_for_a_settled_payment_is_shown_and_credits_nothing",
        ),
    ),
    Bug(
        "money that was found by asking never gets its receipt",
        ARRIVALS,
        "    return same and payment.state == PaymentState.SETTLED and payment.receipt is None\n",
        "    return same and payment.state == PaymentState.REFUSED and payment.receipt is None\n",
        (10, *FIRST),
    ),
    Bug(
        "two rows of the same money are both booked",
        EVIDENCE,
        "    if found.state == SUSPENSE:\n        amount",
        "    if found.state == 'nowhere':\n        amount",
        tests=(
            "tests/controller/usecases/test_arrivals.py::test_money_that_waited_in_suspense_turns_out_to_be_the_order_s",
        ),
    ),
    Bug(
        "money that fits no order is not booked",
        ARRIVALS,
        "    await evidence.to_suspense_in(tx, arrival, now)\n    arrival.due_at = now\n"
        "    return Arrived(arrival.id, SUSPENSE, is_new), None\n",
        "    arrival.due_at = now\n    return Arrived(arrival.id, SUSPENSE, is_new), None\n",
        FIRST,
    ),
    Bug(
        "whoever writes the left-most address is whom we hear",
        "controller/api/source.py",
        '    for hop in reversed(forwarded.split(",")[-HOPS_MAX:]):\n',
        '    for hop in forwarded.split(",")[-HOPS_MAX:]:\n',
        tests=(f"{FORGERY}::test_only_what_our_own_proxies_wrote_says_who_asks",),
    ),
    Bug(
        "any proxy's word is taken",
        "controller/api/source.py",
        "    if peer not in proxies:\n        return peer\n",
        "",
        tests=(f"{FORGERY}::test_only_what_our_own_proxies_wrote_says_who_asks",),
    ),
    Bug(
        "a door opens to anybody",
        "controller/usecases/doors.py",
        "    return hmac.compare_digest(offered.encode(), secret_of(deps.vault, door).encode())\n",
        "    return len(offered) == len(secret_of(deps.vault, door))\n",
        tests=(f"{FORGERY}::test_a_door_opens_to_its_own_secret_only",),
    ),
    Bug(
        "money of another shortcode is taken for ours",
        "controller/usecases/paybill.py",
        "    return _at_home(deps.mpesa, seen) if seen.place in deps.mpesa.places else None\n",
        "    return _at_home(deps.mpesa, seen)\n",
        (9, *FIRST),
    ),
    Bug(
        "a result of another refund is taken for this one's",
        REFUNDS,
        "    if outcome.provider_id not in {None, row.provider_id} and ",
        "    if outcome.provider_id == '' and ",
        tests=(f"{FORGERY}::test_a_result_of_another_refund_says_nothing_of_ours",),
    ),
    Bug(
        "a refund whose answer was lost is never asked about",
        REFUNDS,
        "    assert arrival is not None\n    gateway = deps.rails.get(row.rail, NOBODY)\n",
        "    if row.provider_id is None:\n        return\n    assert arrival is not None\n"
        "    gateway = deps.rails.get(row.rail, NOBODY)\n",
        tests=(
            "tests/controller/usecases/test_refunds.py::test_when_its_answer_was_lost_too_it_is_found_by_our_own_id",
        ),
    ),
    Bug(
        "our own refund in the statement is no news of it",
        REFUNDS,
        "    if ours is not None:\n",
        "    if ours == '':\n",
        tests=(
            f"{USECASES}/test_refunds.py::test_a_refund_that_only_the_statement_tells_of_has_gone",
        ),
    ),
    Bug(
        "a push whose answer was never noted is never asked about",
        SETTLE,
        "        return payment.order_id if gateway.takes_our_name else None\n",
        "        return payment.order_id if gateway.rail == 'mpesa' else None\n",
        tests=(
            "tests/controller/usecases/test_settle.py::test_a_push_whose_answer_was_never_noted_is_asked_for_by_our_own_name",
        ),
    ),
    Bug(
        "at a Till what is found by asking is booked beside what came",
        EVIDENCE,
        "        if waiting is not None:\n",
        "        if waiting is not None and waiting.order_id is not None:\n",
        tests=(
            f"{USECASES}/test_arrivals.py::test_at_a_till_what_came_before_we_asked_is_not_booked_again",
        ),
    ),
)


def found_by_roads(bug: Bug, folder: Path) -> str:
    """By what the bug was found, in a line; "" when everything held with it."""
    if bug.tests:
        return found(bug, folder)
    with_bug(bug, folder)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation.roads", *map(str, bug.seeds)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{folder / 'proto'}", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    lines = [one for one in ran.stdout.splitlines() if one.startswith("seed ")]
    assert lines or "everything held" in ran.stdout, ran.stderr[-2_000:]
    return lines[-1] if lines else ""
