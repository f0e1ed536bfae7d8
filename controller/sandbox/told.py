"""What the simulated providers of a trial are told, as one file. PURE."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from controller.sandbox.airtel.settings import AirtelSimSettings
from controller.sandbox.airtel.settings import sim_faults as airtel_faults
from controller.sandbox.bank.settings import BankSimSettings
from controller.sandbox.daraja.settings import SimSettings
from controller.sandbox.daraja.settings import sim_faults as daraja_faults
from controller.sandbox.mail.settings import MailSettings
from controller.sandbox.paystack.settings import PaystackSimSettings
from controller.sandbox.paystack.settings import sim_faults as paystack_faults


@dataclass(frozen=True, slots=True)
class ProviderPorts:
    """Where the simulated providers listen, on loopback."""

    daraja: int
    airtel: int
    paystack: int
    mail: int
    smtp: int
    bank: int


@dataclass(frozen=True, slots=True)
class Providers:
    """All of them, as they are told."""

    ports: ProviderPorts
    daraja: SimSettings = field(default_factory=SimSettings)
    airtel: AirtelSimSettings = field(default_factory=AirtelSimSettings)
    paystack: PaystackSimSettings = field(default_factory=PaystackSimSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    bank: BankSimSettings = field(default_factory=BankSimSettings)

    def faults(self) -> list[str]:
        """Everything that is wrong, one sentence each, naming part and field."""
        parts = {
            "daraja": daraja_faults(self.daraja),
            "airtel": airtel_faults(self.airtel),
            "paystack": paystack_faults(self.paystack),
        }
        return [f"{part}.{fault}" for part, found in parts.items() for fault in found]


def written(providers: Providers) -> bytes:
    """The file for them; it holds secrets."""
    return json.dumps(asdict(providers)).encode()


def read(text: str) -> Providers:
    """What a file that we wrote says."""
    told = json.loads(text)
    return Providers(
        ports=ProviderPorts(**told["ports"]),
        daraja=SimSettings(**told["daraja"]),
        airtel=AirtelSimSettings(**told["airtel"]),
        paystack=PaystackSimSettings(**told["paystack"]),
        mail=MailSettings(**told["mail"]),
        bank=BankSimSettings(**told["bank"]),
    )
