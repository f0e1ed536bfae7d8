"""What the simulated network is told. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

OPENING_SHILLINGS = 1_000
WALLET_SHILLINGS_MAX = 500_000
PROMPT_LIFE_MAX_S = 600
WORKING_MAX_MS = 60_000
BUSINESS_CHARS_MAX = 40
CHARGE_MAX_BPS = 1_000
MERCHANT_SHILLINGS_MAX = 1_000_000_000
_SHORTCODE = re.compile(r"[0-9]{5,7}")


@dataclass(frozen=True, slots=True)
class SimSettings:
    """One merchant on a simulated M-PESA. The defaults are invented, and worth nothing.

    ``prompt_life_s`` is how long a prompt stays on a phone; ``working_ms`` how long M-PESA takes
    after the PIN. A ``production`` network takes the addresses for payments from the menu once and
    simulates none; ``c2b_version`` is the product that the key is enabled for. ``validated`` says
    that external validation was asked for, ``validation_ms`` how long an answer may take.
    ``charge_bps`` is M-PESA's price in 1/100 %; ``merchant_shillings`` is what the merchant had.
    ``key_path`` keeps the key of the initiator's certificate, so that both outlive a restart.
    ``confirm_url`` and ``validate_url`` were registered before: a network does not forget them. The
    other addresses are only shown on the trial page.
    """

    shortcode: str = "600111"
    till: str | None = None
    passkey: str = field(default="trial-passkey", repr=False)
    consumer_key: str = "trial-key"
    consumer_secret: str = field(default="trial-secret", repr=False)
    business: str = "LANGO WIFI"
    prompt_life_s: int = 60
    working_ms: int = 600
    opening_shillings: int = OPENING_SHILLINGS
    production: bool = False
    c2b_version: str = "v2"
    validated: bool = True
    validation_ms: int = 8_000
    charge_bps: int = 55
    merchant_shillings: int = 10_000
    initiator_name: str = "trialapi"
    initiator_password: str = field(default="Trial-initiator-1", repr=False)
    key_path: str = ""
    confirm_url: str = field(default="", repr=False)
    validate_url: str = field(default="", repr=False)
    staff_url: str = "http://127.0.0.1:8080/noc"
    phone_url: str = "http://127.0.0.1:8091/"
    buy_url: str = ""
    airtel_url: str = ""
    card_url: str = ""
    bank_url: str = ""
    mail_url: str = ""
    sms_username: str = "sandbox"
    sms_api_key: str = field(default="trial-sms-key", repr=False)
    sms_report_url: str = field(default="", repr=False)

    @property
    def party_b(self) -> str:
        """Who is paid: the PayBill, or the Till."""
        return self.shortcode if self.till is None else self.till

    @property
    def transaction_type(self) -> str:
        """The only kind of payment that this merchant is set up for."""
        return "CustomerPayBillOnline" if self.till is None else "CustomerBuyGoodsOnline"


def sim_faults(settings: SimSettings) -> tuple[str, ...]:
    """Everything that is wrong with ``settings``, one sentence each, naming the field."""
    faults = [
        f"{name}: want 5 to 7 digits"
        for name, value in (("shortcode", settings.shortcode), ("till", settings.till))
        if value is not None and not _SHORTCODE.fullmatch(value)
    ]
    faults += [
        f"{name}: is empty"
        for name in (
            *("passkey", "consumer_key", "consumer_secret", "sms_username", "sms_api_key"),
            *("initiator_name", "initiator_password"),
        )
        if not getattr(settings, name)
    ]
    if not 1 <= len(settings.business) <= BUSINESS_CHARS_MAX:
        faults.append(f"business: want 1 to {BUSINESS_CHARS_MAX} characters")
    for name, value, low, high in (
        ("prompt_life_s", settings.prompt_life_s, 1, PROMPT_LIFE_MAX_S),
        ("working_ms", settings.working_ms, 0, WORKING_MAX_MS),
        ("opening_shillings", settings.opening_shillings, 0, WALLET_SHILLINGS_MAX),
        ("validation_ms", settings.validation_ms, 1, WORKING_MAX_MS),
        ("charge_bps", settings.charge_bps, 0, CHARGE_MAX_BPS),
        ("merchant_shillings", settings.merchant_shillings, 0, MERCHANT_SHILLINGS_MAX),
    ):
        if not low <= value <= high:
            faults.append(f"{name}: want {low:,} to {high:,}")
    if settings.c2b_version not in ("v1", "v2"):
        faults.append("c2b_version: want v1 or v2")
    for name, url in (("staff_url", settings.staff_url), ("phone_url", settings.phone_url)):
        if not url.startswith(("http://", "https://")):
            faults.append(f"{name}: want an address like http://127.0.0.1:8080/")
    return tuple(faults)
