"""The simulated network: lines with money, prompts on their phones, numbers for what was paid.

# Invariant: what left the lines' balances is what ``settled`` adds up to, refunds taken off.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING

from controller.sandbox.airtel.requests import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from controller.sandbox.airtel.requests import Asked
    from controller.sandbox.airtel.settings import AirtelSimSettings
    from controller.sandbox.remote import Chores

EAT = timezone(timedelta(hours=3), "EAT")
PROMPTS_MAX = 100_000
PIN_WRONG = "0000"


class Stage(StrEnum):
    """Where a prompt is."""

    OPEN = "open"  # on the phone, waiting for a PIN
    WORKING = "working"  # decided by the payer, Airtel is at it
    DONE = "done"


class NotOnScreen(Exception):  # noqa: N818 - a refusal, see style
    """There is no such prompt on a phone, or not any more."""


@dataclass(slots=True)
class Prompt:
    """One push. ``status`` is TIP until it is decided; ``code`` says why it failed."""

    id: str
    transaction_id: str
    msisdn: str
    shillings: int
    reference: str
    asked_at: datetime
    stage: Stage = Stage.OPEN
    status: str = "TIP"
    code: str = "DP00800001006"
    receipt: str = ""
    asked_since_paid: int = 0
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Settled:
    """Money that moved, once per number. ``kind`` is ``push`` or ``refund`` (which went out)."""

    kind: str
    receipt: str
    shillings: int
    msisdn: str
    transaction_id: str
    of: str
    at: datetime


class Network:
    """Lines, prompts and money of one simulated Airtel. ``tell`` carries news of a prompt."""

    def __init__(
        self,
        settings: AirtelSimSettings,
        *,
        now: Callable[[], datetime],
        tell: Callable[[Prompt], Coroutine[None, None, None]],
        chores: Chores,
    ) -> None:
        self.settings = settings
        self.now = now
        self.lines: dict[str, int] = {}
        self.prompts: dict[str, Prompt] = {}
        self.settled: list[Settled] = []
        self._tell = tell
        self._chores = chores

    def by_transaction(self, transaction_id: str) -> Prompt | None:
        """The prompt that the merchant knows by this name."""
        return self.prompts.get(transaction_id)

    def push(self, asked: Asked) -> Prompt:
        """Take a push. Raises `Refused` for a name that was used before."""
        if asked.id in self.prompts:
            raise Refused("", "ESB000041", "Duplicate external transaction id")
        if len(self.prompts) >= PROMPTS_MAX:
            raise Refused("", "ROUTER112", "Too many requests")
        self.lines.setdefault(asked.msisdn, self.settings.opening_shillings)
        prompt = Prompt(
            id=secrets.token_hex(6),
            transaction_id=asked.id,
            msisdn=asked.msisdn,
            shillings=asked.shillings,
            reference=asked.reference,
            asked_at=self.now(),
        )
        self.prompts[asked.id] = prompt
        self._chores.start(lambda: self._live(prompt))
        return prompt

    def enter_pin(self, prompt_id: str, pin: str) -> Prompt:
        """Type a PIN: any four digits are right, but for 0000. Raises `NotOnScreen`."""
        if pin == PIN_WRONG:
            return self._decide(prompt_id, "TF", "DP00800001002")
        return self._decide(prompt_id, "TS", "DP00800001001")

    def cancel(self, prompt_id: str) -> Prompt:
        """Say no. Raises `NotOnScreen`."""
        return self._decide(prompt_id, "TF", "DP00800001008")

    def top_up(self, msisdn: str, shillings: int) -> int:
        """Put money on a line; what it holds now."""
        self.lines[msisdn] = self.lines.get(msisdn, self.settings.opening_shillings) + shillings
        return self.lines[msisdn]

    def refund(self, receipt: str) -> Settled:
        """Give the whole of a payment back, once. Raises `Refused`."""
        paid = next((s for s in self.settled if s.kind == "push" and s.receipt == receipt), None)
        if paid is None:
            raise Refused("DP00800001025", "ESB000045", "Transaction not found")
        if any(s.of == receipt for s in self.settled):
            raise Refused("DP00800001009", "ESB000011", "Transaction is refunded already")
        back = Settled(
            "refund",
            self._number("RF"),
            paid.shillings,
            paid.msisdn,
            paid.transaction_id,
            receipt,
            self.now(),
        )
        self.settled.append(back)
        self.lines[paid.msisdn] += paid.shillings
        return back

    def _decide(self, prompt_id: str, status: str, code: str) -> Prompt:
        prompt = next((p for p in self.prompts.values() if p.id == prompt_id), None)
        if prompt is None or prompt.stage is not Stage.OPEN:
            raise NotOnScreen(prompt_id)
        prompt.stage, prompt.status, prompt.code = Stage.WORKING, status, code
        prompt.decided.set()
        return prompt

    async def _live(self, prompt: Prompt) -> None:
        try:
            async with asyncio.timeout(self.settings.prompt_life_s):
                await prompt.decided.wait()
        except TimeoutError:
            prompt.status, prompt.code = "TE", "DP00800001029"
        await asyncio.sleep(self.settings.working_ms / 1000)
        if prompt.status == "TS":
            self._settle(prompt)
        prompt.stage = Stage.DONE
        try:
            await self._tell(prompt)
        finally:
            prompt.told.set()

    def _settle(self, prompt: Prompt) -> None:
        if self.lines[prompt.msisdn] < prompt.shillings:
            prompt.status, prompt.code = "TF", "DP00800001007"
            return
        self.lines[prompt.msisdn] -= prompt.shillings
        prompt.receipt = self._number("MP")
        self.settled.append(
            Settled(
                "push",
                prompt.receipt,
                prompt.shillings,
                prompt.msisdn,
                prompt.transaction_id,
                "",
                self.now(),
            )
        )

    def _number(self, kind: str) -> str:
        stamp = self.now().astimezone(EAT).strftime("%y%m%d.%H%M")
        return f"{kind}{stamp}.L{len(self.settled) + 1:05d}"
