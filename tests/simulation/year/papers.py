"""Every document that was issued, reckoned again: lines, taxes, prices, shares, numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from billing.promo import Coupon, Discount
from tests.simulation.year.naive import day_in_nairobi, share, taxes, volume, whole_around
from tests.simulation.year.provider import GOODS, OTHERS, PROMOTIONS, RATES
from tests.simulation.year.sight import moment

if TYPE_CHECKING:
    from datetime import date, datetime

    from tests.simulation.year.provider import Person
    from tests.simulation.year.served import History
    from tests.simulation.year.sight import Sight

DOCUMENT = """id, kind, series, number, subscriber_id, cause, issued_at, due_at, period_start,
    period_end, net_minor, excise_minor, vat_minor, total_minor, refers_to"""
LINE = """document_id, n, kind, account, subscription_id, plan_id, tax_class, excise_bp, vat_bp,
    net_minor, excise_minor, vat_minor, total_minor"""
OFF_ACCOUNT = 3
"""Where an account's name says which promotion: ``income:main:discount:welcome``."""

_TICK = timedelta(seconds=1)


@dataclass(slots=True)
class Paper:
    """A document with its lines, as the books hold it."""

    id: str
    kind: str
    series: str
    number: int
    subscriber_id: str
    cause: str
    issued_at: datetime
    due_at: datetime | None
    period: tuple[datetime | None, datetime | None]
    sums: tuple[int, int, int, int]
    refers_to: str | None
    lines: list[PaperLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PaperLine:
    """One line of it. ``sums`` are net, excise, VAT and total, in cents."""

    kind: str
    account: str
    subscription_id: str | None
    plan_id: str | None
    tax_class: str
    rates: tuple[int, int]
    sums: tuple[int, int, int, int]


@dataclass(slots=True)
class Papers:
    """Reads what is new, checks it, and remembers what later papers are about."""

    sight: Sight
    histories: dict[str, History]
    people: dict[str, Person]
    periods: dict[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    charged: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    credited: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    billed: set[str] = field(default_factory=set)
    fresh: list[Paper] = field(default_factory=list)
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    volumes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _numbers: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    _left: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _groups: dict[tuple[str, str], list[PaperLine]] = field(default_factory=dict)
    _lowered: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    def read(self) -> None:
        """Take in and check the documents that are new; ``fresh`` are they."""
        found = {one[0]: _paper(one) for one in self.sight.new("document", DOCUMENT, "id")}
        for row in self.sight.new("document_line", LINE, "document_id || '/' || n"):
            found[row[0]].lines.append(_line(row))
        for paper in sorted(found.values(), key=_reading_order):
            self._check(paper)
        self.fresh += found.values()

    def _check(self, paper: Paper) -> None:
        last, at = self._numbers.get(paper.series, (0, paper.issued_at))
        assert paper.number == last + 1, f"{paper.series} goes from {last} to {paper.number}"
        assert paper.issued_at >= at, f"{paper.series} {paper.number} is older than {last}"
        self._numbers[paper.series] = (paper.number, paper.issued_at)
        self.counts[paper.kind] += 1
        if paper.kind == "receipt":
            return
        sums = tuple(sum(line.sums[n] for line in paper.lines) for n in range(4))
        assert sums == paper.sums, f"{paper.series} {paper.number}: lines come to {sums}"
        assert all(sum(line.sums[:3]) == line.sums[3] for line in paper.lines)
        if paper.kind == "invoice":
            self._check_invoice(paper)
        else:
            self._check_credit(paper)

    def _check_invoice(self, paper: Paper) -> None:
        self.periods[paper.id] = paper.period
        self._left[paper.id] = paper.sums
        self.charged[paper.subscriber_id] += sum(
            line.sums[3] for line in paper.lines if line.kind != "adjustment"
        )
        for line in paper.lines:
            if line.kind == "adjustment":
                assert line.sums[1:3] == (0, 0), "money that is wanted back is no supply"
                continue
            self._check_rates(paper, line)
            if line.kind in {"plan", "discount"}:
                assert line.subscription_id is not None
                self._groups.setdefault((paper.id, line.subscription_id), []).append(line)
            else:
                included = line.plan_id is None or GOODS[line.plan_id].included
                _check_taxes(line.sums, line.rates, included=included)
            if line.kind == "usage":
                assert line.subscription_id is not None
                included = GOODS[line.plan_id or ""].included
                self.volumes[line.subscription_id] += line.sums[3 if included else 0]
        for name in {line.subscription_id for line in paper.lines if line.kind == "plan"}:
            assert name is not None
            self._check_group(paper, self.histories[name], self._groups[paper.id, name])
            self.billed.add(name)

    def _check_rates(self, paper: Paper, line: PaperLine) -> None:
        """The rates are those of the day of supply."""
        day = day_in_nairobi(paper.issued_at)
        start, end = paper.period
        if line.subscription_id is not None and start is not None and end is not None:
            in_arrears = self.histories[line.subscription_id].line.mode == "arrears"
            day = day_in_nairobi(end - _TICK if in_arrears else start)
        tax_class = "standard" if line.plan_id is None else GOODS[line.plan_id].tax_class
        assert line.tax_class == tax_class
        excise = rate_on("excise", day) if tax_class == "internet" else 0
        vat = rate_on("vat", day) if tax_class in {"internet", "standard"} else 0
        assert line.rates == (excise, vat), f"{paper.cause}: rates {line.rates} on {day}"

    def _check_group(self, paper: Paper, one: History, lines: list[PaperLine]) -> None:
        """The charge of a subscription, and what promotions took off it, each in its turn."""
        charge, *discounts = lines
        assert charge.kind == "plan", "a discount stands before what it lowers"
        assert all(line.kind == "discount" for line in discounts), "one period, two charges"
        plan_id = charge.plan_id or ""
        good = GOODS[plan_id]
        column = 3 if good.included else 0
        amount = self._cost(paper, one, plan_id)
        assert charge.sums[column] == amount, (
            f"{paper.cause} costs {charge.sums}, not {amount} ({plan_id}, {one.line}, {one.plans})"
        )
        _check_taxes(charge.sums, charge.rates, included=good.included)
        for n, line in enumerate(discounts, start=1):
            name = line.account.split(":")[OFF_ACCOUNT]
            terms = PROMOTIONS[name]
            assert isinstance(terms, Discount | Coupon)
            off = _off(terms, amount)
            assert -line.sums[column] == off, f"{name} takes {line.sums} off {amount}"
            amount -= off
            so_far = tuple(sum(each.sums[k] for each in lines[: n + 1]) for k in range(4))
            _check_taxes(so_far, charge.rates, included=good.included)
            self._count(paper, name, terms)

    def _count(self, paper: Paper, name: str, terms: Discount | Coupon) -> None:
        """A promotion lowers so many invoices and no more."""
        periods = (terms.discount if isinstance(terms, Coupon) else terms).periods
        seen = (paper.subscriber_id, name)
        key = f"{paper.id}/{name}"
        if key not in self.counts:
            self.counts[key] = 1
            self._lowered[seen] += 1
        assert periods is None or self._lowered[seen] <= periods, (
            f"{name} lowered too many of {paper.subscriber_id}: {paper.cause}"
        )

    def _cost(self, paper: Paper, one: History, plan_id: str) -> int:
        """What the part that is billed costs by the price list, for its share of the period."""
        start, end = paper.period
        assert start is not None
        assert end is not None
        anchor = [at for at in one.anchors if at <= start][-1]
        whole = whole_around(one.line.rhythm, anchor, start)
        assert start < end <= whole[1], f"{paper.cause} is longer than {whole}"
        price = self._price(paper, one, plan_id, day_in_nairobi(start))
        return share(price, (start, end), whole)

    def _price(self, paper: Paper, one: History, plan_id: str, day: date) -> int:
        is_change = paper.cause.startswith("change:")
        on, bespoke = one.plan_at(paper.issued_at, changed=is_change)
        following = one.next_at(paper.issued_at)
        if following is not None and not is_change:
            if plan_id == following:
                one.agree(paper.issued_at, following)
                on, bespoke = following, None
            assert plan_id == following or one.line.mode == "arrears", f"{following} was to follow"
        assert plan_id == on, f"{paper.cause} is for {plan_id}, agreed on {on}"
        person = self.people[paper.subscriber_id]
        return price_on(plan_id, person, day) if bespoke is None else bespoke

    def _check_credit(self, paper: Paper) -> None:
        """Never more than was charged; of a period what is left of it, in shares."""
        assert paper.refers_to is not None
        left = self._left[paper.refers_to]
        now = tuple(a - b for a, b in zip(left, paper.sums, strict=True))
        assert min(now) >= 0, f"{paper.cause} takes back more than {left}"
        self._left[paper.refers_to] = now
        self.credited[paper.subscriber_id] += paper.sums[3]
        if not paper.cause.startswith("change:"):
            return
        _, name, _ = paper.cause.split(":", 2)
        self.billed.add(name)
        group = self._groups[paper.refers_to, name]
        start, end = self.periods[paper.refers_to]
        query = """
            SELECT credited_from FROM billed_period
            WHERE subscription_id = ? AND document_id = ?
        """
        found = self.sight.tuples(query, name, paper.refers_to)
        cut = (moment(found[0][0]) if found else None) or start
        assert start is not None
        assert end is not None
        assert cut is not None
        rest = Fraction((end - cut) // _TICK, (end - start) // _TICK)
        for n in range(4):
            whole = sum(line.sums[n] for line in group)
            off = abs(paper.sums[n] - whole * rest)
            assert off <= 1, f"{paper.cause} credits {paper.sums}, {float(rest)} of {whole}"

    def check_volume(self, name: str, used: dict[str, int]) -> None:
        """What was charged by volume is what the noted use costs, and no more than was used."""
        query = """
            SELECT b.grant_id, MAX(b.billed_bytes), g.plan_id, g.used_bytes FROM billed_period b
            JOIN "grant" g ON g.id = b.grant_id WHERE b.subscription_id = ? GROUP BY 1, 3, 4
        """
        want = 0
        for grant_id, billed, plan_id, used_bytes in self.sight.tuples(query, name):
            assert used_bytes == used.get(grant_id, 0)
            assert billed <= used_bytes
            steps = GOODS[plan_id].steps
            if steps is not None:
                want += volume(steps, billed)
        assert self.volumes[name] == want, f"{name}: {self.volumes[name]} for volume, not {want}"


def price_on(plan_id: str, person: Person, day: date) -> int:
    """The price list: a segment's at a branch, then a segment's, then a branch's, then all's."""
    for segment, branch in (
        (person.segment, person.branch),
        (person.segment, ""),
        ("", person.branch),
    ):
        for each in OTHERS:
            holds = each.from_day <= day and (each.until_day is None or day < each.until_day)
            if (each.plan_id, each.segment, each.branch) == (plan_id, segment, branch) and holds:
                return each.price
    return GOODS[plan_id].price


def rate_on(tax: str, day: date) -> int:
    """The rate of a tax on a day, in hundredths of a per cent."""
    return [basis_points for since, basis_points in RATES[tax] if since <= day][-1]


def _off(terms: Discount | Coupon, amount: int) -> int:
    discount = terms.discount if isinstance(terms, Coupon) else terms
    if discount.amount is not None:
        return min(amount, discount.amount.minor)
    return (amount * (discount.basis_points or 0) * 2 + 10_000) // 20_000


def _check_taxes(sums: tuple[int, ...], rates: tuple[int, int], *, included: bool) -> None:
    want = taxes(sums[3 if included else 0], excise_bp=rates[0], vat_bp=rates[1], included=included)
    assert sums[:3] == want, f"{sums} at {rates} should be {want}"


def _paper(found: tuple[Any, ...]) -> Paper:
    name, kind, series, number, who, cause, issued, due, start, end, *sums, refers_to = found
    issued_at = moment(issued)
    assert issued_at is not None
    return Paper(
        id=name,
        kind=kind,
        series=series,
        number=number,
        subscriber_id=who,
        cause=cause,
        issued_at=issued_at,
        due_at=moment(due),
        period=(moment(start), moment(end)),
        sums=tuple(sums),
        refers_to=refers_to,
    )


def _line(found: tuple[Any, ...]) -> PaperLine:
    _, _, kind, account, subscription_id, plan_id, tax_class, excise, vat, *sums = found
    return PaperLine(kind, account, subscription_id, plan_id, tax_class, (excise, vat), tuple(sums))


def _reading_order(paper: Paper) -> tuple[bool, str, int]:
    """Invoices come before what is about them."""
    return paper.kind != "invoice", paper.series, paper.number
