"""Payments from the payer's own menu: validated, moved, confirmed.

A payment by push is confirmed here too, once the merchant has registered addresses, with the same
receipt and the push's account: two roads, one sum of money.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controller.sandbox.daraja import c2b_bodies
from controller.sandbox.daraja.book import EAT, Kind, TooLittle
from controller.sandbox.daraja.c2b_bodies import Written
from controller.sandbox.daraja.network import PIN_WRONG
from controller.sandbox.daraja.requests import Refused

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from controller.sandbox.daraja.book import Settled
    from controller.sandbox.daraja.courier import Courier
    from controller.sandbox.daraja.network import Network
    from controller.sandbox.daraja.settings import SimSettings

CONFIRMATION = "confirmation"
VALIDATION = "validation"
COPIES_AT_ONCE = 10
FORGED_TIMES = 10
STAMP = "%Y%m%d%H%M%S"


class Declined(Exception):  # noqa: N818 - a refusal, see style
    """The payment did not happen; ``code`` is what M-PESA calls the reason."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class AlreadyRegistered(Exception):  # noqa: N818 - a refusal, see style
    """Addresses are taken once only."""


@dataclass(frozen=True, slots=True)
class Urls:
    """Where a shortcode wants to be asked and told. ``completes`` is what holds in silence."""

    shortcode: str
    confirm_url: str
    validate_url: str
    completes: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the payer put into the menu. ``place`` is a shortcode or a till."""

    msisdn: str
    shillings: int
    account: str
    place: str


def _registered_before(settings: SimSettings) -> dict[str, Urls]:
    if not settings.confirm_url:
        return {}
    urls = Urls(settings.shortcode, settings.confirm_url, settings.validate_url, completes=True)
    return {settings.shortcode: urls}


class PayBill:
    """The merchant's numbers, as payers reach them without being asked."""

    def __init__(self, network: Network, courier: Courier) -> None:
        self._network = network
        self._courier = courier
        self.urls = _registered_before(network.settings)
        self.busy: set[str] = set()
        """The numbers whose payment is being validated."""
        self._payments = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, urls: Urls) -> None:
        """Ask and tell the merchant there. Raises `AlreadyRegistered`."""
        if urls.shortcode in self.urls and self._network.settings.production:
            raise AlreadyRegistered
        self.urls[urls.shortcode] = urls
        self._network.changed()

    def forget(self) -> None:
        """What two operators do in the portal: all addresses are deleted."""
        self.urls.clear()
        self._network.changed()

    def places(self) -> tuple[str, ...]:
        """The numbers that can be paid."""
        settings = self._network.settings
        return (
            (settings.shortcode,) if settings.till is None else (settings.shortcode, settings.till)
        )

    async def pay(self, wanted: Wanted, *, pin: str = "") -> Settled:
        """Pay from the menu. Raises `Declined`, `Refused` if the network is full."""
        line = self._network.book.line(wanted.msisdn)
        if pin == PIN_WRONG:
            self._network.book.text(line, "You have entered a wrong PIN. Nothing was paid.")
            self._network.changed()
            raise Declined("2001", "The PIN is wrong.")
        if wanted.msisdn in self.busy:
            raise Declined("1001", "Another payment of this number is under way.")
        if line.shillings < wanted.shillings:
            return self._moved(wanted, receipt="", account=wanted.account)
        self.busy.add(wanted.msisdn)
        self._network.changed()
        try:
            account = c2b_bodies.typed(wanted.account, self._network.faults)
            receipt = self._network.book.new_receipt()
            third_party_id = await self._validated(wanted, receipt=receipt, account=account)
            settled = self._moved(wanted, receipt=receipt, account=account)
        finally:
            self.busy.discard(wanted.msisdn)
            self._network.changed()
        self.confirm_soon(settled, third_party_id=third_party_id)
        return settled

    def pay_soon(self, wanted: Wanted) -> None:
        """Pay in the background; what becomes of it is told to the payer alone."""
        self._spawn(self._pay_quietly(wanted))

    def confirm_soon(self, settled: Settled, *, third_party_id: str = "") -> None:
        """Confirm in the background."""
        self._spawn(self.confirm(settled, third_party_id=third_party_id))

    async def confirm(self, settled: Settled, *, third_party_id: str = "") -> None:
        """Tell the merchant that this money came, as the faults would have it."""
        urls, faults = self._urls_of(settled.place), self._network.faults
        if urls is None:
            return
        if faults.confirm_late_s:
            await asyncio.sleep(faults.confirm_late_s)
        body = self._confirmed(settled, third_party_id=third_party_id)
        if faults.confirm_forged:
            await self.forge(settled)
        if faults.confirm_lost:
            self._courier.lose(CONFIRMATION, settled.receipt, urls.confirm_url, body)
        elif faults.confirm_ten_at_once:
            posts = (self._post(settled.receipt, urls, body) for _ in range(COPIES_AT_ONCE))
            await asyncio.gather(*posts)
        else:
            for _ in range(2 if faults.confirm_doubled else 1):
                await self._post(settled.receipt, urls, body)

    async def forge(self, true: Settled) -> None:
        """Confirm money that never came, in the likeness of some that did."""
        urls = self._urls_of(true.place)
        if urls is not None:
            receipt = self._network.book.new_receipt()
            shillings = true.shillings * FORGED_TIMES
            body = self._confirmed(replace(true, receipt=receipt, shillings=shillings))
            await self._post(receipt, urls, body, kind="forged")

    async def stop(self) -> None:
        """End all that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pay_quietly(self, wanted: Wanted) -> None:
        with contextlib.suppress(Declined, Refused):
            await self.pay(wanted)

    def _moved(self, wanted: Wanted, *, receipt: str, account: str) -> Settled:
        line = self._network.book.line(wanted.msisdn)
        is_till = wanted.place == self._network.settings.till
        try:
            return self._network.book.collect(
                Kind.C2B,
                line,
                wanted.shillings,
                account="" if is_till else account,
                place=wanted.place,
                receipt=receipt,
            )
        except TooLittle as short:
            self._network.changed()
            raise Declined("1", "There is too little money on this line.") from short

    async def _post(self, about: str, urls: Urls, body: bytes, *, kind: str = "true") -> None:
        await self._courier.post(CONFIRMATION, about, urls.confirm_url, body, kind=kind)

    def _confirmed(self, settled: Settled, *, third_party_id: str = "") -> bytes:
        return self._written(
            Written(
                receipt=settled.receipt,
                stamp=settled.at.astimezone(EAT).strftime(STAMP),
                shillings=settled.shillings,
                msisdn=settled.msisdn,
                account=settled.account,
                place=settled.place,
                is_till=settled.place == self._network.settings.till,
                balance=settled.balance,
                number=self._next(),
                third_party_id=third_party_id,
            )
        )

    async def _validated(self, wanted: Wanted, *, receipt: str, account: str) -> str:
        """The merchant's own id for it, or "". Raises `Declined`."""
        urls, settings = self._urls_of(wanted.place), self._network.settings
        if urls is None or not urls.validate_url or not settings.validated:
            return ""
        is_till = wanted.place == settings.till
        body = self._written(
            Written(
                receipt=receipt,
                stamp=self._network.now().astimezone(EAT).strftime(STAMP),
                shillings=wanted.shillings,
                msisdn=wanted.msisdn,
                account="" if is_till else account,
                place=wanted.place,
                is_till=is_till,
                balance=None,
                number=self._next(),
            )
        )
        answer = await self._courier.post(
            VALIDATION, receipt, urls.validate_url, body, timeout_s=settings.validation_ms / 1000
        )
        verdict = None if answer is None else c2b_bodies.read_verdict(*answer)
        code, third_party_id = verdict or ("0" if urls.completes else "C2B00016", "")
        if code != "0":
            self._decline(wanted, code)
        return third_party_id

    def _decline(self, wanted: Wanted, code: str) -> None:
        words = f"Failed. {self._network.settings.business} cannot take this payment now."
        self._network.book.text(self._network.book.line(wanted.msisdn), words)
        raise Declined(code, words)

    def _written(self, told: Written) -> bytes:
        version = self._network.settings.c2b_version
        payer = c2b_bodies.payer_shown(told.msisdn, self._network.faults, version=version)
        return c2b_bodies.confirmation(told, payer=payer)

    def _urls_of(self, place: str) -> Urls | None:
        return self.urls.get(place) or self.urls.get(self._network.settings.shortcode)

    def _next(self) -> int:
        self._payments += 1
        return self._payments

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
