"""What an agent may ask of the controller, and what it may be told. PURE.

The values are the agent's own; ``agent/wire.py`` turns them into protobuf and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime

    from agent.vitals import Vitals
    from agent.wire import Record
    from billing.ids import GrantId, OrderId, RedemptionId
    from billing.msisdn import Msisdn, PhoneCode
    from billing.payment import OrderStage, Reason
    from billing.receipt import Receipt
    from billing.token import TokenCode
    from billing.voucher import VoucherCode
    from portal.captive.gate import Refusal
    from shaping.plane import MacAddress

REPORT_BATCH_MAX = 1_000
"""Records in one report at most."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How full the site's outbox is, and the newest of it when it is longer than this report.

    ``newest`` are openings and readings with seq 0: they are believed as any reading is, and
    acknowledge nothing.
    """

    newest: tuple[Record, ...] = ()
    records: int = 0
    records_max: int = 0


NO_BACKLOG = Backlog()


@dataclass(frozen=True, slots=True)
class Acked:
    """All records up to ``seq`` are committed; ``at`` is the controller's clock, if it says."""

    seq: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DesiredChange:
    """A step of this site's desired state, or (``from_generation`` 0) the whole; raw bodies.

    Or a part of one: up to ``upto_key`` it is told, and more will come; what ``continues`` is put
    to the parts before it, and what does not takes their place.
    """

    generation: int
    from_generation: int
    upserts: tuple[tuple[str, bytes], ...]
    removals: tuple[str, ...]
    digest: bytes
    upto_key: str = ""
    continues: bool = False

    @property
    def is_part(self) -> bool:
        """Whether it means something only together with others."""
        return bool(self.upto_key) or self.continues


@dataclass(frozen=True, slots=True)
class Held:
    """What the site has of a change that comes in parts: everything up to a key."""

    generation: int
    digest: bytes
    from_generation: int
    upto_key: str


NO_PARTS = Held(0, b"", 0, "")


@dataclass(frozen=True, slots=True)
class AppliedState:
    """Which version the data plane was last brought to, and the digest of its items."""

    generation: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase as the site journals it before sending; ``rail`` is the wallet, "" the first."""

    order_id: OrderId
    plan_id: str
    msisdn: Msisdn
    device_mac: MacAddress
    age_s: int
    rail: str = ""


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """Where the controller says that an order stands; ``reason`` says why it was refused."""

    stage: OrderStage
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Full:
    """The code proves the right to this grant, and every place of it is taken."""

    grant_id: GrantId


class UplinkError(Exception):
    """The controller could not be reached or did not answer in time; trying again may help.

    ``sent`` says whether the message may have reached the controller; False is certain.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class UplinkRefused(UplinkError):  # noqa: N818 - a sentence: the controller said no
    """The controller understood and said no (revoked certificate, malformed message).

    Trying the same again will not help; the message says what to do.
    """


class Uplink(Protocol):
    """The controller, as an agent sees it. Implementations: ``memory``, ``grpc``."""

    def follow(
        self, known: AppliedState, held: Held | None = None
    ) -> AsyncGenerator[DesiredChange, None]:
        """Changes since ``known``, then each later one as it comes; ends only by raising.

        With ``held`` a large one comes in parts, and goes on from those that are held if it can.

        Raises `UplinkError`, `UplinkRefused`.
        """
        ...

    async def report(
        self,
        journal: str,
        records: Sequence[Record],
        applied: AppliedState,
        backlog: Backlog = NO_BACKLOG,
        vitals: Vitals | None = None,
    ) -> Acked:
        """Deliver records (may be none); the seq up to which the controller has committed.

        ``vitals`` are how the box is, where that was looked at.

        Raises `UplinkError`, `UplinkRefused`.
        """
        ...

    async def purchase(self, order: Order) -> OrderAnswer:
        """Ask for money for an order, or, for an order sent before, where it stands.

        Raises `UplinkError`, `UplinkRefused`.
        """
        ...

    async def redeem(
        self,
        redemption_id: RedemptionId,
        code: VoucherCode | Receipt | TokenCode | PhoneCode,
        device: MacAddress,
        msisdn: str = "",
    ) -> Refusal | Full | None:
        """Redeem a code, or join what a code has bought; None when accepted.

        With ``msisdn`` the code is the one that `send_code` sent there. The grant follows on
        `follow`.

        Raises `UplinkError`, `UplinkRefused`.
        """
        ...

    async def send_code(self, msisdn: Msisdn, device: MacAddress) -> Refusal | None:
        """Have a short code sent to a phone; None also when that number has bought nothing.

        Raises `UplinkError`, `UplinkRefused`.
        """
        ...
