"""How a machine becomes the gateway of a site: a code, the script that it fetches, what it tells.

A code is the secret of a join token that can be typed: 12 letters of Crockford's base 32, 60 bits.
It is good once, for an hour, and is kept as its hash. It is spent when the machine joins, not when
the script is fetched: a script can be looked at before it is run, and fetched again.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from billing.errors import InvalidField
from billing.ids import SiteId
from controller.config import LOOPBACK
from controller.installer import script
from controller.installer.bundle import bundle
from controller.store import sites, tokens
from controller.usecases.sites import JOIN_TOKEN_LIFE, SiteUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from controller.deps import Deps
    from controller.store.database import Tx
    from controller.store.site_rows import JoinTokenRow, SiteRow

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12
TYPED_MAX = 20
ROUTER = "10.9.0.1"
"""Stands in the command where the router's address goes."""

_MISREAD = str.maketrans("OIL", "011", "- ")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")

REFUSAL = (
    "this code is not good: it was used, is older than an hour, or never was."
    " Make a new one on the page of the site."
)


class CodeUnknown(Exception):  # noqa: N818 - a refusal, see style
    """The code is not known, has been used, or is too old. Never says which."""

    def __init__(self) -> None:
        super().__init__(REFUSAL)


class Step(StrEnum):
    """What the script tells, in this order; a failure may come at any time."""

    BEGAN = "began"
    SYSTEM = "system"
    INSTALLED = "installed"
    CHOSEN = "chosen"
    JOINED = "joined"
    STARTED = "started"
    CHECKED = "checked"
    FAILED = "failed"


class Unreachable(StrEnum):
    """A setting for want of which no other machine would reach this controller."""

    PUBLIC_URL = "http.public_url"
    EDGE_HOST = "edge.public_host"


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed at the machine, until when, and the sum of the script that it fetches.

    ``careful`` runs nothing but the script of that sum. ``by_hand`` is for a machine that has the
    agent already, or that cannot fetch.
    """

    code: str
    address: str
    command: str
    careful: str
    by_hand: str
    sha256: str
    expires_at: datetime
    is_https: bool

    @property
    def for_router(self) -> str:
        """The same for a machine beside a router, whose address is typed in."""
        return f"{self.command} -s -- --router {ROUTER}"

    @property
    def careful_for_router(self) -> str:
        """As `careful`, beside a router."""
        return f"{self.careful} --router {ROUTER}"


async def new_code(deps: Deps, site_id: SiteId) -> str:
    """A new code for a site; the codes and join tokens before it that nobody used end.

    Raises `SiteUnknown`, `DatabaseBusy`.
    """
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    now = deps.now()
    async with deps.db.begin() as tx:
        await _known(tx, site_id)
        await tokens.end_join_tokens(tx, site_id, now)
        tokens.add_join_token(
            tx,
            secret_hash=fingerprint(deps, code),
            site_id=site_id,
            now=now,
            expires_at=now + JOIN_TOKEN_LIFE,
        )
    deps.signals.wake("live")
    return code


async def command_of(deps: Deps, code: str) -> Command:
    """How a machine joins by a code that is still good. Raises `CodeUnknown`."""
    async with deps.db.read() as tx:
        token = await _token(tx, deps, code)
        if token.used_at is not None:
            raise CodeUnknown
        site = await _known(tx, SiteId(token.site_id))
    return command_for(deps, site, code, expires_at=token.expires_at)


def command_for(deps: Deps, site: SiteRow, code: str, *, expires_at: datetime) -> Command:
    """The same for a code that is known to be good."""
    words = _words(deps, site, code)
    sha256 = script.sum_of(script.written(words))
    return Command(
        code=spelt(code),
        address=words.address,
        command=script.command(words.address),
        careful=script.careful_command(words.address, sha256),
        by_hand=f"sudo lango-agent join {words.token}",
        sha256=sha256,
        expires_at=expires_at,
        is_https=urlsplit(words.address).scheme == "https",
    )


async def script_of(deps: Deps, typed: str) -> bytes:
    """The install script of a code that is still good. Raises `CodeUnknown`."""
    async with deps.db.read() as tx:
        token = await _token(tx, deps, typed)
        if token.used_at is not None:
            raise CodeUnknown
        site = await _known(tx, SiteId(token.site_id))
    return script.written(_words(deps, site, canonical(typed)))


async def must_be_young(deps: Deps, typed: str) -> None:
    """Raise `CodeUnknown` unless the code is one of the last hour, used or not."""
    async with deps.db.read() as tx:
        await _token(tx, deps, typed)


async def note_step(deps: Deps, typed: str, sent: Mapping[str, str]) -> None:
    """Keep what the script told; it goes on telling when its code is used.

    Raises `CodeUnknown`, `InvalidField`, `DatabaseBusy`.
    """
    step = _step("step", sent)
    told = _told(step, sent)
    now = deps.now()
    async with deps.db.begin() as tx:
        token = await _token(tx, deps, typed)
        await tokens.keep_step(tx, token.secret_hash, step, told=told, now=now)
    deps.signals.wake("live")


def unreachable(deps: Deps) -> tuple[Unreachable, ...]:
    """Settings that name this very machine, so that another would ask itself."""
    settings = deps.settings
    hosts = (
        (Unreachable.PUBLIC_URL, urlsplit(settings.public_url).hostname or ""),
        (Unreachable.EDGE_HOST, settings.edge.public_host),
    )
    return tuple(key for key, host in hosts if host in LOOPBACK)


def canonical(typed: str) -> str:
    """A code as it is kept: without dashes, and with the letters that are mistaken for others.

    Raises `CodeUnknown`.
    """
    code = typed[: TYPED_MAX + 1].upper().translate(_MISREAD)
    if len(typed) > TYPED_MAX or len(code) != CODE_LENGTH or not set(code) <= set(LETTERS):
        raise CodeUnknown
    return code


def spelt(code: str) -> str:
    """A code as it is shown: ``7QX2-M4PD-9HTR``."""
    return "-".join(code[at : at + 4] for at in range(0, CODE_LENGTH, 4))


def fingerprint(deps: Deps, code: str) -> str:
    """The hash by which a code is kept: that of a join token."""
    return deps.vault.fingerprint("join", code)


def _words(deps: Deps, site: SiteRow, code: str) -> script.Words:
    join_address = deps.settings.join_address
    return script.Words(
        site_id=site.id,
        site_name=site.name,
        operator_name=site.operator_name,
        address=f"{deps.settings.public_url}/i/{spelt(code)}",
        join_address=join_address,
        token=deps.authority.join_token(join_address=join_address, secret=code),
        bundle_sha256=bundle().sha256,
    )


async def _token(tx: Tx, deps: Deps, typed: str) -> JoinTokenRow:
    """The token of a code of the last hour. Raises `CodeUnknown`."""
    token = await tokens.join_token_now(tx, fingerprint(deps, canonical(typed)))
    if token is None or token.expires_at <= deps.now():
        raise CodeUnknown
    return token


async def _known(tx: Tx, site_id: SiteId) -> SiteRow:
    site = await sites.load(tx, site_id)
    if site is None:
        raise SiteUnknown(f"there is no site {site_id}")
    return site


def _step(field: str, sent: Mapping[str, str]) -> Step:
    try:
        return Step(sent.get(field, ""))
    except ValueError:
        raise InvalidField(field, f"want one of {', '.join(Step)}") from None


def _told(step: Step, sent: Mapping[str, str]) -> str:
    """The few words of a step, as they are kept."""
    match step:
        case Step.CHOSEN:
            return f"{_interface('lan', sent)} {_interface('wan', sent)}"
        case Step.CHECKED:
            if sent.get("well") not in {"yes", "no"}:
                raise InvalidField("well", "want yes or no")
            return sent["well"]
        case Step.FAILED:
            return _step("at", sent)
        case _:
            return ""


def _interface(field: str, sent: Mapping[str, str]) -> str:
    name = sent.get(field, "")
    if not _INTERFACE.fullmatch(name):
        raise InvalidField(field, "is no name of an interface")
    return name
