"""What the providers really did with money. The judge believes this, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from datetime import datetime

    from controller.payments.gateway import Push, Refund

BASE = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(slots=True)
class Paid:
    """Money that a provider settled; ``gone_minor`` of it has left again."""

    rail: str
    receipt: str
    minor: int
    place: str
    reference: str
    at: datetime
    msisdn: str
    push: str | None = None
    gone_minor: int = 0
    gone_at: datetime | None = None


@dataclass(slots=True)
class Prompt:
    """A push that a provider took. ``code`` is what its query says; None while it is open."""

    rail: str
    name: str
    push: Push
    code: str | None = None
    receipt: str | None = None


@dataclass(slots=True)
class GivenBack:
    """A refund that a provider took; ``went`` None while it has not decided."""

    refund: Refund
    rail: str
    name: str
    went: bool | None = None


@dataclass(slots=True)
class Truth:
    """All providers' books."""

    now: Callable[[], datetime]
    chance: random.Random
    paid: dict[tuple[str, str], Paid] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    refunds: dict[str, GivenBack] = field(default_factory=dict)
    reachable: bool = True

    def settle(
        self,
        rail: str,
        minor: int,
        *,
        place: str,
        reference: str,
        msisdn: str,
        push: str | None = None,
    ) -> Paid:
        """Money comes in for us."""
        receipt = self._receipt(rail)
        one = Paid(rail, receipt, minor, place, reference, self.now(), msisdn, push)
        self.paid[rail, receipt] = one
        return one

    def take(self, rail: str, push: Push) -> Prompt:
        """Ask a payer."""
        name = push.order_id if rail != "mpesa" else f"ws_CO_{len(self.prompts):020d}"
        known = self.prompts.get(name)
        if known is None:
            known = self.prompts[name] = Prompt(rail, name, push)
        return known

    def pay(self, name: str, place: str, *, till: bool = False) -> Paid:
        """A payer says yes to a prompt. Money at a Till tells no account."""
        prompt = self.prompts[name]
        reference = "" if till else prompt.push.account
        told = {"place": place, "reference": reference, "msisdn": str(prompt.push.msisdn)}
        one = self.settle(prompt.rail, prompt.push.amount.minor, push=name, **told)
        prompt.code, prompt.receipt = "0", one.receipt
        return one

    def take_back(self, paid: Paid, minor: int) -> None:
        """Money leaves us again."""
        assert paid.gone_minor + minor <= paid.minor, "a provider gives back what it has"
        paid.gone_minor, paid.gone_at = paid.gone_minor + minor, self.now()

    def decide(self, name: str, *, went: bool) -> GivenBack:
        """A refund is carried out, or not; once."""
        given = self.refunds[name]
        if given.went is None:
            given.went = went
            if went:
                self.take_back(
                    self.paid[given.rail, given.refund.receipt], given.refund.amount.minor
                )
        return given

    def held_minor(self, rail: str) -> int:
        """What a rail holds for us."""
        return sum(one.minor - one.gone_minor for one in self.paid.values() if one.rail == rail)

    def _receipt(self, rail: str) -> str:
        number = len(self.paid)
        if rail == "card":
            return f"{4_000_000 + number}"
        if rail == "airtel":
            return f"MP261126.0900.L{number:05d}"
        return "UGE" + "".join(self.chance.choice(BASE) for _ in range(5)) + f"{number:02d}"
