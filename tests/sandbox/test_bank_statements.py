"""What the simulated bank writes, the importer reads: every format, from the same movements.

The two sides share no code.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import Money
from billing.reconciling import Way
from controller.payments.statements import (
    StatementUnreadable,
    read_profile,
    read_statement,
)
from controller.sandbox.bank.camt import write_camt
from controller.sandbox.bank.movements import Account, Faults, Movement, What
from controller.sandbox.bank.mt940 import write_mt940
from controller.sandbox.bank.tables import (
    LEDGER_PROFILE,
    TELLER_PROFILE,
    write_ledger,
    write_portal,
    write_teller,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.payments.statements import Profile, Statement, StatementLine

HERE = timezone(timedelta(hours=3))
MONDAY = datetime(2026, 11, 23, 10, 15, 2, tzinfo=HERE)

FORMATS: dict[str, tuple[Callable[[Account], bytes], Profile | None]] = {
    "mt940": (write_mt940, None),
    "camt 02": (lambda account: write_camt(account, "02"), None),
    "camt 08": (lambda account: write_camt(account, "08"), None),
    "portal": (write_portal, None),
    "ledger": (write_ledger, read_profile(LEDGER_PROFILE)),
    "teller": (write_teller, read_profile(TELLER_PROFILE)),
}
WAYS = {
    What.PAID: Way.IN,
    What.FEE: Way.CHARGE,
    What.TAKEN_BACK: Way.REVERSAL,
    What.WITHDRAWN: Way.OUT,
}

formats = pytest.mark.parametrize("form", FORMATS)


def read(form: str, account: Account) -> Statement:
    write, profile = FORMATS[form]
    return read_statement(write(account), name=f"{form}.txt", profile=profile)


def three_days() -> Account:
    """Two payments with a fee, a quiet day between, a withdrawal, and a payment after it."""
    return Account(
        "01100000000001",
        4_821_000,
        (
            Movement(
                MONDAY, What.PAID, 150_000, "UGE5L8M3RZ", "0712 345 678", "254700000001", "ANNE B"
            ),
            Movement(MONDAY, What.FEE, 825, "UGE5L8M3RZ"),
            Movement(
                MONDAY + timedelta(hours=1),
                What.PAID,
                100_050,
                "UGE6A1B2C3",
                "INV-main-000007",
                "2547 ***** 126",
                "WANJIKU",
            ),
            Movement(MONDAY + timedelta(days=1), What.WITHDRAWN, 4_000_000, "UGF1X2Y3Z4"),
            Movement(
                MONDAY + timedelta(days=3),
                What.PAID,
                5_000,
                "UGH7K2Q0XD",
                "ISP10023",
                "254711000002",
                "O & M < Co",
            ),
        ),
    )


def seen_by(line: StatementLine) -> tuple[object, ...]:
    day = line.at.astimezone(HERE).date()
    return day, line.kind, line.amount, line.receipt, line.reference, line.payer


def meant_by(movement: Movement) -> tuple[object, ...]:
    receipt = movement.undoes or movement.receipt
    way, amount = WAYS[movement.what], Money(movement.cents)
    return movement.day, way, amount, receipt, movement.typed, movement.phone


@formats
def test_every_movement_is_read_as_it_was_meant(form: str) -> None:
    account = three_days()
    statement = read(form, account)

    assert [seen_by(line) for line in statement.lines] == [meant_by(m) for m in account.movements]
    assert statement.opening == Money(4_821_000)
    assert statement.closing == Money(4_821_000 + sum(m.change for m in account.movements))
    assert (statement.since, statement.until) == (date(2026, 11, 23), date(2026, 11, 26))


@formats
def test_the_account_and_the_rail_are_known(form: str) -> None:
    account = three_days()
    statement = read(form, replace(account, number="600111" if form == "portal" else "0110000001"))
    named = {"portal": ("mpesa", "600111"), "teller": ("bank", "")}

    assert (statement.rail, statement.place) == named.get(form, ("bank", "0110000001"))


@formats
def test_money_that_was_taken_back_names_what_it_was(form: str) -> None:
    account = three_days().with_taken_back(
        "UGE5L8M3RZ", MONDAY + timedelta(days=3, hours=1), "UGH9R9R9R9"
    )
    last = read(form, account).lines[-1]

    assert (last.kind, last.receipt, last.amount) == (Way.REVERSAL, "UGE5L8M3RZ", Money(150_000))


@formats
def test_a_file_that_stands_twice_in_itself_is_read_once(form: str) -> None:
    account = three_days()

    assert read(form, replace(account, faults=Faults(doubled=True))) == read(form, account)


@formats
def test_a_day_that_is_missing_is_found(form: str) -> None:
    account = three_days()
    with pytest.raises(StatementUnreadable) as refused:
        read(form, replace(account, faults=Faults(missing_day=date(2026, 11, 24))))

    assert refused.value.field in {"balance", "60F", "Bal"}


@formats
def test_a_line_has_the_same_fingerprint_in_every_file_that_has_it(form: str) -> None:
    account = three_days()
    whole = read(form, account).lines
    first_day = [m for m in account.movements if m.day == date(2026, 11, 23)]
    part = read(form, replace(account, movements=tuple(first_day))).lines

    assert [line.fingerprint for line in part] == [line.fingerprint for line in whole[: len(part)]]
    assert len({line.fingerprint for line in whole}) == len(whole)


def test_the_formats_of_one_bank_agree_on_fingerprints() -> None:
    account = three_days()
    found = {tuple(line.fingerprint for line in read(f, account).lines) for f in FORMATS}

    assert len(found) == 1


moments = st.integers(0, 8 * 86_400).map(lambda later: MONDAY + timedelta(seconds=later))
receipts = st.from_regex(r"U[A-Z0-9]{8}[0-9]", fullmatch=True)
payments = st.builds(
    Movement,
    moments,
    st.just(What.PAID),
    st.integers(1, 10**9),
    receipts,
    st.sampled_from(["0712345678", "INV-main-000001", "K7PQ2M9XWT4H", ""]),
    st.sampled_from(["254700000001", "2547 ***** 126"]),
    st.sampled_from(["ANNE WANJIKU", "O'Brien", 'A; B, "C"']),
)
others = st.builds(
    Movement, moments, st.sampled_from([What.FEE, What.WITHDRAWN]), st.integers(1, 10**9), receipts
)
accounts = st.builds(
    Account,
    st.just("01100000000001"),
    st.integers(-(10**10), 10**10),
    st.lists(payments | others, min_size=1, max_size=9).map(
        lambda found: tuple(sorted(found, key=lambda m: m.at))
    ),
)


@formats
@settings(max_examples=40, deadline=None)
@given(account=accounts)
def test_whatever_happened_is_read_as_it_was_meant(form: str, account: Account) -> None:
    statement = read(form, account)

    assert [seen_by(line) for line in statement.lines] == [meant_by(m) for m in account.movements]
