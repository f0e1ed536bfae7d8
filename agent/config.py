"""The agent's configuration: one TOML file into one frozen value, all faults told at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import router, routers
from agent.network import plan
from agent.network.plan import Network
from agent.radius import settings as radius

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.radius.settings import Radius
    from agent.router import RouterOs

DEFAULT_PATH = Path("/etc/lango/agent.toml")
PORT_MAX = 65_535
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,14}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Config:
    """How this agent is set up.

    ``plane`` is ``linux``, ``routeros``, ``radius`` or ``memory``. Of a Linux gateway devices are
    on ``lan``, the internet is behind ``wan``; of routers, all there is to know is in ``routers``;
    with ``radius`` no packet passes here and there is no portal: its NASes forward.
    The portal is at ``http://<portal_host>/``; the agent itself listens on ``portal_port``. With a
    ``certificate`` for that name it is at https as well, and phones are told so (RFC 8908).
    ``network`` is the LAN's addresses and names; None leaves dnsmasq to the operator. ``radius`` is
    who is answered RADIUS; None: nobody.
    """

    state_dir: Path = Path("/var/lib/lango-agent")
    plane: str = "linux"
    lan: str = "br-lan"
    wan: str = "wan0"
    masquerade: bool = True
    portal_port: int = 8000
    portal_host: str = "wifi.lango"
    certificate: Path | None = None
    certificate_key: Path | None = None
    network: Network | None = None
    radius: Radius | None = None
    routers: tuple[RouterOs, ...] = ()


class ConfigFaults(Exception):  # noqa: N818 - a list of faults, each a sentence
    """The configuration cannot be used. ``faults`` names every wrong key and what it wants."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


_KEYS: dict[str, tuple[str, type]] = {
    "state_dir": ("state_dir", str),
    "plane": ("plane", str),
    "lan.interface": ("lan", str),
    "wan.interface": ("wan", str),
    "wan.masquerade": ("masquerade", bool),
    "portal.port": ("portal_port", int),
    "portal.host": ("portal_host", str),
    "portal.certificate": ("certificate", str),
    "portal.key": ("certificate_key", str),
    "network.address": ("address", str),
    "network.address6": ("address6", str),
    "network.range": ("range", str),
    "network.lease_s": ("lease_s", int),
    "network.upstreams": ("upstreams", list),
    "network.host_resolver": ("host_resolver", bool),
    "network.private_names": ("private", list),
    **{f"routeros.{key}": (key, kind) for key, (kind, _) in router.KEYS.items()},
}
_PATHS = {"state_dir", "certificate", "certificate_key"}
_TYPE_NAMES = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    list: 'a list like ["a", "b"]',
}


def load(path: Path) -> Config:
    """Read a configuration file. Raises `ConfigFaults` with everything that is wrong in it."""
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as broken:
        raise ConfigFaults([f"{path}: {broken.strerror}"]) from broken
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise ConfigFaults([f"{path}: {broken}"]) from broken
    return parse(raw)


def with_secrets(config: Config) -> Config:
    """The configuration with what stands in files that only the agent reads.

    Raises `ConfigFaults` with all of them that cannot be used.
    """
    if config.radius is None:
        return config
    known, faults = radius.with_secrets(config.radius)
    if faults:
        raise ConfigFaults(faults)
    return replace(config, radius=known)


def parse(raw: Mapping[str, Any]) -> Config:
    """A configuration from parsed TOML. Raises `ConfigFaults` with everything that is wrong."""
    flat, faults = _flat(
        {key: value for key, value in raw.items() if key not in {"radius", "router"}}
    )
    values: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {"network": {}, "routeros": {}}
    for key, value in flat.items():
        if key not in _KEYS:
            faults.append(_unknown(key))
            continue
        name, kind = _KEYS[key]
        if type(value) is not kind:
            faults.append(f"{key}: want {_TYPE_NAMES[kind]}, got {value!r}")
            continue
        if (table := key.partition(".")[0]) in tables:
            tables[table][key] = value
            continue
        values[name] = Path(str(value)) if name in _PATHS else value
    if "radius" in raw:
        values["radius"], more = radius.read(raw["radius"])
        faults += more
    config = Config(**values)
    faults += _impossible(config) + _nases_alone(config, raw)
    if config.plane == "routeros":
        config, more = _with_routers(config, raw, tables)
        faults += more
    elif table := next((key for key in ("routeros", "router") if key in raw), ""):
        faults.append(f'{table}: only with plane = "routeros"')
    elif "network" in raw and not faults:
        config, more = _with_network(config, tables["network"])
        faults += more
    if faults:
        raise ConfigFaults(faults)
    return config


def api_url(config: Config) -> str | None:
    """Where phones ask how they stand (RFC 8908); None without a certificate.

    RFC 8908 wants https. A phone that is told anything else takes the portal for broken.
    """
    return f"https://{config.portal_host}/capport" if config.certificate is not None else None


def address_range(text: str) -> tuple[IPv4Address, IPv4Address]:
    """The ends of a range like ``10.0.0.50-10.0.0.250``. Raises `ValueError`."""
    first, _, last = text.partition("-")
    return IPv4Address(first.strip()), IPv4Address(last.strip())


def _with_network(config: Config, told: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """The configuration with its LAN, and what is wrong with that."""
    values: dict[str, Any] = {"lan": config.lan, "portal_host": config.portal_host}
    values["api_url"] = api_url(config)
    faults = [
        f"{key}: [network] wants it, {like}"
        for key, like in (("network.address", "like 10.0.0.1/24"), ("network.range", _RANGE_LIKE))
        if key not in told
    ]
    for key, value in told.items():
        try:
            values |= _NETWORK_VALUES[key](value)
        except (ValueError, TypeError):
            faults.append(f"{key}: {value!r} cannot be read")
    if faults:
        return config, faults
    network = Network(**values)
    return replace(config, network=network), [f"{k}: {why}" for k, why in plan.faults(network)]


def _with_routers(
    config: Config, raw: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]
) -> tuple[Config, list[str]]:
    """The configuration with its router or its routers, and what is wrong with them."""
    if "router" in raw:
        found, faults = routers.read(raw["router"])
        if "routeros" in raw:
            faults.append("routeros: one router, or [[router]] for each of several")
    else:
        told = {key.removeprefix("routeros."): one for key, one in tables["routeros"].items()}
        single, faults = router.parsed(told)
        found = () if single is None else (single,)
    if tables["network"]:
        faults.append("network: the router keeps the LAN's addresses and names")
    return replace(config, routers=found), faults


def _nases_alone(config: Config, raw: Mapping[str, Any]) -> list[str]:
    """What is wrong with a site where nothing but NASes forwards; nothing with any other."""
    faults: list[str] = []
    if config.plane != "radius":
        return faults
    if "radius" not in raw:
        faults.append('plane: "radius" wants a table [radius] with the NASes that forward')
    if "network" in raw:
        faults.append('network: only with plane = "linux"')
    return faults


def _interface4(text: str) -> IPv4Interface:
    if "/" not in text:
        raise ValueError(text)
    return IPv4Interface(text)


_RANGE_LIKE = "like 10.0.0.50-10.0.0.250"
_NETWORK_VALUES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "network.address": lambda told: {"address": _interface4(told)},
    "network.address6": lambda told: {"address6": IPv6Interface(told)},
    "network.range": lambda told: dict(zip(("first", "last"), address_range(told), strict=True)),
    "network.lease_s": lambda told: {"lease_s": told},
    "network.upstreams": lambda told: {"upstreams": tuple(map(ip_address, map(_text, told)))},
    "network.host_resolver": lambda told: {"host_resolver": told},
    "network.private_names": lambda told: {"private": tuple(map(_text, told))},
}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _flat(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Keys as ``table.key``; a plain value where a table belongs is a fault."""
    tables = {key.partition(".")[0] for key in _KEYS if "." in key}
    flat: dict[str, Any] = {}
    faults = []
    for key, value in raw.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": one for inner, one in value.items()}
            if not value and key not in tables:
                faults.append(_unknown(key))
        elif key in tables:
            faults.append(f"{key}: want a table [{key}], got {value!r}")
        else:
            flat[key] = value
    return flat, faults


def _unknown(key: str) -> str:
    near = get_close_matches(key, _KEYS, n=1, cutoff=0)
    return f"{key}: there is no such key; did you mean {near[0]}?"


def _impossible(config: Config) -> list[str]:
    faults = []
    if config.plane not in {"linux", "routeros", "radius", "memory"}:
        faults.append(f"plane: want linux, routeros, radius or memory, got {config.plane!r}")
    if not config.state_dir.is_absolute():
        faults.append(f"state_dir: want an absolute path, got '{config.state_dir}'")
    for key, value in (("lan.interface", config.lan), ("wan.interface", config.wan)):
        if not _INTERFACE.fullmatch(value):
            faults.append(f"{key}: {value!r} is no interface name")
    faults += _certificate_faults(config)
    if config.lan == config.wan:
        faults.append(f"wan.interface: {config.wan!r} is the LAN's already")
    if not 0 < config.portal_port <= PORT_MAX:
        faults.append(f"portal.port: want 1 to {PORT_MAX}, got {config.portal_port}")
    if not _HOST.fullmatch(config.portal_host):
        faults.append(f"portal.host: {config.portal_host!r} is no host name in lower case")
    return faults


def _certificate_faults(config: Config) -> list[str]:
    faults = []
    for key, path in (("certificate", config.certificate), ("key", config.certificate_key)):
        if path is not None and not path.is_absolute():
            faults.append(f"portal.{key}: want an absolute path, got '{path}'")
    if (config.certificate is None) != (config.certificate_key is None):
        faults.append("portal.certificate, portal.key: want both or none")
    return faults
