"""How the settings of this controller come about: what is fixed here, what was chosen on screen.

Chosen settings are in the database, secrets sealed by the vault, so that every controller of it has
the same. What file, environment or command line says goes before them; what a controller must know
before it can ask its database, and where it listens, is never chosen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from pydantic import ValidationError

from controller.config import SECRETS, ConfigFaults, Fixed, Settings, settled
from controller.store import chosen
from controller.store.dumps import SQLITE, kind_of, sqlite_path
from controller.vault import FILE_NAME, open_vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.store.chosen_rows import ChosenRow
    from controller.vault import Vault

MPESA = ("base_url", "shortcode", "till", "consumer_key", "consumer_secret", "passkey")
SMS = ("base_url", "username", "api_key", "sender_id")
CHOOSABLE = frozenset(
    ("http.public_url", *(f"mpesa.{key}" for key in MPESA), *(f"sms.{key}" for key in SMS))
)
"""Every key that may be chosen on screen."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is fixed for this controller, and the mark of the choices with which it began."""

    fixed: Fixed = field(default_factory=Fixed)
    mark: str = ""


def is_secret(key: str) -> bool:
    """Whether the value of ``section.key`` is shown to nobody."""
    section, _, name = key.partition(".")
    return name in SECRETS.get(section, ())


def opened(rows: Iterable[ChosenRow], vault: Vault | None) -> dict[str, Any]:
    """The choices, shaped like the file.

    Raises `ConfigFaults`: what was sealed under the keys of another state directory.
    """
    told: dict[str, Any] = {}
    faults = []
    for row in rows:
        section, _, key = row.name.partition(".")
        try:
            told.setdefault(section, {})[key] = _value(row, vault)
        except InvalidToken:
            faults.append(
                f"{row.name}: was chosen on screen and sealed with other keys than those in "
                f"state_dir; `lango config forget {section}` forgets it"
            )
    if faults:
        raise ConfigFaults(faults)
    return told


def _value(row: ChosenRow, vault: Vault | None) -> Any:
    if row.sealed is None:
        return json.loads(row.value or "null")
    if vault is None:
        raise InvalidToken
    return vault.unseal(row.sealed).decode()


def at_start(fixed: Fixed) -> tuple[Settings, Choices]:
    """The settings with which a controller begins.

    Raises `ConfigFaults`, `chosen.ChoicesUnreadable`.
    """
    place = whereabouts(fixed)
    rows = stored(place)
    vault = _vault_of(place) if any(row.sealed for row in rows) else None
    return settled(fixed, opened(rows, vault)), Choices(fixed, chosen.mark_of(rows))


def _vault_of(place: Settings) -> Vault | None:
    """The keys that are there; None where none can be read: what is wrong is told by `opened`."""
    if not (place.state_dir / FILE_NAME).exists():
        return None
    try:
        return open_vault(place.state_dir)
    except (OSError, ValueError):
        return None


def stored(place: Settings) -> list[ChosenRow]:
    """The rows of the choices; none where there is no database yet.

    Raises `chosen.ChoicesUnreadable`.
    """
    return chosen.every_at_start(place.database_url) if has_choices(place) else []


def has_choices(place: Settings) -> bool:
    """Whether there is a database that keeps choices. Makes none. Raises as `stored` does."""
    url = place.database_url
    is_new = kind_of(url) == SQLITE and not sqlite_path(url).exists()
    return not is_new and chosen.has_table(url)


def whereabouts(fixed: Fixed) -> Settings:
    """Settings of which only state directory and database are right: those are never chosen.

    Raises `ConfigFaults`.
    """
    told: dict[str, Any] = {}
    for _, layer in fixed.layers:
        told |= {key: layer[key] for key in ("state_dir", "database") if key in layer}
    try:
        return Settings(**told)
    except ValidationError:
        return settled(fixed)  # raises, with every fault and not only these


def origins(fixed: Fixed, settings: Settings, keys: Iterable[str]) -> Mapping[str, str]:
    """Where each key's value comes from: a layer's name, ``chosen on screen`` or ``default``."""
    return {
        key: fixed.by(key) or ("chosen on screen" if key in settings.chosen else "default")
        for key in keys
    }
