"""Second factors: codes of an authenticator app, passkeys, recovery codes.

- TOTP as RFC 6238 has it: 6 digits, 30 s, one step to either side for clocks that are off. The
  same code is good once (`controller.store.staff.use_step`), which RFC 6238 §5.2 asks for.
- Passkeys as W3C Web Authentication has them, checked by the ``webauthn`` library: the challenge is
  ours and fresh, the origin is our public address, and where the passkey stands alone, the person
  was verified by the authenticator. Browsers know passkeys only for names (or ``localhost``), over
  HTTPS: at an address of digits none can be made.
- Recovery codes: ten, 50 random bits each, shown once and kept as keyed hashes.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyotp
import segno
from cryptography.fernet import InvalidToken
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from billing.errors import InvalidField
from controller.store import staff
from controller.store.staff_rows import StaffPasskeyRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.staff_rows import StaffRow
    from controller.vault import Vault

TOTP_S = 30
TOTP_SLACK = 1
RECOVERY_CODES = 10
RECOVERY = "staff-recovery"
ANSWER_CHARS_MAX = 8_000

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: none is taken for another."""

_HALF = 5


class PasskeyRefused(Exception):  # noqa: N818 - a refusal, see style
    """The authenticator's answer is not what was asked for, or no passkey can be used here."""


def new_totp_secret() -> str:
    """A secret to share with an authenticator app: 160 random bits in base32."""
    return pyotp.random_base32()


def is_totp(secret: str, code: str, now: datetime) -> int | None:
    """The step of the clock of which ``code`` is the code; None when it is of none near now."""
    totp = pyotp.TOTP(secret, interval=TOTP_S)
    step = int(now.timestamp()) // TOTP_S
    found = None
    for near in range(step - TOTP_SLACK, step + TOTP_SLACK + 1):
        if hmac.compare_digest(totp.at(near * TOTP_S).encode(), code.encode()):
            found = near
    return found


@dataclass(frozen=True, slots=True)
class OfferedApp:
    """A secret for an authenticator app; ``sealed`` comes back with the form that shows it."""

    secret: str = field(repr=False)
    sealed: str = field(repr=False)

    @property
    def spaced(self) -> str:
        """The secret as it is typed: in groups of four."""
        return " ".join(self.secret[n : n + 4] for n in range(0, len(self.secret), 4))


def offer_app(deps: Deps, whose: str, lasts: timedelta) -> OfferedApp:
    """A new secret for each look: nobody who looked before knows it. ``whose`` binds the form."""
    secret, until = new_totp_secret(), (deps.now() + lasts).isoformat()
    told = {"purpose": _NEW_APP, "whose": whose, "secret": secret, "until": until}
    return OfferedApp(secret, deps.vault.seal(json.dumps(told).encode()).decode())


def offered_app(deps: Deps, whose: str, sealed: str) -> OfferedApp:
    """What was offered to the same, and came back in time. Raises `InvalidField`."""
    try:
        told = json.loads(deps.vault.unseal(sealed.encode()))
        is_theirs = told["purpose"] == _NEW_APP and told["whose"] == whose
        if is_theirs and datetime.fromisoformat(told["until"]) > deps.now():
            return OfferedApp(str(told["secret"]), sealed)
    except (InvalidToken, ValueError, KeyError, TypeError):
        pass
    raise InvalidField("code", "this took too long; begin again")


_NEW_APP = "staff-new-app"


def totp_uri(secret: str, login: str) -> str:
    """What an authenticator app reads: the key-uri format of Google Authenticator."""
    return pyotp.TOTP(secret, interval=TOTP_S).provisioning_uri(name=login, issuer_name="Lango")


def totp_picture(secret: str, login: str) -> str:
    """The same as a QR code: an SVG element without style or script of its own."""
    code = segno.make(totp_uri(secret, login), error="m")
    return code.svg_inline(scale=5, border=3, dark="black", light="white", omitsize=True)


def new_recovery_codes() -> tuple[str, ...]:
    """Ten new codes, as they are shown: ``k7p2m-x9wqd``."""
    return tuple(_code() for _ in range(RECOVERY_CODES))


def _code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF))
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def recovery_hash(vault: Vault, code: str) -> str:
    """How a recovery code is kept, however it was typed."""
    plain = "".join(c for c in code.lower() if c.isalnum())
    return vault.fingerprint(RECOVERY, plain)


def relying_party(deps: Deps) -> tuple[str, str]:
    """The name that passkeys are made for, and the origin. Raises `PasskeyRefused` for neither."""
    name = name_at(deps.settings.public_url)
    if not name:
        raise PasskeyRefused("passkeys want a name and https: set http.public_url")
    found = urlsplit(deps.settings.public_url)
    return name, f"{found.scheme}://{found.netloc}"


def name_at(public_url: str) -> str:
    """The name that passkeys are made for at an address; "" where browsers make none."""
    try:
        found = urlsplit(public_url)
        host = found.hostname or ""
    except ValueError:
        return ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if found.scheme == "https" or host == "localhost" else ""
    return ""


def can_use_passkeys(deps: Deps) -> bool:
    """Whether browsers will make and use passkeys for this controller's public address."""
    try:
        relying_party(deps)
    except PasskeyRefused:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Bound:
    """Passkeys that work at one name alone, and how many of the staff have any."""

    name: str
    staff: int


async def bound(deps: Deps) -> Bound | None:
    """The passkeys that end when our public address gets another name; None where there are none.

    They are lost to nobody's account: password, app and recovery codes open it as before.
    """
    name = name_at(deps.settings.public_url)
    async with deps.db.read() as tx:
        staff_n = await staff.with_passkeys(tx)
    return Bound(name, staff_n) if name and staff_n else None


def asked_of(deps: Deps, challenge: bytes, theirs: Sequence[StaffPasskeyRow]) -> str:
    """What the browser asks an authenticator (JSON): one of these passkeys, or any that it has.

    Raises `PasskeyRefused`.
    """
    name, _ = relying_party(deps)
    wanted = UserVerificationRequirement.PREFERRED if theirs else _ALONE
    options = generate_authentication_options(
        rp_id=name,
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in theirs],
        user_verification=wanted,
    )
    return options_to_json(options)


_ALONE = UserVerificationRequirement.REQUIRED


async def passkey_of(tx: Tx, answer: str) -> StaffPasskeyRow | None:
    """The passkey that an answer says it comes from, or None."""
    try:
        raw = json.loads(answer[:ANSWER_CHARS_MAX])["rawId"]
        key = staff.passkey_key(base64url_to_bytes(raw))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return await staff.passkey(tx, key)


def verified(
    deps: Deps, answer: str, challenge: bytes, kept: StaffPasskeyRow, *, alone: bool
) -> int:
    """The authenticator's new counter. Raises `PasskeyRefused`.

    ``alone``: nothing else was shown, so the authenticator must have verified the person.
    """
    name, origin = relying_party(deps)
    try:
        found = verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=name,
            expected_origin=origin,
            credential_public_key=kept.public_key,
            credential_current_sign_count=kept.sign_count,
            require_user_verification=alone,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as strange:
        raise PasskeyRefused("the passkey's answer is not good") from strange
    return found.new_sign_count


def asked_to_make(
    deps: Deps, row: StaffRow, challenge: bytes, theirs: Sequence[StaffPasskeyRow]
) -> str:
    """What the browser asks an authenticator to make (JSON). Raises `PasskeyRefused`."""
    name, _ = relying_party(deps)
    options = generate_registration_options(
        rp_id=name,
        rp_name="Lango",
        user_id=row.id.encode(),
        user_name=row.login,
        user_display_name=row.name,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in theirs],
    )
    return options_to_json(options)


def made(deps: Deps, row: StaffRow, answer: str, challenge: bytes, name: str) -> StaffPasskeyRow:
    """The passkey that an authenticator made. Raises `PasskeyRefused`."""
    rp, origin = relying_party(deps)
    try:
        found = verify_registration_response(
            credential=answer[:ANSWER_CHARS_MAX],
            expected_challenge=challenge,
            expected_rp_id=rp,
            expected_origin=origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as strange:
        raise PasskeyRefused("the passkey's answer is not good") from strange
    return StaffPasskeyRow(
        id=staff.passkey_key(found.credential_id),
        staff_id=row.id,
        credential_id=found.credential_id,
        public_key=found.credential_public_key,
        sign_count=found.sign_count,
        name=name,
        created_at=deps.now(),
        used_at=None,
    )
