"""Settings of the controller: read once, all faults together, passed down in parts.

Later wins: defaults, what was chosen on screen (`controller.choices`), the TOML file, the
environment (``LANGO_SECTION__KEY``, ``LANGO_STATE_DIR``), the command line. An empty file is a
working controller that sells nothing yet. Secrets come from ``*_file`` keys (a path, relative to
the configuration file) or from the environment; they are `SecretStr` and never printed, and no
message here repeats a value.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pydantic import PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from controller.config_sections import (
    WANTS,
    AirtelSection,
    AlertsSection,
    AuditSettings,
    BackupSettings,
    BankSection,
    CardSection,
    DatabaseSettings,
    EdgeSettings,
    EmailSection,
    HttpSettings,
    HttpSmsSection,
    ManagementSettings,
    MapSection,
    MpesaSection,
    OperatorSettings,
    Section,
    SimulatedSection,
    SmsSection,
)
from controller.payments.mpesa_settings import callback_word_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ENV_PREFIX = "LANGO_"
SECRET_FILE_MAX_BYTES = 4_096
SECRETS = {
    "mpesa": ("consumer_secret", "passkey", "initiator_password", "certificate"),
    "airtel": ("client_secret",),
    "card": ("secret_key",),
    "bank": ("public_key", "password"),
    "sms": ("api_key",),
    "email": ("password",),
}
"""Keys that may also be given as ``<key>_file``."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

NEIGHBOURS = ("agent", "trial")
"""First words of environment names that belong to our other programs."""


class Settings(BaseSettings):
    """Everything that the controller was told. Accounts are None until they are configured."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
    )

    state_dir: Path = Path("var/controller")
    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    edge: EdgeSettings = EdgeSettings()
    map: MapSection = MapSection()
    management: ManagementSettings = ManagementSettings()
    mpesa: MpesaSection | None = None
    airtel: AirtelSection | None = None
    card: CardSection | None = None
    bank: BankSection | None = None
    sms: SmsSection | None = None
    email: EmailSection | None = None
    operator: OperatorSettings = OperatorSettings()
    audit: AuditSettings = AuditSettings()
    backup: BackupSettings = BackupSettings()
    alerts: AlertsSection = AlertsSection()
    simulated: SimulatedSection = SimulatedSection()
    _chosen: frozenset[str] = PrivateAttr(default=frozenset())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller gives: `load_settings` does the reading, tests build their own."""
        assert issubclass(settings_cls, cls), "sources are asked for their own settings"
        return (init_settings,)

    @property
    def chosen(self) -> frozenset[str]:
        """The keys (``section.key``) that hold because they were chosen on screen."""
        return self._chosen

    def noting(self, chosen: Iterable[str]) -> Self:
        """The same, with the keys that were chosen on screen."""
        self._chosen = frozenset(chosen)
        return self

    @property
    def database_url(self) -> str:
        """Where the database is, also when it was left to the state directory."""
        return self.database.url or f"sqlite+aiosqlite:///{self.state_dir / 'lango.db'}"

    @property
    def public_url(self) -> str:
        """The address of the HTTP door as providers see it, without a slash at the end."""
        local = f"http://{address(self.http.host, self.http.port)}"
        return (self.http.public_url or local).rstrip("/")

    def may_name_nobody(self, rail: str) -> bool:
        """Whether money of a rail may come without saying for what: a PayBill asks each payer."""
        return rail != "mpesa" or (self.mpesa is not None and self.mpesa.till is not None)

    @property
    def confirm_above_minor(self) -> int:
        """Above this, in minor units, an unsigned word of money wants a second source."""
        return 100 * (
            MpesaSection.model_fields["confirm_above"].default
            if self.mpesa is None
            else self.mpesa.confirm_above
        )

    @property
    def edge_address(self) -> str:
        """What an enrolled agent dials."""
        return address(self.edge.public_host, self.edge.port)

    @property
    def join_address(self) -> str:
        """What a new agent dials; stands in join tokens."""
        return address(self.edge.public_host, self.edge.join_port)


class ConfigFaults(Exception):  # noqa: N818 - a refusal, see style
    """The settings cannot be used; ``faults`` has one sentence for each fault, naming its key."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class CannotStart(Exception):  # noqa: N818 - a sentence
    """The settings are well formed, and this machine does not allow them; the key is named."""


def address(host: str, port: int) -> str:
    """``host:port``, with brackets where IPv6 wants them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Fixed:
    """What is told from outside the database, by whom: the latest of ``layers`` wins.

    Each layer is a name (``controller.toml``, ``environment``, ``command line``) and values shaped
    like the file. ``faults`` are those of reading them. Its ``repr`` shows no value.
    """

    layers: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=(), repr=False)
    faults: tuple[str, ...] = ()

    def by(self, key: str) -> str:
        """Who fixes ``section.key``; "": nobody does, so that it may be chosen."""
        found = [name for name, told in self.layers if _has(told, key)]
        return found[-1] if found else ""


def read_fixed(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Fixed:
    """What a file (None: no file), the environment and the command line say.

    ``overrides`` is shaped like the file. Raises `ConfigFaults` for what cannot be read at all.
    """
    layers = (
        (path.name if path else "", _read_toml(path)),
        ("environment", _read_environment()),
        ("command line", dict(overrides or {})),
    )
    faults = _given_twice(_merged(*(told for _, told in layers)))
    for _, told in layers:
        faults += _resolve_secret_files(told, path.parent if path else Path())
    return Fixed(layers, tuple(faults))


def settled(fixed: Fixed, chosen: Mapping[str, Any] | None = None) -> Settings:
    """The settings that hold when ``chosen``, shaped like the file, yields to what is fixed.

    Raises `ConfigFaults` with every fault that was found.
    """
    told = _merged(dict(chosen or {}), *(dict(layer) for _, layer in fixed.layers))
    faults = [*fixed.faults, *_cross_faults(told)]
    try:
        settings = Settings(**told)
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors(include_input=False)]
    if faults:
        raise ConfigFaults(sorted(set(faults)))
    return settings.noting(key for key in _flat_keys(chosen or {}) if not fixed.by(key))


def load_settings(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings without what was chosen on screen. Raises `ConfigFaults` as `settled` does."""
    return settled(read_fixed(path, overrides))


def _has(told: Mapping[str, Any], key: str) -> bool:
    here: Any = told
    for part in key.split("."):
        if not isinstance(here, dict) or part not in here:
            return False
        here = here[part]
    return True


def _flat_keys(told: Mapping[str, Any]) -> list[str]:
    return [
        f"{section}.{key}"
        for section, values in told.items()
        if isinstance(values, dict)
        for key in values
    ]


def _given_twice(told: Mapping[str, Any]) -> list[str]:
    """Secrets that file and environment give in both ways: neither can be meant to win."""
    return [
        f"{section}.{key}: give this or {section}.{key}_file, not both"
        for section, keys in SECRETS.items()
        for key in keys
        if _has(told, f"{section}.{key}") and _has(told, f"{section}.{key}_file")
    ]


def known_keys() -> tuple[str, ...]:
    """Every key that may be set, as ``section.key``."""
    keys = [name for name in Settings.model_fields if name not in _SECTIONS]
    for name, section in _SECTIONS.items():
        keys += _keys_of(name, section)
        keys += [f"{name}.{key}_file" for key in SECRETS.get(name, ())]
    return tuple(keys)


def _keys_of(name: str, section: type[Section]) -> list[str]:
    keys = list[str]()
    for key in section.model_fields:
        part = _PARTS.get(f"{name}.{key}")
        keys += [f"{name}.{key}"] if part is None else _keys_of(f"{name}.{key}", part)
    return keys


_PARTS: dict[str, type[Section]] = {"sms.http": HttpSmsSection}
"""Sections within sections."""

_SECTIONS: dict[str, type[Section]] = {
    "database": DatabaseSettings,
    "http": HttpSettings,
    "edge": EdgeSettings,
    "map": MapSection,
    "management": ManagementSettings,
    "mpesa": MpesaSection,
    "airtel": AirtelSection,
    "card": CardSection,
    "bank": BankSection,
    "sms": SmsSection,
    "email": EmailSection,
    "operator": OperatorSettings,
    "audit": AuditSettings,
    "backup": BackupSettings,
    "alerts": AlertsSection,
    "simulated": SimulatedSection,
}


def _read_toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    if not path.is_file():
        raise ConfigFaults([f"{path}: no such file"])
    try:
        return TomlConfigSettingsSource(Settings, toml_file=path)()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigFaults([f"{path}: {error}"]) from error


def _read_environment() -> dict[str, Any]:
    try:
        told = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigFaults([f"environment: {error}; want {ENV_PREFIX}SECTION__KEY"]) from error
    for name in os.environ:
        section, nested, _key = name.lower().removeprefix(ENV_PREFIX.lower()).partition("__")
        if name.upper().startswith(ENV_PREFIX) and nested and section not in NEIGHBOURS:
            told.setdefault(section, {})
    return told


def _merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """One mapping; sections are merged key by key, anything else is replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(below, dict) and isinstance(value, dict):
                result[key] = _merged(below, value)
            else:
                result[key] = value
    return result


def _resolve_secret_files(told: dict[str, Any], beside: Path) -> list[str]:
    """Replace each ``<key>_file`` by what the file holds; the faults met on the way."""
    faults = []
    for section, keys in SECRETS.items():
        values = told.get(section)
        if not isinstance(values, dict):
            continue
        told[section] = values = dict(values)
        for key in keys:
            given = values.pop(f"{key}_file", None)
            if given is None:
                continue
            if key in values:
                continue  # `_given_twice` says it
            try:
                values[key] = _secret(beside / str(given))
            except (OSError, ValueError) as error:
                faults.append(f"{section}.{key}_file: {error}")
                values[key] = "?"  # one fault is enough: no "required" on top of it
    return faults


def _secret(path: Path) -> str:
    with path.open("rb") as source:
        content = source.read(SECRET_FILE_MAX_BYTES + 1)
    if len(content) > SECRET_FILE_MAX_BYTES:
        raise ValueError(f"want at most {SECRET_FILE_MAX_BYTES:,} bytes in {path}")
    try:
        text = content.decode().strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"want text in {path}") from error
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _cross_faults(told: dict[str, Any]) -> list[str]:
    """What no single key can show; looks at raw values so that it never hides other faults."""
    faults = []
    ports = {
        "http.port": _given(told, "http", "port", 8080),
        "edge.port": _given(told, "edge", "port", 8443),
        "edge.join_port": _given(told, "edge", "join_port", 8444),
        "management.port": _given(told, "management", "port", 0),
    }
    seen: dict[str, str] = {}
    for key, port in ports.items():
        text = str(port)
        if text in seen and text != "0":
            faults.append(f"{key}: {text} is already the port of {seen[text]}")
        seen.setdefault(text, key)
    faults += _sms_faults(told) if isinstance(told.get("sms"), dict) else []
    faults += _email_faults(told) if isinstance(told.get("email"), dict) else []
    faults += [
        f"{section}.base_url: want https://… for any machine but this one"
        for section in ("airtel", "card")
        if not _is_private(str(_given(told, section, "base_url", "https:")))
    ]
    faults += _bank_faults(told) if isinstance(told.get("bank"), dict) else []
    return faults + (_mpesa_faults(told) if isinstance(told.get("mpesa"), dict) else [])


def _is_private(url: str) -> bool:
    """Whether nobody reads along: by TLS, or because it stays on this machine."""
    return url.startswith("https:") or _host(url) in LOOPBACK


def _bank_faults(told: dict[str, Any]) -> list[str]:
    wanted = ("public_key",) if _given(told, "bank", "bank", "") == "kcb" else ("user", "password")
    return [f"bank.{key}: required here" for key in wanted if not _given(told, "bank", key, None)]


def _sms_faults(told: dict[str, Any]) -> list[str]:
    part = _given(told, "sms", "http", None)
    urls = {"sms.base_url": _given(told, "sms", "base_url", "https:")}
    if isinstance(part, dict):
        urls["sms.http.url"] = part.get("url", "https:")
    faults = [
        f"{key}: want https://… for any machine but this one"
        for key, url in urls.items()
        if not str(url).startswith("https:") and _host(str(url)) not in LOOPBACK
    ]
    by_http = _given(told, "sms", "kind", "africas_talking") == "http"
    wanted = "http" if by_http else "username"
    if _given(told, "sms", wanted, None) is None:
        faults.append(f"sms.{wanted}: required here")
    if part is not None and not by_http:
        faults.append('sms.http: is of use only with sms.kind = "http"')
    return faults


def _email_faults(told: dict[str, Any]) -> list[str]:
    faults = []
    in_clear = _given(told, "email", "security", "starttls") == "none"
    if in_clear and str(_given(told, "email", "host", "localhost")) not in LOOPBACK:
        faults.append('email.security: "none" is for a server on this machine')
    known = [_given(told, "email", key, None) is not None for key in ("username", "password")]
    if known[0] != known[1]:
        faults.append(f"email.{'password' if known[0] else 'username'}: required here")
    return faults


def _mpesa_faults(told: dict[str, Any]) -> list[str]:
    provider = str(_given(told, "mpesa", "base_url", "https:"))
    public = str(_given(told, "http", "public_url", ""))
    faults = [f"http.public_url: {fault.problem}" for fault in callback_word_faults(public)]
    if provider.startswith("https:"):
        if not public.startswith("https:"):
            faults.append("http.public_url: want https://… because M-PESA calls back over https")
    elif _host(provider) not in LOOPBACK:
        faults.append("mpesa.base_url: want https://… for any machine but this one")
    user = ("initiator", "initiator_password", "certificate")
    known = [key for key in user if _given(told, "mpesa", key, None) is not None]
    if known:
        faults += [f"mpesa.{key}: required here" for key in user if key not in known]
    return faults


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _given(told: dict[str, Any], section: str, key: str, default: object) -> object:
    values = told.get(section)
    return values.get(key, default) if isinstance(values, dict) else default


def _sentence(fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest(key)}"
    if fault["type"] == "missing":
        return f"{key}: required here"
    if fault["type"] == "value_error":
        return f"{key}: {fault['ctx']['error']}"
    if fault["type"] == "string_pattern_mismatch":
        return f"{key}: want {WANTS[fault['ctx']['pattern']]}"
    return f"{key}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, (*known_keys(), *_SECTIONS), n=1)
    return f"; did you mean {near[0]}?" if near else ""
