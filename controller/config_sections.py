"""The sections of the settings, and the shapes of what may stand in them. PURE."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
)

from controller.alerts.rules import RULE_NAMES, Thresholds
from controller.notify.email_message import is_address
from controller.notify.http_sms_wire import Form, path_fault, template_fault
from controller.notify.smtp import Security
from controller.payments.bank_notice import Bank

HOST_SHAPE = r"^[A-Za-z0-9._:-]{1,253}$"
URL_SHAPE = r"^https?://[^\s/?#]+[^\s?#]{0,150}$"
URL_OR_NOTHING_SHAPE = r"^(https?://[^\s/?#]+[^\s?#]{0,150})?$"
DATABASE_SHAPE = r"^(sqlite\+aiosqlite|postgresql\+psycopg)://"
SHORTCODE_SHAPE = r"^[0-9]{5,7}$"
PHONE_SHAPE = r"^[0-9+ ]{0,20}$"
SENDER_SHAPE = r"^([A-Za-z0-9]{1,11})?$"
PAYER_SHAPE = r"^254[17][0-9]{8}$"
PLACE_SHAPE = r"^[A-Za-z0-9._-]{1,32}$"
TILES_SHAPE = r"^(https?://[^\s?#{};,'\"]+/\{z\}/\{x\}/\{y\}[A-Za-z0-9@._-]{0,20})?$"
RECIPIENT_SHAPE = r"^(age1[02-9ac-hj-np-z]{58})?$"
COST_SHAPE = r"^[0-9]{1,3}(\.[0-9]{1,4})?$"
WANTS = {
    HOST_SHAPE: "a host name or address, without a port",
    URL_SHAPE: "http://… or https://…, without a query",
    URL_OR_NOTHING_SHAPE: "http://… or https://…, without a query",
    DATABASE_SHAPE: "sqlite+aiosqlite:///… or postgresql+psycopg://…",
    SHORTCODE_SHAPE: "5 to 7 digits",
    PHONE_SHAPE: "at most 20 digits and spaces",
    SENDER_SHAPE: "at most 11 letters and digits",
    PAYER_SHAPE: "a phone like 254712345678",
    PLACE_SHAPE: "1 to 32 letters, digits, -, _ and .",
    TILES_SHAPE: "http://… or https://…, ending in /{z}/{x}/{y}.png",
    RECIPIENT_SHAPE: "the public half of a recovery key, age1…",
    COST_SHAPE: "shillings, like 0.80",
}
"""What each shape is called when a value does not have it."""


def _is_an_address(url: str) -> str:
    """The address itself. Raises `ValueError` for what has its shape and no host or no port."""
    try:
        found = urlsplit(url)
        whole = bool(found.hostname) and found.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"want {WANTS[URL_SHAPE]}")
    return url


Port = Annotated[int, Field(ge=0, le=65_535)]
Host = Annotated[str, StringConstraints(pattern=HOST_SHAPE)]
Url = Annotated[str, StringConstraints(pattern=URL_SHAPE), AfterValidator(_is_an_address)]
Threshold = Annotated[int, Field(ge=0, le=10**12)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Argument = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Place = Annotated[str, StringConstraints(pattern=PLACE_SHAPE)]
Shortcode = Annotated[str, StringConstraints(pattern=SHORTCODE_SHAPE)]


class Section(BaseModel):
    """A part of the settings; unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatabaseSettings(Section):
    """Where the truth is kept. No URL means SQLite in the state directory. May hold a password."""

    url: str | None = Field(default=None, pattern=DATABASE_SHAPE, repr=False)


class HttpSettings(Section):
    """The HTTP door: staff, and the providers' callbacks (through a TLS proxy).

    ``proxies`` are our own, whose word about who asks is taken. ``callback_sources`` are the
    addresses from which callbacks are known to come: another one is noted, not refused.
    """

    host: Host = "127.0.0.1"
    port: Port = 8080
    public_url: Url | None = None
    proxies: tuple[Host, ...] = ()
    callback_sources: tuple[Host, ...] = ()


class MapSection(Section):
    """Raster tiles of the operator's own under the map; without them it is our own drawing.

    ``tiles`` is an address with ``{z}``, ``{x}`` and ``{y}``; browsers of staff ask it.
    """

    tiles: str = Field(default="", pattern=TILES_SHAPE)
    attribution: str = Field(default="", max_length=200)


class EdgeSettings(Section):
    """The gRPC door. ``public_host`` is what agents dial; it stands in join tokens."""

    host: Host = "127.0.0.1"
    port: Port = 8443
    join_port: Port = 8444
    public_host: Host = "127.0.0.1"


class ManagementSettings(Section):
    """Where Prometheus reads ``/metrics``; nowhere without a ``port``. It asks for no key.

    Whoever reaches it learns how busy the business is: keep it on this machine, or on a network
    of your own.
    """

    host: Host = "127.0.0.1"
    port: Port | None = None


class MpesaSection(Section):
    """A Daraja application. ``shortcode`` signs; ``till`` is where Buy Goods money lands.

    ``confirm_above`` (KES): callbacks are not signed, so more than this is believed only when the
    provider, asked by us, says so too. ``c2b`` registers our addresses for money that payers send
    from their own menu: in production once for ever. ``nominated_number`` is the phone in the
    shortcode's papers, with which missed payments are pulled. ``initiator`` is an API user who may
    look up, reverse and pay out; ``certificate`` is Safaricom's, as PEM.
    """

    base_url: Url = "https://api.safaricom.co.ke"
    shortcode: Shortcode
    till: Shortcode | None = None
    consumer_key: Word
    consumer_secret: SecretStr = Field(min_length=1)
    passkey: SecretStr = Field(min_length=1)
    confirm_above: int = Field(default=5_000, ge=0, le=250_000)
    c2b: bool = False
    c2b_version: Literal["v1", "v2"] = "v2"
    nominated_number: Annotated[str, StringConstraints(pattern=PAYER_SHAPE)] | None = None
    initiator: Word | None = None
    initiator_password: SecretStr | None = Field(default=None, min_length=1)
    certificate: SecretStr | None = Field(default=None, min_length=1)
    merchant_name: Word = "INTERNET"


class AirtelSection(Section):
    """An application of Airtel's developer portal; see `AirtelSettings`."""

    base_url: Url
    client_id: Word
    client_secret: SecretStr = Field(min_length=1)
    merchant: Place
    signed: bool = False


class CardSection(Section):
    """A business with Paystack; see `PaystackSettings`."""

    base_url: Url = "https://api.paystack.co"
    secret_key: SecretStr = Field(min_length=1)
    merchant: Place


class BankSection(Section):
    """A bank account whose notices we take; see `BankSettings`."""

    bank: Bank
    account: Place
    public_key: SecretStr | None = Field(default=None, min_length=1)
    user: Word | None = None
    password: SecretStr | None = Field(default=None, min_length=1)


def _template(text: str) -> str:
    if fault := template_fault(text):
        raise ValueError(fault)
    return text


def _path(text: str) -> str:
    if fault := path_fault(text):
        raise ValueError(fault)
    return text


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("want an address like bills@example.co.ke")
    return text


def _address_or_nothing(text: str) -> str:
    return text and _address(text)


Template = Annotated[str, AfterValidator(_template)]
AnswerPath = Annotated[str, AfterValidator(_path)]


class HttpSmsSection(Section):
    """How a carrier's own HTTP interface is spoken: see ``notify/http_sms_wire.py``."""

    url: Url
    method: Literal["POST", "GET"] = "POST"
    form: Form = Form.JSON
    fields: dict[str, Template] = Field(min_length=1)
    headers: dict[str, Template] = Field(default_factory=dict, repr=False)
    code_at: tuple[AnswerPath, ...] = ()
    name_at: tuple[AnswerPath, ...] = ()
    taken: tuple[str, ...] = ("200",)
    refused: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    part_cost: Annotated[str, StringConstraints(pattern=COST_SHAPE)] | None = None


class SmsSection(Section):
    """The account with a carrier. ``sender_id`` is registered with it; "" for a shared one.

    ``base_url`` and ``username`` are for Africa's Talking, ``http`` is for any other.
    """

    kind: Literal["africas_talking", "http"] = "africas_talking"
    base_url: Url = "https://api.africastalking.com"
    username: Word | None = None
    api_key: SecretStr = Field(min_length=1)
    sender_id: Annotated[str, StringConstraints(pattern=SENDER_SHAPE)] = ""
    http: HttpSmsSection | None = None


class EmailSection(Section):
    """The account with a mail server. Without a ``username`` nobody logs in."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Security = Security.STARTTLS
    username: Word | None = None
    password: SecretStr | None = Field(default=None, min_length=1)
    sender: Annotated[str, AfterValidator(_address)]


class SimulatedSection(Section):
    """Where a trial on this machine simulates providers: the set-up offers them beside real ones.

    Empty: there are none.
    """

    mpesa: Annotated[str, StringConstraints(pattern=URL_OR_NOTHING_SHAPE)] = ""
    sms: Annotated[str, StringConstraints(pattern=URL_OR_NOTHING_SHAPE)] = ""


class AuditSettings(Section):
    """Whom the head of the audit log's chain is sent to each day, by e-mail; "": nobody."""

    heads_to: Annotated[str, AfterValidator(_address_or_nothing)] = ""


class BackupSettings(Section):
    """When backups are made, where they are kept, and for whom they are encrypted.

    ``recipient`` is the public half of the recovery key; "": that which `lango backup key` made.
    ``command`` is run after each, with its path as last word, to take it elsewhere.
    """

    recipient: Annotated[str, StringConstraints(pattern=RECIPIENT_SHAPE)] = ""
    folder: Path | None = None
    at: time = time(2)
    command: tuple[Argument, ...] = ()


def _thresholds(told: dict[str, int]) -> dict[str, int]:
    try:
        Thresholds.of(told)
    except KeyError as error:
        raise ValueError(f"there is no threshold {error.args[0]}") from error
    return told


def _rule(name: str) -> str:
    if name not in RULE_NAMES:
        raise ValueError(f"want one of {', '.join(sorted(RULE_NAMES))}")
    return name


class AlertsSection(Section):
    """What is worth an alert: other ``thresholds`` than the usual, and rules that are ``off``.

    Webhooks go to the internet only, and to ``webhook_networks`` (``10.1.2.0/24``).
    """

    thresholds: Annotated[dict[str, Threshold], AfterValidator(_thresholds)] = {}
    off: tuple[Annotated[str, AfterValidator(_rule)], ...] = ()
    webhook_networks: tuple[IPvAnyNetwork, ...] = ()


class OperatorSettings(Section):
    """How new sites present the operator until staff say otherwise.

    ``odd_amounts`` says what becomes of too little money for what was ordered, ``receipts`` who is
    told by SMS and e-mail that money came: nobody, those who have an account, or hotspot too.
    """

    name: Word = "Lango"
    help_phone: Annotated[str, StringConstraints(pattern=PHONE_SHAPE)] = ""
    language: Literal["en", "sw"] = "en"
    odd_amounts: Literal["wallet", "best_plan"] = "best_plan"
    receipts: Literal["none", "accounts", "all"] = "accounts"
