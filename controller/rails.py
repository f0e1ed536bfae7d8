"""The rails by which money comes and goes, made of the settings. Part of the composition root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from billing.errors import InvalidField
from billing.msisdn import Msisdn
from controller.config import CannotStart
from controller.payments.absent import SENTENCE, AbsentGateway
from controller.payments.airtel import AirtelGateway
from controller.payments.airtel_settings import AirtelSettings
from controller.payments.bank_notice import BankSettings
from controller.payments.bucket_rows import BucketRows
from controller.payments.mpesa import MpesaGateway
from controller.payments.mpesa_account import MpesaAccount
from controller.payments.mpesa_settings import Initiator, MpesaSettings
from controller.payments.paystack import PaystackGateway
from controller.payments.paystack_settings import PaystackSettings
from controller.payments.token_rows import TokenRows
from controller.usecases.asking import CALLBACK_PATH

if TYPE_CHECKING:
    import httpx2
    from pydantic import SecretStr

    from controller.config import Settings
    from controller.config_sections import BankSection, MpesaSection
    from controller.payments.gateway import PaymentGateway, StoredCards
    from controller.store.database import Database
    from controller.vault import Vault

log = structlog.get_logger("controller")


@dataclass(frozen=True, slots=True)
class Rails:
    """Who collects: first of all M-PESA, else what else there is; nobody, if nothing is told."""

    gateway: PaymentGateway
    more: tuple[PaymentGateway, ...] = ()
    mpesa: MpesaAccount | None = None
    cards: StoredCards | None = None
    bank: BankSettings | None = None


def open_rails(
    settings: Settings, *, db: Database, vault: Vault, http: httpx2.AsyncClient
) -> Rails:
    """The rails of these settings. Raises `CannotStart`."""
    tokens = TokenRows(db, vault)
    gateways: list[PaymentGateway] = []
    account = None
    if settings.mpesa is not None:
        told = mpesa_settings(settings.mpesa, public_url=settings.public_url)
        bucket = BucketRows(db, told.pushes_per_s)
        gateways.append(MpesaGateway(told, http=http, tokens=tokens, bucket=bucket))
        account = MpesaAccount(told, http=http, tokens=tokens, bucket=bucket)
    if settings.airtel is not None:
        airtel = _airtel(settings)
        bucket = BucketRows(db, airtel.requests_per_s)
        gateways.append(AirtelGateway(airtel, http=http, tokens=tokens, bucket=bucket))
    cards = None
    if settings.card is not None:
        paystack = _paystack(settings)
        bucket = BucketRows(db, paystack.requests_per_s)
        cards = PaystackGateway(paystack, http=http, bucket=bucket)
        gateways.append(cards)
    if not gateways:
        log.warning("payments_absent", reason=SENTENCE)
        gateways.append(AbsentGateway())
    bank = None if settings.bank is None else _bank(settings.bank)
    return Rails(gateways[0], tuple(gateways[1:]), account, cards, bank)


def mpesa_settings(told: MpesaSection, *, public_url: str) -> MpesaSettings:
    """One shortcode's settings as its gateway wants them."""
    initiator = None
    if told.initiator is not None:
        password, certificate = _secret(told.initiator_password), _secret(told.certificate)
        initiator = Initiator(told.initiator, password, certificate)
    return MpesaSettings(
        base_url=told.base_url,
        shortcode=told.shortcode,
        till=told.till,
        consumer_key=told.consumer_key,
        consumer_secret=told.consumer_secret.get_secret_value(),
        passkey=told.passkey.get_secret_value(),
        callback_url=public_url + CALLBACK_PATH,
        initiator=initiator,
        c2b_version=told.c2b_version,
        nominated_number=None if told.nominated_number is None else Msisdn(told.nominated_number),
        merchant_name=told.merchant_name,
    )


def _airtel(settings: Settings) -> AirtelSettings:
    told = settings.airtel
    assert told is not None
    return AirtelSettings(
        base_url=told.base_url.rstrip("/"),
        client_id=told.client_id,
        client_secret=told.client_secret.get_secret_value(),
        merchant=told.merchant,
        signed=told.signed,
    )


def _paystack(settings: Settings) -> PaystackSettings:
    told = settings.card
    assert told is not None
    return PaystackSettings(
        secret_key=told.secret_key.get_secret_value(),
        merchant=told.merchant,
        base_url=told.base_url.rstrip("/"),
    )


def _bank(told: BankSection) -> BankSettings:
    try:
        return BankSettings(
            bank=told.bank,
            place=told.account,
            public_key=_secret(told.public_key),
            user=told.user or "",
            password=_secret(told.password),
        )
    except InvalidField as fault:
        raise CannotStart(f"{fault.field}: {fault.problem}") from fault


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()
