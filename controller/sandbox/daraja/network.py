"""The simulated network: lines with money, prompts on their phones, receipts for what was paid.

A prompt is decided once: by the PIN, by Cancel, or by its time running out. Then M-PESA works for a
moment, money moves or not, and the courier is told.

# Invariant: what left the lines' balances is what stands in ``settled``, shilling for shilling.
"""

from __future__ import annotations

import asyncio
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.sandbox.daraja.faults import Faults
from controller.sandbox.daraja.requests import PROMPT_CHARS_MAX, Refused
from controller.sandbox.daraja.settings import WALLET_SHILLINGS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from controller.sandbox.daraja.requests import Asked
    from controller.sandbox.daraja.settings import SimSettings

EAT = timezone(timedelta(hours=3), "EAT")
PROMPTS_MAX = 100_000
LINES_MAX = 20_000
MESSAGES_MAX = 30
SAME_AMOUNT_S = 120
PIN_WRONG = "0000"
SHARED_SENDER = "AFRICASTKNG"
_ALPHABET = string.ascii_uppercase + string.digits


class Stage(StrEnum):
    """Where a prompt is."""

    OPEN = "open"  # on the phone, waiting for a PIN
    HIDDEN = "hidden"  # taken by Daraja, but the phone never shows it
    WORKING = "working"  # decided by the payer, M-PESA is at it
    DONE = "done"  # final, as far as the network is concerned


class NotOnScreen(Exception):  # noqa: N818 - a refusal, see style
    """There is no such prompt on a phone, or not any more."""


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
    messages: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Prompt:
    """One push. ``code`` is None until it is decided."""

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
    code: str | None = None
    receipt: str = ""
    paid_stamp: str = "0"
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Settled:
    """Money that moved, once per receipt."""

    receipt: str
    shillings: int
    msisdn: str
    checkout_id: str
    account: str
    at: datetime


class Network:
    """Lines, prompts and money of one simulated M-PESA.

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
        self.lines: dict[str, Line] = {}
        self.prompts: dict[str, Prompt] = {}
        self.settled: list[Settled] = []
        self.latest: str | None = None
        """The number that was asked or texted last."""
        self.now = now
        self._tell = tell
        self._changed = changed
        self._receipts: set[str] = set()
        self._by_line: dict[str, list[Prompt]] = {}
        self._by_checkout_id: dict[str, Prompt] = {}
        self._lives: set[asyncio.Task[None]] = set()

    def line(self, msisdn: str) -> Line:
        """The line of this number; every Kenyan mobile number has one. Raises `Refused` if full."""
        found = self.lines.get(msisdn)
        if found is None:
            if len(self.lines) >= LINES_MAX:
                raise _busy()
            found = self.lines[msisdn] = Line(msisdn, self.settings.opening_shillings)
        return found

    def open_prompt(self, msisdn: str) -> Prompt | None:
        """What this phone shows just now."""
        busy = self.busy_with(msisdn)
        return busy if busy is not None and busy.stage is Stage.OPEN else None

    def busy_with(self, msisdn: str) -> Prompt | None:
        """The push that this phone is busy with."""
        mine = self._by_line.get(msisdn, [])
        return next((p for p in mine if p.stage in (Stage.OPEN, Stage.WORKING)), None)

    def newest(self) -> Prompt | None:
        """The last push of all."""
        return next(reversed(self.prompts.values()), None)

    def by_checkout_id(self, checkout_id: str) -> Prompt | None:
        """The prompt that Daraja knows by this name."""
        return self._by_checkout_id.get(checkout_id)

    def push(self, asked: Asked) -> Prompt:
        """Take a push: the phone shows it, or it fails later by itself. Raises `Refused`."""
        line = self.line(asked.msisdn)
        if len(self.prompts) >= PROMPTS_MAX:
            raise _busy()
        fate = self._fate(asked)
        prompt = self._new_prompt(asked)
        if fate is not None:
            prompt.stage, prompt.code = Stage.WORKING, fate
            prompt.decided.set()
        elif not asked.prompt_arrives:
            prompt.stage = Stage.HIDDEN
        self.latest = prompt.msisdn
        self.prompts[prompt.id] = prompt
        self._by_checkout_id[prompt.checkout_id] = prompt
        self._by_line.setdefault(prompt.msisdn, []).append(prompt)
        life = asyncio.create_task(self._live(prompt, line))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        self._changed()
        return prompt

    def enter_pin(self, prompt_id: str, pin: str) -> Prompt:
        """The payer types a PIN: any four digits are right, but for 0000. Raises `NotOnScreen`."""
        return self._decide(prompt_id, "2001" if pin == PIN_WRONG else "0")

    def cancel(self, prompt_id: str) -> Prompt:
        """The payer says no. Raises `NotOnScreen`."""
        return self._decide(prompt_id, "1032")

    def top_up(self, msisdn: str, shillings: int) -> Line:
        """Put money on a line, up to what a wallet may hold."""
        line = self.line(msisdn)
        line.shillings = min(WALLET_SHILLINGS_MAX, line.shillings + shillings)
        self._changed()
        return line

    def set_faults(self, faults: Faults) -> None:
        """From now on the network behaves so."""
        self.faults = faults
        self._changed()

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
        if (
            len(prompt_text(self.settings.business, asked.shillings, asked.account))
            > PROMPT_CHARS_MAX
        ):
            return "1025"
        return None

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
        )

    def _decide(self, prompt_id: str, code: str) -> Prompt:
        prompt = self.prompts.get(prompt_id)
        if prompt is None or prompt.stage is not Stage.OPEN:
            raise NotOnScreen(prompt_id)
        prompt.stage, prompt.code = Stage.WORKING, code
        prompt.decided.set()
        self._changed()
        return prompt

    async def _live(self, prompt: Prompt, line: Line) -> None:
        try:
            async with asyncio.timeout(self.settings.prompt_life_s):
                await prompt.decided.wait()
        except TimeoutError:
            prompt.code = "1037"
        await asyncio.sleep(self.settings.working_ms / 1000)
        if prompt.code == "0":
            self._settle(prompt, line)
        prompt.stage = Stage.DONE
        self._changed()
        try:
            await self._tell(prompt)
        finally:
            prompt.told.set()
            self._changed()

    def _settle(self, prompt: Prompt, line: Line) -> None:
        if line.shillings < prompt.shillings:
            prompt.code = "1"
            self._text(
                line,
                f"Not enough money to pay Ksh{prompt.shillings:,}.00."
                f" Your balance is Ksh{line.shillings:,}.00.",
            )
            return
        now = self.now()
        local = now.astimezone(EAT)
        line.shillings -= prompt.shillings
        prompt.receipt = self._new_receipt()
        prompt.paid_stamp = local.strftime("%Y%m%d%H%M%S")
        self.settled.append(
            Settled(
                receipt=prompt.receipt,
                shillings=prompt.shillings,
                msisdn=prompt.msisdn,
                checkout_id=prompt.checkout_id,
                account=prompt.account,
                at=now,
            )
        )
        when = f"{local.day}/{local.month}/{local:%y} at {local:%H:%M}"
        self._text(
            line,
            f"{prompt.receipt} Confirmed. Ksh{prompt.shillings:,}.00 sent to"
            f" {self.settings.business} for account {prompt.account} on {when}."
            f" New M-PESA balance is Ksh{line.shillings:,}.00.",
        )

    def text(self, msisdn: str, text: str, *, sender: str) -> None:
        """A message of somebody else reaches this number. Raises `Refused` if full."""
        self._text(self.line(msisdn), text, sender=sender or SHARED_SENDER)
        self._changed()

    def _text(self, line: Line, text: str, *, sender: str = "M-PESA") -> None:
        self.latest = line.msisdn
        line.messages.insert(0, Message(self.now(), text, sender))
        del line.messages[MESSAGES_MAX:]

    def _new_receipt(self) -> str:
        while True:
            receipt = "S" + "".join(secrets.choice(_ALPHABET) for _ in range(9))
            if receipt not in self._receipts:
                self._receipts.add(receipt)
                return receipt


def prompt_text(business: str, shillings: int, account: str) -> str:
    """What the phone asks."""
    return f"Do you want to pay KES {shillings:,} to {business}, account no. {account}?"


def _busy() -> Refused:
    return Refused(500, "500.003.02", "System is busy. Please try again in few minutes.")
