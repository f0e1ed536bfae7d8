"""A business of two branches, each with one of everything that belongs to a branch."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from controller.store.alert_rows import AlertRow, AreaNoticeRow, MaintenanceRow
from controller.store.billing_rows import (
    DebtRow,
    DocumentLineRow,
    DocumentRow,
    NumberSeriesRow,
    PriceRow,
    ReceivedRow,
    SubscriptionRow,
)
from controller.store.code_rows import DoubleRedemptionRow, TokenKeyRow, TokenRow
from controller.store.payment_rows import ArrivalRow, MandateRow, RefundRow
from controller.store.rows import SmsRow
from controller.usecases.frozen import Buyer, Seller, frozen
from tests.support.office import (
    NOON,
    a_grant,
    a_notice,
    a_payment,
    a_plan,
    a_session,
    a_site,
    a_subscriber,
)
from tests.support.staff import a_branch

if TYPE_CHECKING:
    from controller.store.rows import Row
    from tests.support.office import Office

HERE, THERE = "thika", "nakuru"
KINDS = (
    "subscriber",
    "subscription",
    "document",
    "price",
    "grant",
    "token",
    "payment",
    "received",
    "arrival",
    "refund",
    "mandate",
    "alert",
    "maintenance",
    "area_notice",
    "session",
)


def _ids(branch: str, digit: str) -> dict[str, str]:
    named = {kind: f"{n:x}{digit * 31}" for n, kind in enumerate(KINDS)}
    return {
        **named,
        "branch": branch,
        "site": f"site-{branch}",
        "msisdn": f"25471200000{digit}",
        "plan_id": "hours-2",
        "pool_id": "none",
    }


IDS = {HERE: _ids(HERE, "1"), THERE: _ids(THERE, "2")}
"""What each branch has, by kind."""


async def two_branches(office: Office) -> None:
    """Keep both branches and all that they have."""
    await office.keep(a_plan(), a_branch(HERE), a_branch(THERE))
    for branch, ids in IDS.items():
        await office.keep(*_of(branch, ids))


def _of(branch: str, ids: dict[str, str]) -> list[Row]:
    site, subscriber, digit = ids["site"], ids["subscriber"], ids["grant"][-1]
    whose = a_subscriber(subscriber, ids["msisdn"])
    whose.branch_id = branch
    owned: dict[str, Any] = {"site_id": site, "subscriber_id": subscriber}
    grant_id, first = ids["grant"], digit * 32
    return [
        a_site(site, branch_id=branch),
        whose,
        a_payment(ids["payment"], **owned, msisdn=ids["msisdn"]),
        a_grant(grant_id, **owned),
        a_grant(first, **owned),
        a_session(ids["session"], site_id=site, grant_id=grant_id),
        a_notice(f"c{digit * 31}", site_id=site),
        _token_key(site),
        _token(ids),
        _sms(ids),
        _double(ids, first),
        _price(ids),
        _subscription(ids),
        NumberSeriesRow(series=f"INV-{branch}", next_number=2),
        _document(ids),
        _line(ids),
        _debt(ids),
        _received(ids),
        _arrival(ids),
        _refund(ids),
        _mandate(ids),
        *_troubles(ids),
    ]


def _token_key(site: str) -> Row:
    return TokenKeyRow(
        site_id=site, number=0, sealed=b"x", next_serial=1, created_at=NOON, retired_at=None
    )


def _token(ids: dict[str, str]) -> Row:
    return TokenRow(
        id=ids["token"],
        site_id=ids["site"],
        key_number=0,
        serial=0,
        slot=0,
        plan_id="hours-2",
        subscriber_id=ids["subscriber"],
        issued_at=NOON,
    )


def _sms(ids: dict[str, str]) -> Row:
    return SmsRow(
        id=f"a{ids['grant'][1:]}",
        site_id=None,
        about="test",
        msisdn=ids["msisdn"],
        sealed=None,
        state="sent",
        created_at=NOON,
        due_at=None,
        good_until=None,
        sent_at=NOON,
    )


def _double(ids: dict[str, str], first: str) -> Row:
    return DoubleRedemptionRow(
        redemption_id=f"d{ids['grant'][1:]}",
        kind="voucher",
        code_name="a code",
        plan_id="hours-2",
        first_grant_id=first,
        grant_id=ids["grant"],
        site_id=ids["site"],
        found_at=NOON,
        amount_minor=1_000,
        currency="KES",
    )


def _price(ids: dict[str, str]) -> Row:
    return PriceRow(
        id=ids["price"],
        plan_id="hours-2",
        segment="",
        branch_id=ids["branch"],
        amount_minor=900,
        currency="KES",
        from_day=NOON.date().replace(day=1),
        until_day=None,
        created_at=NOON,
    )


def _subscription(ids: dict[str, str]) -> Row:
    return SubscriptionRow(
        id=ids["subscription"],
        subscriber_id=ids["subscriber"],
        plan_id="hours-2",
        next_plan_id=None,
        site_id=ids["site"],
        devices="",
        mode="prepaid",
        cycle_unit="month",
        cycle_count=1,
        anchor_day=None,
        anchor_at=NOON,
        bill_at=None,
        paid_until=None,
        price_minor=None,
        state="active",
        hold=None,
        state_at=NOON,
        resume_at=None,
        grant_id=None,
        created_at=NOON,
    )


def _document(ids: dict[str, str]) -> Row:
    return DocumentRow(
        id=ids["document"],
        kind="invoice",
        series=f"INV-{ids['branch']}",
        number=1,
        subscriber_id=ids["subscriber"],
        branch_id=ids["branch"],
        cause="test",
        issued_at=NOON,
        due_at=NOON,
        period_start=None,
        period_end=None,
        currency="KES",
        net_minor=1_000,
        excise_minor=0,
        vat_minor=0,
        total_minor=1_000,
        refers_to=None,
        frozen=frozen(_seller(ids["branch"]), Buyer("Wanjiku", "", "", ids["msisdn"]), ()),
    )


def _seller(branch: str) -> Seller:
    return Seller(branch.title(), "", branch, "01", "", "", "", "", "", "")


def _line(ids: dict[str, str]) -> Row:
    return DocumentLineRow(
        document_id=ids["document"],
        n=0,
        kind="plan",
        text="2 hours",
        account="income:main:plan:hours-2",
        subscription_id=None,
        plan_id="hours-2",
        tax_class="internet",
        excise_bp=0,
        vat_bp=0,
        net_minor=1_000,
        excise_minor=0,
        vat_minor=0,
        total_minor=1_000,
    )


def _debt(ids: dict[str, str]) -> Row:
    return DebtRow(
        document_id=ids["document"],
        subscriber_id=ids["subscriber"],
        due_at=NOON,
        open_minor=1_000,
        settled_at=None,
        step_at=None,
        promised_until=None,
    )


def _received(ids: dict[str, str]) -> Row:
    return ReceivedRow(
        id=ids["received"],
        subscriber_id=ids["subscriber"],
        branch_id=ids["branch"],
        rail="cash",
        place=ids["branch"],
        receipt=f"R{ids['branch']}",
        amount_minor=1_000,
        currency="KES",
        at=NOON,
        note="",
        reversed_at=None,
    )


def _arrival(ids: dict[str, str]) -> Row:
    return ArrivalRow(
        id=ids["arrival"],
        rail="mpesa",
        receipt=f"A{ids['branch']}",
        place="600111",
        amount_minor=1_000,
        currency="KES",
        at=NOON,
        seen_at=NOON,
        roads="callback",
        state="credited",
        order_id=ids["payment"],
        received_id=None,
        due_at=None,
        ask_token_hash=None,
    )


def _refund(ids: dict[str, str]) -> Row:
    return RefundRow(
        id=ids["refund"],
        arrival_id=ids["arrival"],
        rail="mpesa",
        amount_minor=1_000,
        currency="KES",
        reason="test",
        state="settled",
        provider_id=None,
        receipt=None,
        callback_token_hash=f"r{ids['branch']}",
        created_at=NOON,
        sent_at=NOON,
        settled_at=NOON,
        next_query_at=None,
    )


def _mandate(ids: dict[str, str]) -> Row:
    return MandateRow(
        id=ids["mandate"],
        subscriber_id=ids["subscriber"],
        kind="order",
        rail="mpesa",
        state="active",
        sealed=None,
        amount_minor=1_000,
        provider_id=None,
        callback_token_hash=None,
        consent="test",
        consented_at=NOON,
        created_at=NOON,
        ended_at=None,
        due_at=None,
    )


def _troubles(ids: dict[str, str]) -> list[Row]:
    """An alert that is raised, a maintenance window and a notice to an area."""
    site, words = ids["site"], {"text_en": "Soon", "text_sw": "Karibuni"}
    alert = AlertRow(
        id=ids["alert"],
        rule="site_silent",
        subject=site,
        site_id=site,
        state="raised",
        severity="warn",
        text="silent",
        told="{}",
        bad_at=NOON,
        raised_at=NOON,
        well_at=None,
        acked_at=None,
    )
    window = MaintenanceRow(
        id=ids["maintenance"],
        site_id=site,
        branch_id=None,
        from_at=NOON,
        until_at=NOON + timedelta(hours=1),
        ended_at=None,
        created_at=NOON,
        **words,
    )
    notice = AreaNoticeRow(
        id=ids["area_notice"],
        maintenance_id=None,
        site_id=site,
        branch_id=None,
        created_at=NOON,
        leaves_at=NOON + timedelta(hours=1),
        done_at=None,
        **words,
    )
    return [alert, window, notice]
