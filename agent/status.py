"""What a running agent says of itself, in one small file that ``lango-agent status`` reads."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from agent.vitals import Vitals

FILE = "run/status.json"
STALE = timedelta(seconds=20)
"""An agent writes every few seconds; an older file was left by one that is no more."""

PERIOD_S = 2


def write(state_dir: Path, values: dict[str, Any], *, at: datetime) -> None:
    """Replace the status file in one step. Raises `OSError`."""
    path = state_dir / FILE
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"at": at.isoformat(), "pid": os.getpid(), **values}))
    fresh.rename(path)


def read(state_dir: Path, *, now: datetime) -> dict[str, Any] | None:
    """What a running agent last said; None when none runs, or its word is stale."""
    try:
        values: dict[str, Any] = json.loads((state_dir / FILE).read_text())
        at = datetime.fromisoformat(values["at"]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return values if abs(now - at) <= STALE and _alive(int(values["pid"])) else None


def of_box(vitals: Vitals) -> dict[str, int]:
    """How the box is, of what is known."""
    known = {one.name: getattr(vitals, one.name) for one in fields(vitals)}
    return {name: value for name, value in known.items() if isinstance(value, int)}


def degraded(values: dict[str, Any]) -> bool:
    """Whether the agent works, but not all of it."""
    return not (values["link_up"] and values["healthy"])


RED, PLAIN = "\033[31m", "\033[0m"
GRAVE = frozenset({"troubles", "radius_without_message_authenticator"})
"""What puts the site at risk, when there is any."""

MEANS = {
    "radius_without_message_authenticator": "anybody on the way can let people in (CVE-2024-3596)",
    "radius_guessed": "wrong secrets keep coming; one a minute is looked at",
    "radius_strangers": "no [[radius.nas]] has this address, so they get no answer",
    "radius_doubted": "no answer: forged has another secret, unsigned no Message-Authenticator",
}
"""What a list of names means, when there are any."""


def line(key: str, value: object, *, colours: bool) -> str:
    """One value for people: what puts the site at risk is red."""
    text = f"{key}: {_plain(value)}"
    if not value or not isinstance(value, list):
        return text
    if key in MEANS:
        text += f" - {MEANS[key]}"
    if key not in GRAVE:
        return text
    return f"{RED}{text}{PLAIN}" if colours else f"!! {text}"


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
