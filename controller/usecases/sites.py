"""Sites: added by staff, joined by an agent, told their desired state."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.ids import SiteId
from billing.plan import ID_SHAPE
from controller.edge import wire
from controller.store import branches, items, plans, sites, tokens
from controller.store.billing_rows import MAIN
from controller.store.items import Change, Held
from controller.store.site_rows import SiteRow
from controller.usecases import blocking, faces, garden
from controller.usecases.plans import item_key
from controller.usecases.vouchers import chunks_for

if TYPE_CHECKING:
    from datetime import datetime

    from controller.deps import Deps
    from controller.geography import Place
    from controller.store.database import Tx

__all__ = [
    "Change",
    "Held",
    "Issued",
    "JoinTokenRefused",
    "NewSite",
    "SiteExists",
    "SiteStatus",
    "SiteUnknown",
    "add_site",
    "certificate_is_good",
    "changes_since",
    "enrol",
    "new_join_token",
    "place_site",
    "renew",
    "revoke_agent",
    "status",
]

JOIN_TOKEN_LIFE = timedelta(minutes=60)
GENERATION_MAX = 2**62
NAME_MAX = 80
PHONE_MAX = 20
LANGUAGES = ("en", "sw")
NOT_AN_ID = "new"
"""What the address of a page says where the id of a site stands: no site is called so."""


class SiteExists(Exception):  # noqa: N818 - a refusal, see style
    """A site of this id exists."""


class SiteUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such site."""


class JoinTokenRefused(Exception):  # noqa: N818 - a refusal, see style
    """The join token is not known, has been used, or is too old. Never says which."""

    def __init__(self) -> None:
        super().__init__("the join token is not valid: ask staff for a new one")


@dataclass(frozen=True, slots=True)
class NewSite:
    """A site as staff describe it: its id, how its portal presents itself, whose it is, where."""

    id: SiteId
    name: str
    operator_name: str
    help_phone: str = ""
    language: str = "en"
    branch_id: str = MAIN
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate for a site's agent, and the root to trust; both PEM."""

    site_id: SiteId
    certificate_pem: bytes
    ca_pem: bytes
    serial: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """How a site is doing. ``in_step`` when the agent has applied exactly what was asked."""

    site_id: SiteId
    name: str
    generation: int
    applied_generation: int
    in_step: bool
    last_seen_at: datetime | None
    agent_version: str
    sessions_open: int


async def add_site(deps: Deps, site: NewSite) -> None:
    """Make a site; it has every plan on sale, and every batch and garden that is for all sites.

    Raises `InvalidField`, `SiteExists`, `DatabaseBusy`.
    """
    _check(site)
    async with deps.db.begin() as tx:
        await plans.lock(tx)
        if await sites.load(tx, site.id) is not None:
            raise SiteExists(f"site {site.id} exists")
        if await branches.load(tx, site.branch_id) is None:
            raise InvalidField("branch_id", f"there is no branch {site.branch_id[:40]}")
        row = SiteRow(
            id=site.id,
            name=site.name,
            operator_name=site.operator_name,
            help_phone=site.help_phone,
            language=site.language,
            created_at=deps.now(),
            generation=0,
            digest=bytes(32),
            applied_generation=0,
            applied_digest=b"",
            agent_version="",
            branch_id=site.branch_id,
            latitude_e6=None if site.place is None else site.place.latitude_e6,
            longitude_e6=None if site.place is None else site.place.longitude_e6,
        )
        tx.add(row)
        await tx.flush()
        offers = {
            item_key(row.id): wire.plan_body(plans.as_plan(row), rank=row.rank)
            for row in await plans.on_sale(tx)
        }
        chunks = await chunks_for(tx, site.id)
        walls = (await garden.items_for(tx, [site.id]))[site.id]
        stays_out = (await blocking.items_for(tx, [site.id]))[site.id]
        shown = (await faces.items_for(tx, deps, [row]))[site.id]
        wanted = {**shown, **offers, **chunks, **walls, **stays_out}
        await items.put(tx, site.id, wanted)
    deps.signals.wake("live")


async def place_site(deps: Deps, site_id: SiteId, place: Place | None) -> None:
    """Keep where a site is; None: it is no longer known. Raises `SiteUnknown`, `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        row = await sites.lock(tx, site_id)
        if row is None:
            raise SiteUnknown(f"there is no site {site_id}")
        row.latitude_e6 = None if place is None else place.latitude_e6
        row.longitude_e6 = None if place is None else place.longitude_e6
    deps.signals.wake("live")


async def new_join_token(deps: Deps, site_id: SiteId) -> str:
    """The secret of a new join token: good for one agent, 60 minutes. Only its hash is kept.

    Raises `SiteUnknown`, `DatabaseBusy`.
    """
    secret = secrets.token_urlsafe(24)
    now = deps.now()
    async with deps.db.begin() as tx:
        await _must_exist(tx, site_id)
        tokens.add_join_token(
            tx,
            secret_hash=deps.vault.fingerprint("join", secret),
            site_id=site_id,
            now=now,
            expires_at=now + JOIN_TOKEN_LIFE,
        )
    return secret


async def enrol(deps: Deps, secret: str, csr_pem: bytes) -> Issued:
    """Spend a join token: a certificate for the key in the request.

    The same request again, while the token is young, gets a certificate again: the first answer
    may have been lost, and the key is the same. Raises `JoinTokenRefused`, `InvalidField`
    (``csr_pem``; the token is not spent), `DatabaseBusy`.
    """
    now = deps.now()
    csr_hash = hashlib.sha256(csr_pem).hexdigest()
    async with deps.db.begin() as tx:
        token = await tokens.join_token(tx, deps.vault.fingerprint("join", secret))
        if token is None or token.expires_at <= now:
            raise JoinTokenRefused
        if token.used_at is not None and token.csr_hash != csr_hash:
            raise JoinTokenRefused
        issued = _issue(tx, deps, SiteId(token.site_id), csr_pem, now)
        token.used_at = token.used_at or now
        token.csr_hash = csr_hash
    deps.signals.wake("live")
    return issued


async def renew(deps: Deps, site_id: SiteId, csr_pem: bytes) -> Issued:
    """A fresh certificate for a fresh key of a site that is enrolled.

    Raises `SiteUnknown`, `InvalidField` (``csr_pem``), `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        await _must_exist(tx, site_id)
        return _issue(tx, deps, site_id, csr_pem, deps.now())


async def certificate_is_good(deps: Deps, site_id: SiteId, serial: str) -> bool:
    """Whether a certificate was signed here for this site and has not been revoked."""
    async with deps.db.read() as tx:
        kept = await tokens.certificate(tx, serial)
    return kept is not None and kept.site_id == site_id and kept.revoked_at is None


async def revoke_agent(deps: Deps, site_id: SiteId) -> None:
    """Let no agent speak for the site until one joins anew.

    Raises `SiteUnknown`, `DatabaseBusy`.
    """
    async with deps.db.begin() as tx:
        await _must_exist(tx, site_id)
        await tokens.revoke_certificates(tx, site_id, deps.now())
    deps.signals.wake(f"site:{site_id}")
    deps.signals.wake("live")


async def changes_since(
    deps: Deps, site_id: SiteId, *, generation: int, digest: bytes, held: Held | None = None
) -> Change | None:
    """What an agent that holds ``generation`` with ``digest`` must be told; None: it is up to date.

    The rest of a change that broke off, when it ``held`` a part of one and that is still good.
    An agent that is beyond us (we came back from a backup) is told nothing until it has told us
    what it knows (`ingest`): what is news to us would be gone from its desired state till then.

    Raises `SiteUnknown`, `InvalidField` (``generation``), `DatabaseBusy`.
    """
    if not 0 <= generation <= GENERATION_MAX:
        raise InvalidField("generation", f"want 0 to {GENERATION_MAX:,}")
    async with deps.db.read() as tx:
        await _must_exist(tx, site_id)
        if not await items.is_beyond(tx, site_id, generation=generation, digest=digest):
            return await items.change_since(
                tx, site_id, generation=generation, digest=digest, held=held
            )
    async with deps.db.begin() as tx:
        if await items.is_beyond(tx, site_id, generation=generation, digest=digest):
            if not await items.has_told_all(tx, site_id):
                return None
            await items.overtake(tx, site_id, generation)
        return await items.change_since(tx, site_id, generation=generation, digest=digest)


async def status(deps: Deps, site_id: SiteId) -> SiteStatus:
    """How a site is doing. Raises `SiteUnknown`."""
    async with deps.db.read() as tx:
        site = await _must_exist(tx, site_id)
        return SiteStatus(
            site_id=SiteId(site.id),
            name=site.name,
            generation=site.generation,
            applied_generation=site.applied_generation,
            in_step=(site.generation, site.digest)
            == (site.applied_generation, site.applied_digest),
            last_seen_at=site.last_seen_at,
            agent_version=site.agent_version,
            sessions_open=await sites.sessions_open(tx, site_id),
        )


def _issue(tx: Tx, deps: Deps, site_id: SiteId, csr_pem: bytes, now: datetime) -> Issued:
    signed = deps.authority.sign(csr_pem, site_id=site_id, now=now)
    tokens.add_certificate(
        tx, serial=signed.serial, site_id=site_id, now=now, expires_at=signed.expires_at
    )
    return Issued(
        site_id=site_id,
        certificate_pem=signed.certificate_pem,
        ca_pem=deps.authority.ca_pem,
        serial=signed.serial,
        expires_at=signed.expires_at,
    )


async def _must_exist(tx: Tx, site_id: SiteId) -> SiteRow:
    site = await sites.load(tx, site_id)
    if site is None:
        raise SiteUnknown(f"there is no site {site_id}")
    return site


def _check(site: NewSite) -> None:
    if not ID_SHAPE.fullmatch(site.id):
        raise InvalidField("id", "want 1 to 32 of a-z, 0-9 and -, starting with a letter or digit")
    if site.id == NOT_AN_ID:
        raise InvalidField("id", f"no site can be called {NOT_AN_ID}")
    for field, text in (("name", site.name), ("operator_name", site.operator_name)):
        if not text.strip() or len(text) > NAME_MAX or not text.isprintable():
            raise InvalidField(field, f"want 1 to {NAME_MAX} characters")
    if len(site.help_phone) > PHONE_MAX or not site.help_phone.isprintable():
        raise InvalidField("help_phone", f"want at most {PHONE_MAX} characters")
    if site.language not in LANGUAGES:
        raise InvalidField("language", f"want one of {', '.join(LANGUAGES)}")
