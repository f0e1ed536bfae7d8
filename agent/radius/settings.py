"""The ``[radius]`` table: which NASes are answered, and what is told to them. PURE but for secrets.

A NAS is known by its address; any other gets no answer at all. Each has a secret of its own, in a
file that the operator keeps to themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTH_PORT, ACCT_PORT, COA_PORT = 1812, 1813, 3799
"""As IANA has them. RouterOS takes its own from ``/radius/incoming``, which is to be set."""

PORT_MAX = 65_535
SECRET_MIN = 12
"""Letters. MD5 is all that protects a packet: a short secret is guessed from one that was heard."""

SECRET_MAX = 128
INTERIM_S = 300
INTERIMS_S = range(60, 3_601)
NASES_MAX = 1_000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_LIST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}")


class Kind(StrEnum):
    """In which words a NAS is told of speeds and volumes."""

    MIKROTIK = "mikrotik"
    WISPR = "wispr"


class Unpaid(StrEnum):
    """What becomes of a subscriber who has nothing to use."""

    REFUSE = "refuse"  # no access
    LIST = "list"  # access, on a list of addresses that RouterOS leads to a page; others: no access


@dataclass(frozen=True, slots=True)
class Nas:
    """One NAS. ``weak``: its requests need no Message-Authenticator, see `agent.radius.packets`.

    ``swapped``: it counts up what others count down.
    """

    name: str
    address: IPv4Address | IPv6Address
    secret_file: Path
    kind: Kind = Kind.MIKROTIK
    coa_port: int = COA_PORT
    weak: bool = False
    swapped: bool = False
    secret: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Radius:
    """How this site answers RADIUS."""

    nases: tuple[Nas, ...]
    listen: IPv4Address | IPv6Address = IPv4Address("0.0.0.0")  # noqa: RUF009 - a value
    auth_port: int = AUTH_PORT
    acct_port: int = ACCT_PORT
    interim_s: int = INTERIM_S
    unpaid: Unpaid = Unpaid.REFUSE
    unpaid_list: str = "lango-unpaid"

    @property
    def ports(self) -> frozenset[int]:
        """Where it is asked and told."""
        return frozenset({self.auth_port, self.acct_port})

    @property
    def weak(self) -> tuple[str, ...]:
        """The NASes whose requests may come without a Message-Authenticator."""
        return tuple(nas.name for nas in self.nases if nas.weak)


def read(raw: Any) -> tuple[Radius | None, list[str]]:
    """The table as parsed TOML has it, and everything that is wrong with it."""
    if not isinstance(raw, dict):
        return None, [f"radius: want a table [radius], got {raw!r}"]
    told = dict(raw)
    rows = told.pop("nas", [])
    values, faults = _values("radius", told, _RADIUS)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not rows:
        faults.append("radius.nas: want one table [[radius.nas]] for each NAS")
        rows = []
    if len(rows) > NASES_MAX:
        faults.append(f"radius.nas: want at most {NASES_MAX:,}")
    nases = []
    for number, row in enumerate(rows[:NASES_MAX], 1):
        place = f"radius.nas {row.get('name', number)}"
        known, more = _values(place, row, _NAS)
        more += [f"{place}: {key} is missing" for key in _NAS_WANTED if key not in row]
        faults += more
        if not more:
            nases.append(Nas(**known))
    faults += _doubled(nases)
    radius = Radius(nases=tuple(nases), **values)
    if len(radius.ports) == 1:
        faults.append(f"radius.acct_port: {radius.acct_port} is the auth_port as well")
    return (None if faults else radius), faults


def with_secrets(radius: Radius) -> tuple[Radius, list[str]]:
    """The same with each NAS's secret out of its file, and which of them cannot be used."""
    nases, faults = [], []
    for nas in radius.nases:
        place = f"radius.nas {nas.name}: secret_file {nas.secret_file}"
        try:
            secret = nas.secret_file.read_bytes().strip()
            open_to_all = nas.secret_file.stat().st_mode & 0o007
        except OSError as broken:
            faults.append(f"{place}: {broken.strerror}")
            continue
        if not SECRET_MIN <= len(secret) <= SECRET_MAX:
            faults.append(f"{place}: want {SECRET_MIN} to {SECRET_MAX} letters, got {len(secret)}")
        if open_to_all:
            faults.append(f"{place}: everybody here can read it; chmod o= it")
        nases.append(
            Nas(**{**{name: getattr(nas, name) for name in nas.__slots__}, "secret": secret})
        )
    shared = [nas.name for nas in nases if sum(one.secret == nas.secret for one in nases) > 1]
    if shared:
        faults.append(f"radius.nas {', '.join(shared)}: each NAS wants a secret of its own")
    values = {name: getattr(radius, name) for name in radius.__slots__}
    return Radius(**{**values, "nases": tuple(nases)}), faults


def _values(
    place: str, told: Mapping[str, Any], keys: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    values, faults = {}, []
    for key, value in told.items():
        if key not in keys:
            near = get_close_matches(key, keys, n=1, cutoff=0)
            faults.append(f"{place}.{key}: there is no such key; did you mean {near[0]}?")
            continue
        name, reader, wanted = keys[key]
        try:
            values[name] = reader(value)
        except (ValueError, TypeError):
            faults.append(f"{place}.{key}: want {wanted}, got {value!r}")
    return values, faults


def _doubled(nases: list[Nas]) -> list[str]:
    faults = []
    for what in ("name", "address"):
        seen = [str(getattr(nas, what)) for nas in nases]
        faults += [
            f"radius.nas: two have the {what} {one}"
            for one in sorted({one for one in seen if seen.count(one) > 1})
        ]
    return faults


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _shaped(shape: re.Pattern[str]) -> Any:
    def read_one(value: object) -> str:
        if not shape.fullmatch(_text(value)):
            raise ValueError(value)
        return _text(value)

    return read_one


def _whole(allowed: range) -> Any:
    def read_one(value: object) -> int:
        if type(value) is not int or value not in allowed:
            raise ValueError(value)
        return value

    return read_one


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _path(value: object) -> Path:
    path = Path(_text(value))
    if not path.is_absolute():
        raise ValueError(value)
    return path


def _address(value: object) -> IPv4Address | IPv6Address:
    return ip_address(_text(value))


_PORT = _whole(range(1, PORT_MAX + 1))
_A_PORT = f"1 to {PORT_MAX}"
_RADIUS: dict[str, tuple[str, Any, str]] = {
    "listen": ("listen", _address, "an address of this machine"),
    "auth_port": ("auth_port", _PORT, _A_PORT),
    "acct_port": ("acct_port", _PORT, _A_PORT),
    "interim_s": ("interim_s", _whole(INTERIMS_S), "60 to 3600 seconds"),
    "unpaid": ("unpaid", lambda told: Unpaid(_text(told)), '"refuse" or "list"'),
    "unpaid_list": ("unpaid_list", _shaped(_LIST), "the name of an address list"),
}
_NAS_WANTED = ("name", "address", "secret_file")
_NAS: dict[str, tuple[str, Any, str]] = {
    "name": ("name", _shaped(_NAME), "a name of letters, digits and hyphens"),
    "address": ("address", _address, "the address that its packets come from"),
    "secret_file": ("secret_file", _path, "an absolute path"),
    "kind": ("kind", lambda told: Kind(_text(told)), '"mikrotik" or "wispr"'),
    "coa_port": ("coa_port", _PORT, _A_PORT),
    "without_message_authenticator": ("weak", _truth, "true or false"),
    "octets_swapped": ("swapped", _truth, "true or false"),
}
