"""The books in words of their own, so that two tellings of one year can be held side by side.

Ids that the product draws are named by what they stand for: an invoice by its subscriber and cause.
Numbers of documents are left out: who of many is numbered first is decided by who is billed first;
so is the order of the lines for volume, which is that of the ids of grants.

Of two years in which the same things happened at the same moments everything else must be equal,
also when processes died, or two did the same work. Of a year that was caught up with later, these
may differ: when documents were issued and are due (who is billed late is given the days from then
on), and so how far dunning has come; when states changed; and what grants there were, and how much
of each was charged, for periods that were over have none of their own.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.simulation.year.sight import moment

if TYPE_CHECKING:
    from tests.simulation.year.sight import Sight

Books = dict[str, list[Any]]


def books_of(sight: Sight, *, timed: bool = True) -> Books:
    """All that is kept of money and service; without ``timed`` not when papers were issued."""
    names = {
        found[0]: f"{found[1]} {found[2]} {found[3]}"
        for found in sight.tuples("SELECT id, subscriber_id, kind, cause FROM document")
    }
    books = {
        "documents": _documents(sight, names, timed=timed),
        "balances": _balances(sight),
        "debts": _debts(sight, names, timed=timed),
        "subscriptions": _subscriptions(sight, timed=timed),
        "billed": _billed(sight, names, timed=timed),
        "uses": _uses(sight, names),
        "allocations": _allocations(sight, names),
        "received": _plain(sight, "SELECT id, amount_minor, reversed_at FROM received"),
    }
    if timed:
        query = "SELECT document_id, step, at FROM dunning_step"
        books["steps"] = _sorted((_told(names, a), b, moment(c)) for a, b, c in sight.tuples(query))
    return books


def differences(one: Books, other: Books) -> list[str]:
    """What stands in one of two books and not in the other."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        mine, theirs = Counter(map(repr, one[name])), Counter(map(repr, other[name]))
        found += [f"only in the first: {name} {each}" for each in (mine - theirs).elements()]
        found += [f"only in the second: {name} {each}" for each in (theirs - mine).elements()]
    return found


def _documents(sight: Sight, names: dict[str, str], *, timed: bool) -> list[Any]:
    lines: dict[str, list[Any]] = {}
    columns = "kind, account, subscription_id, plan_id, tax_class, excise_bp, vat_bp, net_minor,"
    query = f"""
        SELECT document_id, {columns} excise_minor, vat_minor, total_minor FROM document_line
        ORDER BY document_id, n
    """  # noqa: S608 - our own words
    for name, *line in sight.tuples(query):
        lines.setdefault(name, []).append(line)
    query = """
        SELECT id, refers_to, issued_at, due_at, period_start, period_end, net_minor, excise_minor,
               vat_minor, total_minor FROM document
    """
    found = []
    for name, refers_to, issued, due, start, end, *sums in sight.tuples(query):
        when = (moment(issued), moment(due)) if timed else ()
        period = (moment(start), moment(end))
        what = _told(names, name), _told(names, refers_to or "")
        found.append((*what, when, period, sums, _sorted(lines.get(name, []))))
    return _sorted(found)


def _balances(sight: Sight) -> list[Any]:
    query = """
        SELECT account, SUM(minor) FROM (
            SELECT target AS account, amount_minor AS minor FROM posting
            UNION ALL SELECT source, -amount_minor FROM posting) AS moved
        GROUP BY account
    """
    return _sorted((account, int(minor)) for account, minor in sight.tuples(query) if minor)


def _debts(sight: Sight, names: dict[str, str], *, timed: bool) -> list[Any]:
    query = "SELECT document_id, open_minor, due_at, steps_done, step_at, promised_until FROM debt"
    return _sorted(
        (
            _told(names, name),
            minor,
            *((moment(due), done, moment(at), moment(until)) if timed else ()),
        )
        for name, minor, due, done, at, until in sight.tuples(query)
    )


def _subscriptions(sight: Sight, *, timed: bool) -> list[Any]:
    query = """
        SELECT id, plan_id, next_plan_id, anchor_at, period_n, bill_at, paid_until, price_minor,
               state, hold, resume_at, state_at FROM subscription
    """
    found = []
    for name, plan, after, anchor, n, bill, paid, price, *state, resume, since in sight.tuples(
        query
    ):
        when = (moment(anchor), moment(bill), moment(paid), moment(resume))
        found.append((name, plan, after, n, price, state, when, moment(since) if timed else None))
    return _sorted(found)


def _billed(sight: Sight, names: dict[str, str], *, timed: bool) -> list[Any]:
    query = """
        SELECT subscription_id, start_at, end_at, credited_from, document_id, billed_bytes
        FROM billed_period
    """
    return _sorted(
        (
            name,
            moment(start),
            moment(end),
            moment(cut),
            _told(names, document),
            volume if timed else 0,
        )
        for name, start, end, cut, document, volume in sight.tuples(query)
    )


def _uses(sight: Sight, names: dict[str, str]) -> list[Any]:
    query = """
        SELECT promotion_id, subscriber_id, cause, periods_left, reward_minor,
               reversed_at IS NULL FROM promotion_use
    """
    found = []
    for promotion, who, cause, *rest in sight.tuples(query):
        kind, _, invoice = cause.partition(":")
        told = _told(names, invoice.partition(":")[0]) if kind == "paid" else cause
        found.append(
            (promotion, who, told, [int(one) if one is not None else None for one in rest])
        )
    return _sorted(found)


def _allocations(sight: Sight, names: dict[str, str]) -> list[Any]:
    query = "SELECT document_id, SUM(amount_minor) FROM allocation GROUP BY 1"
    return _sorted((_told(names, name), int(minor)) for name, minor in sight.tuples(query))


def _plain(sight: Sight, query: str) -> list[Any]:
    return _sorted((name, minor, moment(at)) for name, minor, at in sight.tuples(query))


def _told(names: dict[str, str], name: str) -> str:
    """What an id stands for; an invoice of a late fee by what it is late for."""
    told = names.get(name, "")
    start, of, rest = told.partition("late-fee:")
    if not of:
        return told
    invoice, _, step = rest.partition(":")
    return f"{start}{of}{_told(names, invoice)}:{step}"


def _sorted(found: Any) -> list[Any]:
    return sorted(found, key=repr)
