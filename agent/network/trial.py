"""A change of the LAN's numbers that is only tried, and what it means for whom. PURE.

It ends by itself: at an instant of the clock that knows no jumps, and with the life of the machine
in which it began. Only `Trial.put`, an address that we put there ourselves, is ever taken away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import TYPE_CHECKING

from agent.network.plan import readdressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.model import Instant
    from agent.network.leases import Lease
    from agent.network.plan import Network

DEVICES_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried until ``until_ms`` of the life ``boot`` of the machine.

    ``put`` is whether the address was not there before and is ours to take away.
    """

    id: str
    address: IPv4Interface
    first: IPv4Address
    last: IPv4Address
    put: bool
    until_ms: int
    boot: str

    def of(self, network: Network) -> Network:
        """The network with the numbers that are tried."""
        return readdressed(network, address=self.address, first=self.first, last=self.last)

    def over(self, now: Instant) -> bool:
        """Whether it has to be taken back; after a reboot it has."""
        return now.boot != self.boot or now.mono >= self.until_ms

    def left_s(self, now: Instant) -> int:
        """Whole seconds that are left, 0 when it is over."""
        return 0 if self.over(now) else -((now.mono - self.until_ms) // 1_000)


class TrialDamaged(Exception):  # noqa: N818 - a sentence for the log
    """The note of a trial cannot be read."""


def encoded(trial: Trial) -> str:
    """A trial as text."""
    return json.dumps(
        {
            "id": trial.id,
            "address": str(trial.address),
            "first": str(trial.first),
            "last": str(trial.last),
            "put": trial.put,
            "until_ms": trial.until_ms,
            "boot": trial.boot,
        }
    )


def decoded(text: str) -> Trial:
    """The trial that the text says. Raises `TrialDamaged`."""
    try:
        raw = json.loads(text)
        return Trial(
            id=str(raw["id"]),
            address=IPv4Interface(raw["address"]),
            first=IPv4Address(raw["first"]),
            last=IPv4Address(raw["last"]),
            put=raw["put"] is True,
            until_ms=int(raw["until_ms"]),
            boot=str(raw["boot"]),
        )
    except (ValueError, KeyError, TypeError) as damaged:
        raise TrialDamaged("the note of the change that is being tried is damaged") from damaged


def preview(now: Network, tried: Network, leases: Sequence[Lease]) -> Iterator[str]:
    """What would change, what would stay, and for which devices, as sentences."""
    if now.address != tried.address:
        yield f"changes: gateway {now.address} -> {tried.address}; both serve during the try"
    if (now.first, now.last) != (tried.first, tried.last):
        yield f"changes: addresses for devices {_range(now)} -> {_range(tried)}"
    upstreams = ", ".join(map(str, now.upstreams)) or "those of this machine"
    yield f"stays: LAN {now.lan}, portal http://{now.portal_host}/, name servers {upstreams}"
    yield "stays: whoever paid is online, with what is open, as long as the device's address stays"
    keep = [lease for lease in leases if tried.first <= lease.address <= tried.last]
    move = [lease for lease in leases if lease not in keep]
    yield f"devices: {len(keep)} keep their address for good"
    yield (
        f"devices: {len(move)} keep theirs during the try; once it is confirmed they get another"
        f" when they next ask, within {now.lease_s // 2} s"
    )
    yield from (f"  {lease.address} {lease.mac}" for lease in move[:DEVICES_SHOWN_MAX])
    if len(move) > DEVICES_SHOWN_MAX:
        yield f"  and {len(move) - DEVICES_SHOWN_MAX} more"


def overlapping(
    wanted: IPv4Interface, others: Sequence[tuple[str, IPv4Interface]]
) -> tuple[str, IPv4Interface] | None:
    """The first interface and address in whose network the wanted one would reach."""
    for name, address in others:
        if address.network.overlaps(wanted.network):
            return name, address
    return None


def _range(network: Network) -> str:
    return f"{network.first}-{network.last}"
