"""Keys of controllers elsewhere, as `lango login` keeps them: a file that its owner alone reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

from controller.keep import write_private

FILE_NAME = "tokens.json"


def where() -> Path:
    """The file: below ``XDG_CONFIG_HOME``, or ``~/.config`` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "lango" / FILE_NAME


def stored_token(url: str) -> str:
    """The key that is kept for a controller, or nothing."""
    return _all().get(url.rstrip("/"), "")


def store_token(url: str, token: str | None) -> None:
    """Keep a key for a controller, or forget it. Raises ``OSError``."""
    kept = {name: key for name, key in _all().items() if name != url.rstrip("/")}
    if token is not None:
        kept[url.rstrip("/")] = token
    path = where()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, json.dumps(kept, indent=1, sort_keys=True).encode())


def _all() -> dict[str, str]:
    try:
        found = json.loads(where().read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): str(key) for name, key in found.items()}
