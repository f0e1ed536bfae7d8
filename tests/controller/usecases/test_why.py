"""Why a customer is not online: which link is named, in tables; and what it says, in sentences."""

from __future__ import annotations

from datetime import datetime, timedelta
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest

from billing.money import Money
from controller.store.billing_rows import SubscriptionRow
from controller.store.payment_rows import ArrivalRow
from controller.store.site_rows import SiteItemRow
from controller.usecases.subscribers import must_find
from controller.usecases.why import (
    Answer,
    Case,
    ContractFact,
    GrantFact,
    LinkFact,
    Mark,
    PaymentFact,
    SessionFact,
    ToldFact,
    answered,
)
from controller.usecases.why_facts import why
from controller.usecases.why_words import SAYS
from tests.support.office import (
    NOON,
    Office,
    a_grant,
    a_payment,
    a_plan,
    a_session,
    a_site,
    a_subscriber,
    office,
)

if TYPE_CHECKING:
    from controller.store.rows import Row

__all__ = ["office"]

MAC = "02:00:00:00:00:01"
MARKS = {Mark.RIGHT: "ok", Mark.WRONG: "NO", Mark.UNKNOWN: "?"}


def before(seconds: int) -> datetime:
    return NOON - timedelta(seconds=seconds)


def a_case(words: str) -> Case:
    """A case in words: each link of the chain as it is, right unless said otherwise."""
    said = dict(word.partition("=")[::2] for word in words.split())
    seen = int(said.get("heard", "4"))
    link = LinkFact("estate-1", "Estate 1", None if seen < 0 else before(seen))
    payment = PaymentFact(
        "a" * 32,
        "mpesa",
        said.get("pay", "settled"),
        Money(1_000),
        before(int(said.get("paid", "600"))),
        settled_at=before(int(said.get("paid", "600"))) if "pay" not in said else None,
        receipt="RKT12345X6",
        reason=said.get("reason"),
    )
    if "grant" in said and said["grant"] == "none":
        return Case("2 hours", payment, link=link)
    grant = GrantFact(
        "9" * 32,
        said.get("cause", "order"),
        before(int(said.get("given", "600"))),
        (MAC,),
        started_at=before(600),
        valid_until=NOON + timedelta(hours=1),
        ended_at=before(60) if "ended" in said else None,
        ended_reason=said.get("ended"),
        suspended_at=before(60) if "suspended" in said else None,
    )
    contract = None
    if "contract" in said:
        state, _, hold = said["contract"].partition("/")
        owed = Money(150_000) if hold in {"debt", "unpaid"} else None
        contract = ContractFact("c" * 32, state, hold or None, NOON, NOON, None, owed)
    generation = None if said.get("told") == "none" else int(said.get("told", "12"))
    session = None
    if said.get("session") != "none":
        closed = said.get("closed")
        session = SessionFact(
            "7" * 32,
            MAC,
            before(int(said.get("opened", "500"))),
            before(int(said.get("moved", "5"))),
            int(said.get("down", "5000000")),
            int(said.get("up", "100000")),
            closed_at=before(60) if closed else None,
            closed_reason=closed,
        )
    paid = None if said.get("cause", "order") != "order" or contract else payment
    told, login = ToldFact(generation, 12), said.get("login", "")
    return Case("2 hours", paid, contract, grant, told, session, link, login)


def found(answer: Answer) -> str:
    return " ".join(f"{MARKS[one.mark]}:{one.code}" for one in answer.findings)


# What is so; then, for payment, grant, generation, session, counters and link, what is found.
CHAIN = """
  all=right                        | ok:paid ok:granted_until ok:applied ok:open ok:moving ok:heard
  cause=staff                      | ok:given_by_staff ok:granted_until ok:applied ok:open ok:moving ok:heard
  cause=code                       | ok:given_by_code ok:granted_until ok:applied ok:open ok:moving ok:heard
  cause=free                       | ok:bought_free ok:granted_until ok:applied ok:open ok:moving ok:heard
  grant=none                       | ok:paid NO:paid_without_grant ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none paid=5                | ok:paid ?:grant_follows ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=pending           | NO:being_asked ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=unknown           | NO:unsure ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=expired           | NO:not_asked ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=refused reason=wrong_pin | NO:refused_wrong_pin ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=refused reason=of_theirs | NO:refused ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  grant=none pay=unplaced          | NO:unplaced ?:no_grant_yet ?:nothing_to_apply ?:no_session_possible ?:nothing_counted ok:heard
  contract=suspended/debt suspended=1   | NO:held_debt_amount NO:suspended ok:applied ok:open ok:moving ok:heard
  contract=suspended/unpaid ended=time  | NO:held_unpaid_amount NO:ended_time ok:applied ok:open ok:moving ok:heard
  contract=suspended/staff suspended=1  | ok:paid_until NO:held_staff ok:applied ok:open ok:moving ok:heard
  contract=paused suspended=1      | ok:paid_until NO:paused ok:applied ok:open ok:moving ok:heard
  ended=time told=none closed=time | ok:paid NO:ended_time ?:nothing_to_apply NO:closed_time ?:nothing_counted ok:heard
  ended=data told=none closed=data | ok:paid NO:ended_data ?:nothing_to_apply NO:closed_data ?:nothing_counted ok:heard
  ended=revoked closed=revoked     | ok:paid NO:ended_revoked ok:applied NO:closed_revoked ?:nothing_counted ok:heard
  suspended=1                      | ok:paid NO:suspended ok:applied ok:open ok:moving ok:heard
  told=none                        | ok:paid ok:granted_until NO:site_not_told ok:open ok:moving ok:heard
  told=13 session=none             | ok:paid ok:granted_until NO:not_applied NO:never_opened ?:nothing_counted ok:heard
  told=13 session=none given=5     | ok:paid ok:granted_until ?:being_applied NO:never_opened ?:nothing_counted ok:heard
  told=13 session=none heard=900   | ok:paid ok:granted_until NO:not_applied_silent ?:session_untold ?:nothing_counted NO:silent
  told=13 session=none heard=-1    | ok:paid ok:granted_until NO:not_applied_never ?:session_untold ?:nothing_counted NO:never_joined
  contract=active login=amina session=none | ok:paid_until ok:granted_until ok:applied NO:never_dialled ?:nothing_counted ok:heard
  contract=active login=amina closed=left | ok:paid_until ok:granted_until ok:applied NO:line_ended ?:nothing_counted ok:heard
  contract=active login=amina closed=time | ok:paid_until ok:granted_until ok:applied NO:closed_time ?:nothing_counted ok:heard
  session=none                     | ok:paid ok:granted_until ok:applied NO:never_opened ?:nothing_counted ok:heard
  closed=idle                      | ok:paid ok:granted_until ok:applied NO:closed_idle ?:nothing_counted ok:heard
  closed=of_a_newer_agent          | ok:paid ok:granted_until ok:applied NO:closed ?:nothing_counted ok:heard
  closed=idle heard=900            | ok:paid ok:granted_until ok:applied ?:session_untold ?:nothing_counted NO:silent
  moved=200                        | ok:paid ok:granted_until ok:applied ok:open NO:still ok:heard
  moved=119                        | ok:paid ok:granted_until ok:applied ok:open ok:moving ok:heard
  moved=120                        | ok:paid ok:granted_until ok:applied ok:open NO:still ok:heard
  down=0                           | ok:paid ok:granted_until ok:applied ok:open NO:only_up ok:heard
  down=0 up=0                      | ok:paid ok:granted_until ok:applied ok:open NO:no_byte ok:heard
  down=0 up=0 opened=9             | ok:paid ok:granted_until ok:applied ok:open ?:just_opened ok:heard
  heard=179                        | ok:paid ok:granted_until ok:applied ok:open ok:moving ok:heard
  heard=180                        | ok:paid ok:granted_until ok:applied ok:open ?:counters_untold NO:silent
  moved=900 heard=900              | ok:paid ok:granted_until ok:applied ok:open ?:counters_untold NO:silent
"""  # noqa: E501 - a table


@pytest.mark.parametrize("row", CHAIN.strip().splitlines())
def test_each_link_of_the_chain_is_found_as_it_is(row: str) -> None:
    case, expected = (part.strip() for part in row.split("|"))

    assert found(answered(a_case(case), NOON)) == expected


# The first link that is wrong, though later ones are wrong too, and online only with all right.
FIRST = """
  all=right                              -           online
  ended=time closed=time heard=900       grant       -
  told=13 session=none heard=900         generation  -
  closed=idle                            session     -
  down=0 opened=9                        -           -
  moved=200                              counters    -
  heard=900                              link        -
  contract=suspended/debt suspended=1    payment     -
"""


@pytest.mark.parametrize("row", FIRST.strip().splitlines())
def test_the_first_wrong_link_is_named(row: str) -> None:
    *words, step, online = row.split()
    answer = answered(a_case(" ".join(words)), NOON)

    assert "-" if answer.wrong is None else answer.wrong.step == step
    assert answer.is_online == (online == "online")


def test_who_has_nothing_was_never_paid_for() -> None:
    answer = answered(Case(""), NOON)

    assert answer.wrong is not None
    assert answer.wrong.code == "never_paid"


@pytest.mark.parametrize("row", CHAIN.strip().splitlines())
def test_every_sentence_is_whole_and_what_is_wrong_says_what_to_do(row: str) -> None:
    answer = answered(a_case(row.partition("|")[0]), NOON)

    for finding in answer.findings:
        assert finding.says.endswith(".")
        assert finding.mark is not Mark.WRONG or finding.to_do
        assert "{" not in finding.says + finding.to_do


def test_sentences_leave_open_only_what_a_case_fills_in() -> None:
    known = {"amount", "at", "ago", "receipt", "rail", "until", "id", "begins", "resumes", "plan"}
    known |= {"site", "ours", "theirs", "devices", "mac", "opened", "down", "up"}
    known |= {"ended", "suspended", "valid until", "login"}
    left_open = {
        name
        for both in SAYS.values()
        for text in both
        for _, name, _, _ in Formatter().parse(text)
        if name is not None
    }

    assert left_open <= known


async def asked(office: Office, *rows: Row) -> list[Answer]:
    await office.keep(a_site(), a_plan(), a_subscriber(), *rows)
    async with office.deps.db.read() as tx:
        return await why(tx, await must_find(tx, "0712345678"), office.clock())


def an_item(generation: int = 12, grant_id: str = "9" * 32) -> SiteItemRow:
    return SiteItemRow(
        site_id="estate-1", key=f"grant/{grant_id}", generation=generation, body=b"x"
    )


def an_arrival(**fields: Any) -> ArrivalRow:
    usual = {
        "rail": "mpesa",
        "receipt": "RKT9999999",
        "place": "600111",
        "amount_minor": 5_000,
        "currency": "KES",
        "at": before(60),
        "seen_at": before(60),
        "roads": "c2b",
        "state": "suspense",
    }
    return ArrivalRow(id="b" * 32, **{**usual, **fields})


def a_subscription(**fields: Any) -> SubscriptionRow:
    usual = {
        "subscriber_id": "5" * 32,
        "plan_id": "hours-2",
        "site_id": "estate-1",
        "devices": "",
        "mode": "arrears",
        "cycle_unit": "month",
        "cycle_count": 1,
        "anchor_at": before(86_400),
        "state": "active",
        "state_at": before(86_400),
        "created_at": before(86_400),
        "grant_id": "9" * 32,
    }
    return SubscriptionRow(id="e" * 32, **{**usual, **fields})


async def test_a_customer_who_is_online_has_a_whole_chain(office: Office) -> None:
    order = a_payment(created_at=before(3_600), settled_at=before(3_600))
    grant = a_grant(cause_id="a" * 32)
    (answer,) = await asked(office, order, grant, a_session(), an_item())

    assert found(answer) == "ok:paid ok:granted ok:applied ok:open ok:moving ok:heard"
    assert [one.value for one in answer.findings[0].evidence if one.name == "receipt"] == [
        order.receipt
    ]


async def test_a_customer_who_never_bought_is_told_so(office: Office) -> None:
    (answer,) = await asked(office)

    assert found(answer).startswith("NO:never_paid")


async def test_a_try_to_pay_that_failed_stands_before_a_grant_of_long_ago(office: Office) -> None:
    old = a_grant(ended_at=before(60), ended_reason="time", created_at=before(9_000))
    order = a_payment(
        state="refused", reason="cancelled", settled_at=None, receipt=None, created_at=before(30)
    )
    (answer,) = await asked(office, old, order)

    assert answer.wrong is not None
    assert answer.wrong.code == "refused_cancelled"


async def test_money_that_nobody_could_place_is_found_by_the_phone(office: Office) -> None:
    (answer,) = await asked(office, an_arrival(reference="0712345678"))

    assert answer.wrong is not None
    assert (answer.wrong.code, answer.wrong.words["receipt"]) == ("unplaced", "RKT9999999")


async def test_a_grant_that_ended_is_shown_when_nothing_newer_is_there(office: Office) -> None:
    over = a_grant(ended_at=before(60), ended_reason="time")
    (answer,) = await asked(office, over, a_session(closed_at=before(60), closed_reason="time"))

    assert answer.wrong is not None
    assert answer.wrong.code == "ended_time"


async def test_a_grant_that_ended_long_ago_explains_nothing(office: Office) -> None:
    (answer,) = await asked(
        office, a_grant(ended_at=NOON - timedelta(days=31), ended_reason="time")
    )

    assert found(answer).startswith("NO:never_paid")


async def test_staffs_gift_and_a_standing_contract_are_each_answered(office: Office) -> None:
    contract = a_subscription(state="suspended", hold="staff")
    gift = a_grant("8" * 32, cause_id="staff:8")
    rows = (a_grant(cause_id="sub:e:1"), gift, contract, an_item(grant_id="8" * 32), an_item())
    first, second = await asked(office, *rows, a_session(grant_id="8" * 32))

    assert (first.wrong is not None and first.wrong.code) == "held_staff"
    assert found(second) == "ok:given_by_staff ok:granted ok:applied ok:open ok:moving ok:heard"


async def test_a_session_at_another_site_is_looked_for_there(office: Office) -> None:
    far = a_site("estate-2", name="Estate 2", last_seen_at=before(900))
    grant = a_grant(cause_id="staff:9")
    (answer,) = await asked(office, far, grant, a_session(site_id="estate-2"), an_item())

    assert answer.findings[-1].code == "silent"
    assert answer.case.link is not None
    assert answer.case.link.site_id == "estate-2"


async def test_a_customer_without_a_contract_may_have_had_one(office: Office) -> None:
    over = a_grant(cause_id="sub:e:1", ended_at=before(60), ended_reason="revoked")
    (answer,) = await asked(office, over, a_subscription(state="ended"))

    assert answer.wrong is not None
    assert answer.wrong.code == "contract_ended"
