"""The simulated network: the prompts on its phones, over one `Book` of money.

A prompt is decided once: by the PIN, by Cancel, or by its time running out. Then M-PESA works for a
moment, money moves or not, and the merchant is told.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.sandbox.daraja.book import EAT, Book, Kind, Settled, TooLittle, system_busy
from controller.sandbox.daraja.faults import Faults
from controller.sandbox.daraja.requests import PROMPT_CHARS_MAX, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from controller.sandbox.daraja.book import Line
    from controller.sandbox.daraja.requests import Asked
    from controller.sandbox.daraja.settings import SimSettings

PROMPTS_MAX = 100_000
SAME_AMOUNT_S = 120
PIN_WRONG = "0000"


class Stage(StrEnum):
    """Where a prompt is."""

    OPEN = "open"  # on the phone, waiting for a PIN
    HIDDEN = "hidden"  # taken by Daraja, but the phone never shows it
    WORKING = "working"  # decided by the payer, M-PESA is at it
    DONE = "done"  # final, as far as the network is concerned


class NotOnScreen(Exception):  # noqa: N818 - a refusal, see style
    """There is no such prompt on a phone, or not any more."""


@dataclass(slots=True)
class Prompt:
    """One push. ``code`` is None until it is decided.

    ``kind`` says what a right PIN does: move money, or agree to a standing order.
    """

    id: str
    number: int
    checkout_id: str
    merchant_id: str
    msisdn: str
    shillings: int
    account: str
    description: str
    callback_url: str
    asked_at: datetime
    expires_at: datetime
    stage: Stage
    kind: Kind
    text: str
    code: str | None = None
    receipt: str = ""
    paid_stamp: str = "0"
    settled: Settled | None = None
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)


class Network:
    """Prompts and money of one simulated M-PESA.

    ``tell`` carries the news of a finished prompt to the merchant; ``changed`` is called after
    everything that a page shows.
    """

    def __init__(
        self,
        settings: SimSettings,
        *,
        now: Callable[[], datetime],
        tell: Callable[[Prompt], Coroutine[None, None, None]],
        changed: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.faults = Faults()
        self.book = Book(settings, now=self.now)
        self.prompts: dict[str, Prompt] = {}
        self.changed = changed
        self._now = now
        self._tell = tell
        self._by_line: dict[str, list[Prompt]] = {}
        self._by_checkout_id: dict[str, Prompt] = {}
        self._lives: set[asyncio.Task[None]] = set()

    def now(self) -> datetime:
        """The time on this network's clock, which may be wrong."""
        skew_s = self.faults.clock_ahead_s - self.faults.clock_behind_s
        return self._now() + timedelta(seconds=skew_s)

    def open_prompt(self, msisdn: str) -> Prompt | None:
        """What this phone shows just now."""
        busy = self.busy_with(msisdn)
        return busy if busy is not None and busy.stage is Stage.OPEN else None

    def busy_with(self, msisdn: str) -> Prompt | None:
        """The push that this phone is busy with."""
        mine = self._by_line.get(msisdn, [])
        return next((p for p in mine if p.stage in (Stage.OPEN, Stage.WORKING)), None)

    def newest(self) -> Prompt | None:
        """The last push for money."""
        return next((p for p in reversed(self.prompts.values()) if p.kind is Kind.STK), None)

    def by_checkout_id(self, checkout_id: str) -> Prompt | None:
        """The prompt that Daraja knows by this name."""
        return self._by_checkout_id.get(checkout_id)

    def push(self, asked: Asked) -> Prompt:
        """Take a push: the phone shows it, or it fails later by itself. Raises `Refused`."""
        line = self.book.line(asked.msisdn)
        if len(self.prompts) >= PROMPTS_MAX:
            raise system_busy()
        fate = self._fate(asked)
        prompt = self._new_prompt(asked)
        if fate is not None:
            prompt.stage, prompt.code = Stage.WORKING, fate
            prompt.decided.set()
        elif not asked.prompt_arrives:
            prompt.stage = Stage.HIDDEN
        self.book.latest = prompt.msisdn
        self.prompts[prompt.id] = prompt
        if prompt.kind is Kind.STK:
            self._by_checkout_id[prompt.checkout_id] = prompt
        self._by_line.setdefault(prompt.msisdn, []).append(prompt)
        life = asyncio.create_task(self._live(prompt, line))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        self.changed()
        return prompt

    def enter_pin(self, prompt_id: str, pin: str) -> Prompt:
        """The payer types a PIN: any four digits are right, but for 0000. Raises `NotOnScreen`."""
        return self._decide(prompt_id, "2001" if pin == PIN_WRONG else "0")

    def cancel(self, prompt_id: str) -> Prompt:
        """The payer says no. Raises `NotOnScreen`."""
        return self._decide(prompt_id, "1032")

    def top_up(self, msisdn: str, shillings: int) -> Line:
        """Put money on a line, up to what a wallet may hold."""
        line = self.book.top_up(msisdn, shillings)
        self.changed()
        return line

    def set_faults(self, faults: Faults) -> None:
        """From now on the network behaves so."""
        self.faults = faults
        self.changed()

    async def stop(self) -> None:
        """End all that is under way."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _fate(self, asked: Asked) -> str | None:
        """The code with which a push fails by itself, after it was taken. Raises `Refused`."""
        mine = self._by_line.get(asked.msisdn, [])
        if any(p.stage is not Stage.DONE for p in mine):
            if self.faults.line_busy_later:
                return "1001"
            words = "Unable to lock subscriber, a transaction is already in process for the current"
            raise Refused(500, "500.001.1001", f"{words} subscriber")
        since = self.now() - timedelta(seconds=SAME_AMOUNT_S)
        if self.faults.line_same_amount and any(
            p.shillings == asked.shillings and p.asked_at >= since for p in mine
        ):
            return "17"
        if asked.wrong_receiver:
            return "SFC_IC0003"
        return "1025" if len(self._words(asked)) > PROMPT_CHARS_MAX else None

    def _words(self, asked: Asked) -> str:
        return asked.words or prompt_text(self.settings.business, asked.shillings, asked.account)

    def _new_prompt(self, asked: Asked) -> Prompt:
        now = self.now()
        number = len(self.prompts) + 1
        stamp = now.astimezone(EAT).strftime("%d%m%Y%H%M%S")
        return Prompt(
            id=secrets.token_hex(6),
            number=number,
            checkout_id=f"ws_CO_{stamp}{number % 1000:03d}{asked.msisdn[3:]}",
            merchant_id=f"{secrets.token_hex(2)}-{secrets.token_hex(8)}",
            msisdn=asked.msisdn,
            shillings=asked.shillings,
            account=asked.account,
            description=asked.description,
            callback_url=asked.callback_url,
            asked_at=now,
            expires_at=now + timedelta(seconds=self.settings.prompt_life_s),
            stage=Stage.OPEN,
            kind=Kind.ORDER if asked.words else Kind.STK,
            text=self._words(asked),
        )

    def _decide(self, prompt_id: str, code: str) -> Prompt:
        prompt = self.prompts.get(prompt_id)
        if prompt is None or prompt.stage is not Stage.OPEN:
            raise NotOnScreen(prompt_id)
        prompt.stage, prompt.code = Stage.WORKING, code
        prompt.decided.set()
        self.changed()
        return prompt

    async def _live(self, prompt: Prompt, line: Line) -> None:
        try:
            async with asyncio.timeout(self.settings.prompt_life_s):
                await prompt.decided.wait()
        except TimeoutError:
            prompt.code = "1037"
        await asyncio.sleep(self.settings.working_ms / 1000)
        if prompt.code == "0" and prompt.kind is Kind.STK:
            self._settle(prompt, line)
        prompt.stage = Stage.DONE
        self.changed()
        try:
            await self._tell(prompt)
        finally:
            prompt.told.set()
            self.changed()

    def _settle(self, prompt: Prompt, line: Line) -> None:
        try:
            prompt.settled = self.book.collect(
                Kind.STK,
                line,
                prompt.shillings,
                # A till has no accounts: what the push said is not told again.
                account=prompt.account if self.settings.till is None else "",
                place=self.settings.party_b,
                checkout_id=prompt.checkout_id,
            )
        except TooLittle:
            prompt.code = "1"
            return
        prompt.receipt = prompt.settled.receipt
        prompt.paid_stamp = prompt.settled.at.astimezone(EAT).strftime("%Y%m%d%H%M%S")

    def text(self, msisdn: str, text: str, *, sender: str) -> None:
        """A message of somebody else reaches this number. Raises `Refused` if full."""
        self.book.text(self.book.line(msisdn), text, sender=sender)
        self.changed()


def prompt_text(business: str, shillings: int, account: str) -> str:
    """What the phone asks."""
    return f"Do you want to pay KES {shillings:,} to {business}, account no. {account}?"
