"""ISO 20022 camt.053, a bank's statement in XML: versions 001.02 and 001.08. PURE.

The versions differ in their namespace, in how the state of an entry is written, and in where names
of parties stand; names are read without their namespace. A file that declares a document type is
refused: entities could make it grow without bounds. Source: ISO 20022 message definitions,
BankToCustomerStatement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from billing.errors import InvalidField
from billing.money import Money, parse_money
from billing.period import NAIROBI
from controller.payments.statements import narration
from controller.payments.statements.assembly import lines_of, with_balances
from controller.payments.statements.statement import (
    LINES_MAX,
    Entry,
    Statement,
    StatementUnreadable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_BOOKED = "BOOK"
_CHARGE_FAMILIES = ("CHRG", "COMM", "FEES")


@dataclass(frozen=True, slots=True)
class _Page:
    """One statement of a file."""

    account: str
    since: date
    until: date
    opening: Money
    closing: Money
    entries: tuple[Entry, ...]


def is_camt(text: str) -> bool:
    """Whether text looks like this format."""
    return text.lstrip("\ufeff \t\r\n").startswith("<") and "BkToCstmrStmt" in text[:4_000]


def read_camt(data: bytes) -> Statement:
    """What the statements of a file tell together. Raises `StatementUnreadable`."""
    pages = _in_order([_page(node) for node in _root(data).iter("Stmt")])
    if not pages:
        raise StatementUnreadable("Stmt", "there is none")
    first, last = pages[0], pages[-1]
    for before, after in pairwise(pages):
        if after.account != first.account:
            raise StatementUnreadable("Acct", "want one account in a file")
        if before.closing != after.opening:
            raise StatementUnreadable("Bal", "a statement does not go on where one before closed")
    return Statement(
        form="camt.053",
        rail="bank",
        place=first.account,
        since=first.since,
        until=last.until,
        opening=first.opening,
        closing=last.closing,
        lines=lines_of([entry for page in pages for entry in page.entries]),
    )


def _in_order(pages: Sequence[_Page]) -> list[_Page]:
    once: list[_Page] = []
    for page in pages:
        if page not in once:
            once.append(page)
    return sorted(once, key=lambda page: (page.until, page.since))


def _root(data: bytes) -> Element:
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise StatementUnreadable("DOCTYPE", "want none: it could hide anything") from None
    except (ParseError, ValueError, LookupError) as error:
        line = getattr(error, "position", (0, 0))[0]
        raise StatementUnreadable("XML", "cannot be read", line=line) from None
    for node in root.iter():
        node.tag = str(node.tag).rsplit("}", 1)[-1]
    return root


def _page(node: Element) -> _Page:
    opening, _ = _balance(node, _OPENING, "opening")
    closing, closed_on = _balance(node, _CLOSING, "closing")
    numbered = enumerate(node.iterfind("Ntry"), start=1)
    entries = with_balances([e for n, each in numbered for e in _entries(each, n)], opening)
    if len(entries) > LINES_MAX:
        raise StatementUnreadable("Ntry", f"want at most {LINES_MAX:,}")
    came_to = entries[-1].balance if entries else opening
    if came_to != closing:
        problem = f"opening and entries come to {came_to}, it says {closing}"
        raise StatementUnreadable("Bal", problem)
    days = [entry.at.astimezone(NAIROBI).date() for entry in entries]
    return _Page(
        account=_account(node),
        since=min([closed_on, *days]),
        until=max([closed_on, *days]),
        opening=opening,
        closing=closing,
        entries=tuple(entries),
    )


def _account(node: Element) -> str:
    text = _text(node, "Acct/Id/IBAN") or _text(node, "Acct/Id/Othr/Id")
    return "".join(c for c in text if c.isascii() and (c.isalnum() or c in "._-"))[:32]


def _balance(node: Element, kinds: Sequence[str], called: str) -> tuple[Money, date]:
    for each in node.iterfind("Bal"):
        if _text(each, "Tp/CdOrPrtry/Cd") in kinds:
            day = _moment(each, "Dt", 0).astimezone(NAIROBI).date()
            return _signed(each, 0), day
    raise StatementUnreadable("Bal", f"there is no {called} balance ({', '.join(kinds)})")


def _entries(node: Element, n: int) -> Iterator[Entry]:
    """What an entry holds: itself, or each payment of a batch whose amounts are told."""
    state = _text(node, "Sts/Cd") or _text(node, "Sts")
    if state != _BOOKED:
        return  # pending, or for information: no money moved
    whole = _signed(node, n)
    details = node.findall("NtryDtls/TxDtls")
    parts = [_part(tx, whole, n) for tx in details]
    if len(parts) > 1 and sum(part.minor for part in parts) == whole.minor:
        for tx, part in zip(details, parts, strict=True):
            yield _entry(node, tx, part, n)
        return
    yield _entry(node, details[0] if len(details) == 1 else node, whole, n)


def _part(tx: Element, whole: Money, n: int) -> Money:
    """The signed amount of one payment of a batch; nothing where it is not told."""
    found = tx.find("Amt")
    if found is None:
        found = tx.find("AmtDtls/TxAmt/Amt")
    if found is None:
        return Money(0, whole.currency)
    amount = _amount(found, n)
    return amount if whole.minor > 0 else Money(-amount.minor, amount.currency)


def _entry(node: Element, tx: Element, signed: Money, n: int) -> Entry:
    told_by_payer = " ".join(_text(each) for each in tx.iter("Ustrd"))
    text = narration.plain(f"{told_by_payer} {_text(node, 'AddtlNtryInf')}")
    told = narration.told_in(told_by_payer or text)
    typed = _text(tx, "Refs/EndToEndId")
    end_to_end = narration.receipt_of(typed)
    bank = _text(tx, "Refs/AcctSvcrRef") or _text(node, "AcctSvcrRef")
    receipt = told.receipt or narration.receipt_in(end_to_end)
    family = _text(node, "BkTxCd/Domn/Fmly/SubFmlyCd")
    is_charge = family in _CHARGE_FAMILIES or (signed.minor < 0 and narration.is_charge(text))
    return Entry(
        row=n,
        at=_moment(node, "BookgDt", n),
        signed=signed,
        own=receipt or bank or end_to_end,
        linked=receipt,
        reference=told.reference or ("" if end_to_end in {receipt, ""} else typed),
        payer=told.payer,
        name=_text(tx, "RltdPties/Dbtr/Nm") or _text(tx, "RltdPties/Dbtr/Pty/Nm") or told.name,
        text=text,
        is_charge=is_charge,
        is_reversal=_text(node, "RvslInd") in {"true", "1"} or narration.is_reversal(text),
    )


def _signed(node: Element, n: int) -> Money:
    found = node.find("Amt")
    if found is None:
        raise StatementUnreadable("Amt", f"entry {n} has none")
    amount = _amount(found, n)
    mark = _text(node, "CdtDbtInd")
    if mark not in {"CRDT", "DBIT"}:
        raise StatementUnreadable("CdtDbtInd", f"entry {n}: want CRDT or DBIT")
    return amount if mark == "CRDT" else Money(-amount.minor, amount.currency)


def _amount(node: Element, n: int) -> Money:
    whole, _, cents = (node.text or "").strip().partition(".")
    try:
        return parse_money(f"{whole}.{cents.rstrip('0') or '0'}", node.get("Ccy", "KES"))
    except InvalidField as error:
        raise StatementUnreadable("Amt", f"entry {n}: {error.problem}") from None


def _moment(node: Element, name: str, n: int) -> datetime:
    """A date, or a moment; without a zone it is Nairobi's."""
    text = _text(node, f"{name}/DtTm") or _text(node, f"{name}/Dt")
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=NAIROBI)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise StatementUnreadable(name, f"entry {n}: want a date like 2026-11-23") from None


def _text(node: Element, path: str = "") -> str:
    found = node.find(path) if path else node
    return (found.text or "").strip() if found is not None else ""
