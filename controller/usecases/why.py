"""Why is this customer not online? What was paid, given, applied, opened, counted, heard. PURE.

Access is a chain of six links, looked at in this order, for each thing that a customer has: the
payment, the grant, the generation that tells the site of it, the session, the kernel's counters,
and the site's link to us. The first that is wrong is named. What stands behind it is looked at all
the same, for it may explain it; what nothing can be said about yet is unknown, and never wrong.

Sentences are templates of plain English, with their words beside them, so that a page can say them
in another language: see `SAYS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.noc.text import ago, clock, minute, span, volume
from controller.usecases.why_words import SAYS

if TYPE_CHECKING:
    from billing.money import Money

MOVED_WITHIN = timedelta(seconds=120)
"""A site tells the count of a session that moves at least every minute."""

HEARD_WITHIN = timedelta(seconds=180)
"""A site reports at least every minute when it can; silent for so long, it is down."""

SETTLES_WITHIN = timedelta(seconds=20)
"""Access follows money, and a site applies what it is told, within a second or two."""

ENDED_SHOWN = timedelta(days=30)
"""What ended longer ago explains nothing to somebody who calls today."""

_SECOND = timedelta(seconds=1)


class Step(StrEnum):
    """The links of the chain, in the order in which they are looked at."""

    PAYMENT = "payment"
    GRANT = "grant"
    GENERATION = "generation"
    SESSION = "session"
    COUNTERS = "counters"
    LINK = "link"


class Mark(StrEnum):
    """How a link of the chain is found."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """The newest attempt to collect, or the money that a grant was bought with.

    ``state`` is a payment's own (``billing/payment.py``), or "unplaced" for money that came in and
    that nobody could place. ``reason`` is why it was refused.
    """

    id: str
    rail: str
    state: str
    amount: Money
    at: datetime
    settled_at: datetime | None = None
    receipt: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ContractFact:
    """A subscription: where it stands, and what brings it back (None: money holds nothing)."""

    id: str
    state: str
    hold: str | None
    begins_at: datetime
    paid_until: datetime | None
    resume_at: datetime | None
    to_pay: Money | None


@dataclass(frozen=True, slots=True)
class GrantFact:
    """A grant as it is kept here. ``cause`` is ``order``, ``subscription``, ``staff`` or ``code``.

    A limit that does not bind is None.
    """

    id: str
    cause: str
    created_at: datetime
    devices: tuple[str, ...]
    started_at: datetime | None = None
    valid_until: datetime | None = None
    ended_at: datetime | None = None
    ended_reason: str | None = None
    suspended_at: datetime | None = None
    used_bytes: int = 0
    quota_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ToldFact:
    """What the site was told of the grant; ``generation`` is None when it is not, or no more."""

    generation: int | None
    applied_generation: int


@dataclass(frozen=True, slots=True)
class SessionFact:
    """The newest session of a grant, as far as its site has reported."""

    id: str
    mac: str
    opened_at: datetime
    seen_at: datetime
    down_bytes: int
    up_bytes: int
    closed_at: datetime | None = None
    closed_reason: str | None = None


@dataclass(frozen=True, slots=True)
class LinkFact:
    """The site, and when it was last heard (None: it never reported)."""

    site_id: str
    name: str
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one thing that a customer has: a subscription, a grant, or a try to pay.

    ``name`` is the plan's. ``payment`` stands for what the grant was bought with, or the newest
    attempt. A case without a grant has no ``told`` and no ``session``. ``login`` is the name by
    which it is dialled in (PPPoE); "" where devices come by themselves.
    """

    name: str
    payment: PaymentFact | None = None
    contract: ContractFact | None = None
    grant: GrantFact | None = None
    told: ToldFact | None = None
    session: SessionFact | None = None
    link: LinkFact | None = None
    login: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that a finding rests on: an id, a number, or an instant."""

    name: str
    value: str | datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one link of the chain.

    ``code`` is a key of `SAYS`; ``words`` are what its sentences leave open.
    """

    step: Step
    mark: Mark
    code: str
    words: dict[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()

    @property
    def template(self) -> str:
        """What is so, in one English sentence that leaves its `words` open."""
        return SAYS[self.code][0]

    @property
    def to_do_template(self) -> str:
        """What to do about it, in the same way; "" for nothing."""
        return SAYS[self.code][1]

    @property
    def says(self) -> str:
        """What is so, in one English sentence."""
        return self.template.format(**self.words)

    @property
    def to_do(self) -> str:
        """What to do about it; "" for nothing."""
        return self.to_do_template.format(**self.words)


@dataclass(frozen=True, slots=True)
class Answer:
    """Why one thing that a customer has gives no access, or that it does.

    ``wrong`` is the first link that is wrong; None when all that is known is right.
    """

    case: Case
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> Finding | None:
        """The first link of the chain that is wrong."""
        return next((one for one in self.findings if one.mark is Mark.WRONG), None)

    @property
    def is_online(self) -> bool:
        """Whether every link is known to be right."""
        return all(one.mark is Mark.RIGHT for one in self.findings)


def answered(case: Case, now: datetime) -> Answer:
    """Look at every link of a case, in order."""
    return Answer(
        case,
        (
            _payment(case, now),
            _grant(case, now),
            _generation(case, now),
            _session(case, now),
            _counters(case, now),
            _link(case, now),
        ),
    )


def is_silent(link: LinkFact | None, now: datetime) -> bool:
    """Whether what a site told last is too old to be believed as the present."""
    return link is not None and (
        link.last_seen_at is None or now - link.last_seen_at >= HEARD_WITHIN
    )


def _payment(case: Case, now: datetime) -> Finding:
    step, contract = Step.PAYMENT, case.contract
    if contract is not None:
        return _contract_payment(contract, now)
    if case.payment is not None:
        return _one_payment(case, case.payment, now)
    cause = "" if case.grant is None else case.grant.cause
    if cause in {"staff", "code"}:
        return Finding(step, Mark.RIGHT, f"given_by_{cause}")
    if case.grant is not None:
        return Finding(step, Mark.RIGHT, "bought_free")
    return Finding(step, Mark.WRONG, "never_paid")


def _one_payment(case: Case, paid: PaymentFact, now: datetime) -> Finding:
    words = {"amount": str(paid.amount), "rail": paid.rail, "ago": ago(paid.at, now)}
    evidence = [Evidence("payment", paid.id), Evidence("asked", paid.at)]
    if paid.receipt:
        words["receipt"] = paid.receipt
        evidence.append(Evidence("receipt", paid.receipt))
    if paid.settled_at is not None:
        words["at"] = clock(paid.settled_at, now)
        evidence.append(Evidence("settled", paid.settled_at))

    mark, code = _outcome(case, paid)
    return Finding(Step.PAYMENT, mark, code, words, tuple(evidence))


_OUTCOMES = {
    "settled": (Mark.RIGHT, "paid"),
    "unplaced": (Mark.WRONG, "unplaced"),
    "refused": (Mark.WRONG, "refused"),
    "expired": (Mark.WRONG, "not_asked"),
    "unknown": (Mark.WRONG, "unsure"),
}
_ASKED = (Mark.WRONG, "being_asked")


def _outcome(case: Case, paid: PaymentFact) -> tuple[Mark, str]:
    if case.grant is not None:
        return Mark.RIGHT, "paid" if paid.settled_at else "granted_before_money"
    reasoned = f"{paid.state}_{paid.reason}"
    if reasoned in SAYS:
        return Mark.WRONG, reasoned
    return _OUTCOMES.get(paid.state, _ASKED)


def _contract_payment(contract: ContractFact, now: datetime) -> Finding:
    evidence = [Evidence("subscription", contract.id)]
    words = {}
    if contract.paid_until is not None:
        evidence.append(Evidence("paid until", contract.paid_until))
        words["until"] = minute(contract.paid_until, now)
    if contract.to_pay is not None:
        words["amount"] = str(contract.to_pay)
    money_holds = contract.state == "suspended" and contract.hold in {"debt", "unpaid"}
    if money_holds:
        wants = "" if contract.to_pay is None else "_amount"
        code = f"held_{contract.hold}{wants}"
        return Finding(Step.PAYMENT, Mark.WRONG, code, words, tuple(evidence))
    code = "paid_until" if contract.paid_until else "nothing_owed"
    return Finding(Step.PAYMENT, Mark.RIGHT, code, words, tuple(evidence))


_STOPPED = {
    ("suspended", "staff"): "held_staff",
    ("paused", None): "paused",
    ("pending", None): "not_begun",
    ("ended", None): "contract_ended",
}


def _grant(case: Case, now: datetime) -> Finding:
    grant, contract = case.grant, case.contract
    if grant is None and contract is not None:
        return _no_grant_of_contract(contract, now)
    if grant is None:
        return _no_grant_of_payment(case, now)
    words = {"plan": case.name}
    evidence = [Evidence("grant", grant.id), Evidence("given", grant.created_at)]
    if contract is not None:
        words |= _contract_words(contract, now)
    for name, at in (
        ("ended", grant.ended_at),
        ("suspended", grant.suspended_at),
        ("valid until", grant.valid_until),
    ):
        if at is not None:
            words[name] = minute(at, now)
            evidence.append(Evidence(name, at))
    if grant.quota_bytes is not None:
        used = f"{volume(grant.used_bytes)} of {volume(grant.quota_bytes)}"
        evidence.append(Evidence("used", used))
    mark, code = _standing(grant, contract)
    return Finding(Step.GRANT, mark, code, words, tuple(evidence))


def _standing(grant: GrantFact, contract: ContractFact | None) -> tuple[Mark, str]:
    stopped = None if contract is None else _STOPPED.get((contract.state, contract.hold))
    if stopped is not None:
        return Mark.WRONG, stopped
    if grant.ended_at is not None:
        reasoned = f"ended_{grant.ended_reason}"
        return Mark.WRONG, reasoned if reasoned in SAYS else "ended"
    if grant.suspended_at is not None:
        return Mark.WRONG, "suspended"
    if grant.valid_until is not None:
        return Mark.RIGHT, "granted_until"
    return Mark.RIGHT, "granted_unused" if grant.started_at is None else "granted"


def _contract_words(contract: ContractFact, now: datetime) -> dict[str, str]:
    until = contract.resume_at
    return {
        "id": contract.id,
        "begins": minute(contract.begins_at, now),
        "resumes": "…" if until is None else minute(until, now),
    }


def _no_grant_of_contract(contract: ContractFact, now: datetime) -> Finding:
    words = _contract_words(contract, now)
    evidence = (Evidence("subscription", contract.id),)
    code = _STOPPED.get((contract.state, contract.hold))
    if code is not None:
        return Finding(Step.GRANT, Mark.WRONG, code, words, evidence)
    if contract.state == "active":
        return Finding(Step.GRANT, Mark.WRONG, "active_without_grant", words, evidence)
    return Finding(Step.GRANT, Mark.UNKNOWN, "no_grant_yet", words, evidence)


def _no_grant_of_payment(case: Case, now: datetime) -> Finding:
    paid = case.payment
    if paid is None or paid.settled_at is None:
        return Finding(Step.GRANT, Mark.UNKNOWN, "no_grant_yet")
    words = {"ago": ago(paid.settled_at, now)}
    fresh = now - paid.settled_at < SETTLES_WITHIN
    return Finding(
        Step.GRANT,
        Mark.UNKNOWN if fresh else Mark.WRONG,
        "grant_follows" if fresh else "paid_without_grant",
        words,
        (Evidence("payment", paid.id), Evidence("settled", paid.settled_at)),
    )


def _generation(case: Case, now: datetime) -> Finding:
    step, told, grant = Step.GENERATION, case.told, case.grant
    if grant is None or told is None or case.link is None:
        return Finding(step, Mark.UNKNOWN, "nothing_to_apply")
    words = {
        "site": case.link.name,
        "ours": "-" if told.generation is None else str(told.generation),
    }
    words["theirs"] = str(told.applied_generation)
    evidence = (
        Evidence("site", case.link.site_id),
        Evidence("generation with the grant", words["ours"]),
        Evidence("generation applied", words["theirs"]),
    )
    if case.link.last_seen_at is not None:
        words["ago"] = _since(case.link, now)
    mark, code = _taken(case, told, now)
    return Finding(step, mark, code, words, evidence)


def _taken(case: Case, told: ToldFact, now: datetime) -> tuple[Mark, str]:
    grant = case.grant
    assert grant is not None
    if told.generation is None:
        over = grant.ended_at is not None
        return (Mark.UNKNOWN, "nothing_to_apply") if over else (Mark.WRONG, "site_not_told")
    if told.generation <= told.applied_generation:
        return Mark.RIGHT, "applied"
    if is_silent(case.link, now):
        never = case.link is not None and case.link.last_seen_at is None
        return Mark.WRONG, "not_applied_never" if never else "not_applied_silent"
    fresh = now - grant.created_at < SETTLES_WITHIN
    return (Mark.UNKNOWN, "being_applied") if fresh else (Mark.WRONG, "not_applied")


def _session(case: Case, now: datetime) -> Finding:
    step, session, grant = Step.SESSION, case.session, case.grant
    if grant is None or case.link is None:
        return Finding(step, Mark.UNKNOWN, "no_session_possible")
    devices = ", ".join(grant.devices) or "…"
    words = {"devices": devices, "site": case.link.name, "login": case.login}
    evidence = [Evidence("devices allowed", devices)]
    if case.login:
        evidence = [Evidence("login", case.login)]
    if session is not None:
        words |= {"mac": session.mac or "…", "opened": minute(session.opened_at, now)}
        evidence = [
            Evidence("session", session.id),
            Evidence("device", session.mac),
            Evidence("opened", session.opened_at),
        ]
        if session.closed_at is not None:
            words["at"] = minute(session.closed_at, now)
            evidence.append(Evidence("closed", session.closed_at))
    mark, code = _openness(case, now)
    return Finding(step, mark, code, words, tuple(evidence))


def _openness(case: Case, now: datetime) -> tuple[Mark, str]:
    session = case.session
    if session is not None and session.closed_at is None:
        return Mark.RIGHT, "open"
    if is_silent(case.link, now):
        return Mark.UNKNOWN, "session_untold"
    if session is None:
        return Mark.WRONG, "never_dialled" if case.login else "never_opened"
    if case.login and session.closed_reason in {"left", "idle"}:
        return Mark.WRONG, "line_ended"
    reasoned = f"closed_{session.closed_reason}"
    return Mark.WRONG, reasoned if reasoned in SAYS else "closed"


def _counters(case: Case, now: datetime) -> Finding:
    step, session = Step.COUNTERS, case.session
    if session is None or session.closed_at is not None:
        return Finding(step, Mark.UNKNOWN, "nothing_counted")
    words = {
        "down": volume(session.down_bytes),
        "up": volume(session.up_bytes),
        "ago": ago(session.seen_at, now),
        "mac": session.mac or "…",
    }
    evidence = (
        Evidence("down", words["down"]),
        Evidence("up", words["up"]),
        Evidence("last reading", session.seen_at),
    )
    mark, code = _movement(case.link, session, now)
    return Finding(step, mark, code, words, evidence)


def _movement(link: LinkFact | None, session: SessionFact, now: datetime) -> tuple[Mark, str]:
    if is_silent(link, now):
        return Mark.UNKNOWN, "counters_untold"
    if now - session.seen_at < MOVED_WITHIN and session.down_bytes:
        return Mark.RIGHT, "moving"
    if now - session.opened_at < MOVED_WITHIN:
        return Mark.UNKNOWN, "just_opened"
    if session.down_bytes:
        return Mark.WRONG, "still"
    return Mark.WRONG, "only_up" if session.up_bytes else "no_byte"


def _link(case: Case, now: datetime) -> Finding:
    link = case.link
    if link is None:
        return Finding(Step.LINK, Mark.UNKNOWN, "no_site")
    words = {"site": link.name, "ago": _since(link, now)}
    if link.last_seen_at is None:
        evidence: tuple[Evidence, ...] = (Evidence("site", link.site_id),)
        return Finding(Step.LINK, Mark.WRONG, "never_joined", words, evidence)
    evidence = (Evidence("site", link.site_id), Evidence("last report", link.last_seen_at))
    if is_silent(link, now):
        words["at"] = clock(link.last_seen_at, now)
        return Finding(Step.LINK, Mark.WRONG, "silent", words, evidence)
    return Finding(Step.LINK, Mark.RIGHT, "heard", words, evidence)


def _since(link: LinkFact, now: datetime) -> str:
    return "…" if link.last_seen_at is None else span((now - link.last_seen_at) // _SECOND)
