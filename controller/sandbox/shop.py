"""The trial's merchant: its accounts with the simulated providers, told to both sides.

The providers are told our doors when they start, not afterwards: one that was killed and comes back
knows them again. The file with them is private, as the controller's configuration is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.keep import write_private
from controller.payments.bank_notice import Bank
from controller.sandbox.airtel.settings import AirtelSimSettings
from controller.sandbox.bank.notices import SigningBank
from controller.sandbox.bank.settings import BankSimSettings
from controller.sandbox.daraja.credential import Credentials
from controller.sandbox.daraja.settings import SimSettings
from controller.sandbox.keys import kept_key
from controller.sandbox.paystack.settings import PaystackSimSettings
from controller.sandbox.told import Providers, written
from controller.usecases import doors

if TYPE_CHECKING:
    from pathlib import Path

    from controller.sandbox.mail.settings import MailSettings
    from controller.sandbox.told import ProviderPorts
    from controller.vault import Vault

MERCHANT = "lango-trial"
NOMINATED_NUMBER = "254700000000"
SENDER = "bills@lango.example"


@dataclass(frozen=True, slots=True)
class Urls:
    """What the pages of the providers lead to, and where the controller is called back."""

    controller: str
    phone: str
    site_id: str


@dataclass(frozen=True, slots=True)
class Shop:
    """``file`` is what the providers start from, ``accounts`` the controller's sections."""

    file: Path
    accounts: dict[str, dict[str, Any]]


def opened(folder: Path, *, ports: ProviderPorts, urls: Urls, vault: Vault) -> Shop:
    """Open the accounts. In ``folder``, which is private, keys and file outlive a restart."""
    told = _providers(folder, ports, urls, vault)
    file = folder / "providers.json"
    write_private(file, written(told))
    return Shop(file, _accounts(told))


def _providers(folder: Path, ports: ProviderPorts, urls: Urls, vault: Vault) -> Providers:
    def door(name: str) -> str:
        return doors.address(vault, urls.controller, name)

    return Providers(
        ports=ports,
        daraja=SimSettings(
            key_path=str(folder / "mpesa-key.pem"),
            confirm_url=door(doors.PAYBILL),
            validate_url=door(doors.VALIDATE),
            sms_report_url=door(doors.SMS),
            staff_url=f"{urls.controller}/noc",
            phone_url=urls.phone,
            buy_url=f"{urls.controller}/buy/{urls.site_id}",
            airtel_url=f"{_at(ports.airtel)}/",
            card_url=f"{_at(ports.paystack)}/",
            bank_url=f"{_at(ports.bank)}/",
            mail_url=f"{_at(ports.mail)}/mail",
        ),
        airtel=AirtelSimSettings(callback_url=door(doors.AIRTEL)),
        paystack=PaystackSimSettings(callback_url=door(doors.CARD)),
        bank=BankSimSettings(key_path=str(folder / "bank-key.pem"), callback_url=door(doors.BANK)),
    )


def _accounts(told: Providers) -> dict[str, dict[str, Any]]:
    ports, daraja = told.ports, told.daraja
    return {
        "mpesa": {
            "base_url": _at(ports.daraja),
            "shortcode": daraja.shortcode,
            "consumer_key": daraja.consumer_key,
            "consumer_secret": daraja.consumer_secret,
            "passkey": daraja.passkey,
            "c2b": True,
            "nominated_number": NOMINATED_NUMBER,
            "initiator": daraja.initiator_name,
            "initiator_password": daraja.initiator_password,
            "certificate": Credentials(daraja).certificate.decode(),
            "merchant_name": daraja.business,
        },
        "airtel": {
            "base_url": _at(ports.airtel),
            "client_id": told.airtel.client_id,
            "client_secret": told.airtel.client_secret,
            "merchant": MERCHANT,
        },
        "card": {
            "base_url": _at(ports.paystack),
            "secret_key": told.paystack.secret_key,
            "merchant": MERCHANT,
        },
        "bank": {
            "bank": Bank.KCB.value,
            "account": told.bank.account,
            "public_key": SigningBank(kept_key(told.bank.key_path)).public_key,
        },
        "sms": {
            "base_url": _at(ports.daraja),
            "username": daraja.sms_username,
            "api_key": daraja.sms_api_key,
            "sender_id": "LANGO",
        },
        "email": _email(told.mail, ports.smtp),
    }


def _email(mail: MailSettings, port: int) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": mail.username,
        "password": mail.password,
        "sender": SENDER,
    }


def _at(port: int) -> str:
    return f"http://127.0.0.1:{port}"
