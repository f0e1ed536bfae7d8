"""Instant notices as two banks send them: bodies, and what shows that they are the bank's. PURE.

The key pair is made when a bank starts; it is for tests only, as everything here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, NameAttribute
from cryptography.x509.oid import NameOID

from controller.sandbox.bank.movements import HERE, What, narrative, shillings

if TYPE_CHECKING:
    from datetime import datetime

    from controller.sandbox.bank.movements import Movement

KEY_BITS = 2_048


@dataclass(frozen=True, slots=True)
class Notice:
    """What is posted: the body as sent, and its headers."""

    body: bytes
    headers: dict[str, str]


class SigningBank:
    """KCB: a key pair (a new one unless told), and notices that are signed with it."""

    def __init__(self, key: RSAPrivateKey | None = None) -> None:
        self._key = key or generate_private_key(public_exponent=65_537, key_size=KEY_BITS)

    @property
    def public_key(self) -> str:
        """What the bank gives to those who want to check, as PEM."""
        form = PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(Encoding.PEM, form).decode()

    def certificate(self, at: datetime) -> str:
        """The same key in a certificate that is long out of date, as banks hand them out."""
        name = Name([NameAttribute(NameOID.COMMON_NAME, "Lab Bank")])
        made = CertificateBuilder(
            name, name, self._key.public_key(), 1, at, at + timedelta(days=1)
        ).sign(self._key, SHA256())
        return made.public_bytes(Encoding.PEM).decode()

    def account_notice(self, movement: Movement, account: str) -> Notice:
        """The flat form: all values are texts, and amounts may have commas."""
        at = movement.at.astimezone(HERE)
        told = {
            "transactionReference": movement.receipt,
            "requestId": f"req-{movement.receipt}",
            "channelCode": "202",
            "timestamp": at.strftime("%Y%m%d%H%M%S"),
            "transactionAmount": shillings(movement.cents, thousands=","),
            "currency": "KES",
            "customerReference": movement.typed,
            "customerName": movement.name,
            "customerMobileNumber": movement.phone,
            "balance": "0.00",
            "narration": narrative(movement),
            "creditAccountIdentifier": account,
            "organizationShortCode": "522522",
            "tillNumber": "",
        }
        return self.signed(told)

    def till_notice(self, movement: Movement) -> Notice:
        """The nested form."""
        at = movement.at.astimezone(HERE)
        first, _, last = movement.name.partition(" ")
        data = {
            "businessKey": movement.typed,
            "businessKeyType": "BillReferenceNumber",
            "debitMSISDN": movement.phone,
            "transactionAmt": shillings(movement.cents),
            "transactionDate": at.strftime("%a %b %d %H:%M:%S EAT %Y"),
            "transactionID": movement.receipt,
            "firstName": first,
            "middleName": "",
            "lastName": last,
            "currency": "KES",
            "narration": "payment",
            "transactionType": "C" if movement.what is What.PAID else "DEBIT",
            "balance": "0.00",
        }
        header = {
            "messageID": f"msg-{movement.receipt}",
            "originatorConversationID": f"conv-{movement.receipt}",
            "channelCode": "202",
            "timeStamp": at.strftime("%Y%m%d%H%M%S"),
        }
        payload = {
            "primaryData": {"businessKey": "till", "businessKeyType": "notifyBiller"},
            "additionalData": {"notificationData": data},
        }
        return self.signed({"header": header, "requestPayload": payload})

    def signed(self, told: dict[str, Any]) -> Notice:
        """A body with its signature."""
        return self.signed_bytes(json.dumps(told).encode())

    def signed_bytes(self, body: bytes) -> Notice:
        """Any body with its signature."""
        signature = self._key.sign(body, PKCS1v15(), SHA256())
        shown = base64.b64encode(signature).decode()
        return Notice(body, {"Content-Type": "application/json", "Signature": shown})


def jenga_notice(movement: Movement, *, user: str, password: str) -> Notice:
    """Equity's: HTTP Basic, numbers as numbers."""
    at = movement.at.astimezone(HERE)
    whole, cents = divmod(movement.cents, 100)
    told = {
        "callbackType": "IPN",
        "customer": {
            "name": movement.name,
            "mobileNumber": movement.phone,
            "reference": movement.typed,
        },
        "transaction": {
            "date": at.strftime("%Y-%m-%d %H:%M:%S"),
            "reference": movement.receipt,
            "paymentMode": "MPESA",
            "amount": f"{whole}.{cents:02d}0" if cents else whole,
            "currency": "KES",
            "billNumber": movement.typed,
            "servedBy": "EQ",
            "additionalInfo": "",
            "orderAmount": whole,
            "serviceCharge": 0,
            "orderCurrency": "KES",
            "status": "SUCCESS",
            "remarks": "",
        },
        "bank": {
            "reference": f"S{movement.receipt}",
            "transactionType": "C" if movement.what is What.PAID else "D",
            "account": None,
        },
    }
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {basic}"}
    return Notice(json.dumps(told).encode(), headers)
