"""The lines' money, and all that moved between them and the merchant, once per receipt.

# Invariant: what left the lines' balances is what stands in ``settled``, shilling for shilling;
# charges apart, which the merchant pays to M-PESA.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.sandbox.daraja.requests import Refused
from controller.sandbox.daraja.settings import WALLET_SHILLINGS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.sandbox.daraja.settings import SimSettings

EAT = timezone(timedelta(hours=3), "EAT")
LINES_MAX = 20_000
MESSAGES_MAX = 30
SHARED_SENDER = "AFRICASTKNG"
_BPS = 10_000
_FIRST_YEAR = 2006
"""Receipts of this year begin with A."""
_ALPHABET = string.ascii_uppercase + string.digits
_DAYS = string.digits + string.ascii_uppercase


class Kind(StrEnum):
    """Why money moved."""

    STK = "stk"  # a push of the merchant, and a PIN
    C2B = "c2b"  # the payer's own menu
    ORDER = "order"  # a standing order came due
    REVERSAL = "reversal"  # a payment was taken back
    B2C = "b2c"  # the merchant paid somebody
    CHARGE = "charge"  # M-PESA's own price, paid by the merchant


COLLECTED = (Kind.STK, Kind.C2B, Kind.ORDER)


class TooLittle(Exception):  # noqa: N818 - a refusal, see style
    """Who should pay has too little; ``shillings`` is what is there."""

    def __init__(self, shillings: int) -> None:
        super().__init__(f"only {shillings} shillings are there")
        self.shillings = shillings


class TooMuch(Exception):  # noqa: N818 - a refusal, see style
    """The wallet may not hold so much."""


@dataclass(slots=True)
class Message:
    """A text message in a line's inbox."""

    at: datetime
    text: str
    sender: str


@dataclass(slots=True)
class Line:
    """One phone number: its money in whole shillings and its inbox, newest first."""

    msisdn: str
    shillings: int
    opening: int
    topped_up: int = 0
    messages: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Settled:
    """Money that moved. A charge has the receipt of what it was charged for.

    ``shillings`` is above 0 for what came to the merchant and below 0 for what left it; ``place``
    is the shortcode or till; ``of`` is the receipt that a reversal gives back; ``balance`` is what
    the merchant had afterwards.
    """

    receipt: str
    kind: Kind
    shillings: int
    msisdn: str
    account: str
    place: str
    at: datetime
    balance: int
    checkout_id: str = ""
    of: str = ""


class Book:
    """Lines and the merchant's account on one simulated M-PESA."""

    def __init__(self, settings: SimSettings, *, now: Callable[[], datetime]) -> None:
        self.lines: dict[str, Line] = {}
        self.settled: list[Settled] = []
        self.balance = settings.merchant_shillings
        """What the merchant has: at first, and collected, less what was paid out and charged."""
        self.latest: str | None = None
        """The number that was asked, texted or that paid last."""
        self._settings = settings
        self._now = now
        self._receipts: set[str] = set()
        self._by_receipt: dict[str, Settled] = {}
        self._given_back: set[str] = set()

    def line(self, msisdn: str) -> Line:
        """The line of this number; every Kenyan mobile number has one. Raises `Refused` if full."""
        found = self.lines.get(msisdn)
        if found is None:
            if len(self.lines) >= LINES_MAX:
                raise system_busy()
            opening = self._settings.opening_shillings
            found = self.lines[msisdn] = Line(msisdn, opening, opening)
        return found

    def top_up(self, msisdn: str, shillings: int) -> Line:
        """Put money on a line, up to what a wallet may hold."""
        line = self.line(msisdn)
        added = min(WALLET_SHILLINGS_MAX, line.shillings + shillings) - line.shillings
        line.shillings += added
        line.topped_up += added
        return line

    def text(self, line: Line, text: str, *, sender: str = "M-PESA") -> None:
        """A message reaches this line."""
        self.latest = line.msisdn
        line.messages.insert(0, Message(self._now(), text, sender or SHARED_SENDER))
        del line.messages[MESSAGES_MAX:]

    def found(self, receipt: str) -> Settled | None:
        """The payment, reversal or payout of this receipt."""
        return self._by_receipt.get(receipt)

    def is_given_back(self, receipt: str) -> bool:
        """Whether this payment was reversed."""
        return receipt in self._given_back

    def collect(
        self,
        kind: Kind,
        line: Line,
        shillings: int,
        *,
        account: str,
        place: str,
        receipt: str = "",
        checkout_id: str = "",
    ) -> Settled:
        """Money leaves a line for the merchant. Raises `TooLittle`."""
        if line.shillings < shillings:
            self.text(
                line,
                f"Not enough money to pay Ksh{shillings:,}.00."
                f" Your balance is Ksh{line.shillings:,}.00.",
            )
            raise TooLittle(line.shillings)
        line.shillings -= shillings
        settled = self._settle(
            receipt or self.new_receipt(),
            kind,
            shillings,
            msisdn=line.msisdn,
            account=account,
            place=place,
            checkout_id=checkout_id,
        )
        self._charge(settled)
        towards = f"sent to {self._settings.business} for account {account}"
        if not account:
            towards = f"paid to {self._settings.business}"
        self.text(
            line,
            f"{settled.receipt} Confirmed. Ksh{shillings:,}.00 {towards} on {self._when()}."
            f" New M-PESA balance is Ksh{line.shillings:,}.00.",
        )
        return settled

    def give_back(self, original: Settled) -> Settled:
        """A payment returns to who made it, once. Raises `TooLittle`, `TooMuch`."""
        assert original.kind in COLLECTED, "only what was collected can be given back"
        assert not self.is_given_back(original.receipt), "once"
        settled = self._pay_out(Kind.REVERSAL, original.msisdn, original.shillings, of=original)
        self._given_back.add(original.receipt)
        return settled

    def pay_out(self, msisdn: str, shillings: int) -> Settled:
        """The merchant pays somebody. Raises `TooLittle`, `TooMuch`, `Refused` if full."""
        settled = self._pay_out(Kind.B2C, msisdn, shillings)
        self._charge(settled)
        return settled

    def new_receipt(self) -> str:
        """Ten letters and digits: year, month and day, then what nobody can guess."""
        while True:
            rest = "".join(secrets.choice(_ALPHABET) for _ in range(6))
            receipt = self._day() + secrets.choice(string.digits) + rest
            if receipt not in self._receipts:
                self._receipts.add(receipt)
                return receipt

    def failed_receipt(self) -> str:
        """What stands in place of a receipt when nothing moved."""
        return self._day() + "0000000"

    def _day(self) -> str:
        local = self._now().astimezone(EAT)
        letters = string.ascii_uppercase
        year = letters[(local.year - _FIRST_YEAR) % len(letters)]
        return year + letters[local.month - 1] + _DAYS[local.day]

    def _pay_out(
        self, kind: Kind, msisdn: str, shillings: int, *, of: Settled | None = None
    ) -> Settled:
        if self.balance < shillings:
            raise TooLittle(self.balance)
        line = self.line(msisdn)
        if line.shillings + shillings > WALLET_SHILLINGS_MAX:
            raise TooMuch
        line.shillings += shillings
        settled = self._settle(
            self.new_receipt(),
            kind,
            -shillings,
            msisdn=msisdn,
            account=of.account if of else "",
            place=of.place if of else self._settings.shortcode,
            of=of.receipt if of else "",
        )
        said = "You have received" if of is None else f"Reversal of {of.receipt}:"
        self.text(
            line,
            f"{settled.receipt} Confirmed. {said} Ksh{shillings:,}.00 from"
            f" {self._settings.business} on {self._when()}."
            f" New M-PESA balance is Ksh{line.shillings:,}.00.",
        )
        return settled

    def _settle(
        self,
        receipt: str,
        kind: Kind,
        shillings: int,
        *,
        msisdn: str,
        account: str,
        place: str,
        checkout_id: str = "",
        of: str = "",
    ) -> Settled:
        self.balance += shillings
        settled = Settled(
            receipt=receipt,
            kind=kind,
            shillings=shillings,
            msisdn=msisdn,
            account=account,
            place=place,
            at=self._now(),
            balance=self.balance,
            checkout_id=checkout_id,
            of=of,
        )
        self.settled.append(settled)
        self._by_receipt.setdefault(receipt, settled)
        return settled

    def _charge(self, for_what: Settled) -> None:
        shillings = charge_of(abs(for_what.shillings), self._settings.charge_bps)
        if shillings:
            self._settle(
                for_what.receipt,
                Kind.CHARGE,
                -shillings,
                msisdn=for_what.msisdn,
                account=for_what.account,
                place=for_what.place,
            )

    def _when(self) -> str:
        local = self._now().astimezone(EAT)
        return f"{local.day}/{local.month}/{local:%y} at {local:%H:%M}"


def charge_of(shillings: int, bps: int) -> int:
    """M-PESA's price for moving so much, in whole shillings, half up."""
    return (shillings * bps + _BPS // 2) // _BPS


def system_busy() -> Refused:
    """What M-PESA says when it is full."""
    return Refused(500, "500.003.02", "System is busy. Please try again in few minutes.")
