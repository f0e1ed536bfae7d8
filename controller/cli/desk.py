"""Where the controller is, which key to show it, and where to write: what every command gets."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

import typer

from billing.errors import InvalidField
from controller.cli.client import Api
from controller.cli.stored import stored_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.cli.screen import Screen

URL_USUAL = "http://127.0.0.1:8080"
STATE_DIRS = ("var/controller", "var/trial/controller", "/var/lib/lango")
"""Where the key file of a controller on this machine may be, when nothing else was said."""

KEY_FILE = "keys.json"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many lines.")]
OfSite = Annotated[str | None, typer.Option("--site", help="Only of this site.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file (TOML).", envvar="LANGO_CONFIG"),
]


Typed = TypeVar("Typed")


def typed(read: Callable[[str], Typed]) -> Callable[[str], Typed]:
    """``read`` for typer, which wants its own kind of refusal."""

    def parse(text: str) -> Typed:
        try:
            return read(text)
        except InvalidField as refusal:
            raise typer.BadParameter(refusal.problem) from refusal

    return parse


@dataclass(frozen=True, slots=True)
class Desk:
    """What the root command found out for the others."""

    url: str
    key: str
    screen: Screen

    @property
    def api(self) -> Api:
        """The controller."""
        key = self.key or stored_token(self.url)
        return Api(url=self.url, key=key or (local_key() if is_here(self.url) else ""))


def desk_of(ctx: typer.Context) -> Desk:
    """The desk of this run."""
    return cast("Desk", ctx.obj)


def is_here(url: str) -> bool:
    """Whether a controller is on this machine: its own key is shown to no other."""
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def local_key() -> str:
    """The staff key of a controller on this machine whose files we may read, or nothing."""
    said = os.environ.get("LANGO_STATE_DIR")
    for folder in (said,) if said else STATE_DIRS:
        try:
            keys: dict[str, Any] = json.loads((Path(folder) / KEY_FILE).read_text())
            return str(keys["staff"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
