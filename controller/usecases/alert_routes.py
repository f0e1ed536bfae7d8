"""Routes of alerts: to whom they go, by SMS, e-mail or signed webhook; each can be tried."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from billing.errors import InvalidField
from billing.msisdn import masked, parse_msisdn
from controller.alerts.rules import Severity
from controller.alerts.telling import MINUTES_OF_DAY
from controller.alerts.texts import TABLES
from controller.notify.addresses import AddressRefused, checked, place_of
from controller.notify.email_message import is_address
from controller.notify.webhook import SECRET_BYTES, SECRET_PREFIX
from controller.store import alerts, sites
from controller.store.alert_rows import AlertRouteRow
from controller.usecases import branches, particulars
from controller.usecases.alert_messages import letter_in, sms_in, webhook_in
from controller.usecases.sites import SiteUnknown

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.store.database import Tx

ROUTES_MAX = 100
AFTER_MAX_S = 86_400
KINDS = ("sms", "email", "webhook")


class RouteUnknown(Exception):  # noqa: N818 - a refusal, see style
    """There is no such route."""


@dataclass(frozen=True, slots=True)
class NewRoute:
    """A route as staff describe it; see `AlertRouteRow`. ``target`` is what ``kind`` wants."""

    name: str
    kind: str
    target: str
    severity: str = "warn"
    site_id: str | None = None
    branch_id: str | None = None
    from_minute: int = 0
    until_minute: int = 0
    after_s: int = 0
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Made:
    """A new route. The secret that its receiver checks signatures by is shown this once."""

    row: AlertRouteRow
    secret: str | None


async def add_route(deps: Deps, new: NewRoute) -> Made:
    """Make a route. Raises `InvalidField`, `SiteUnknown`, `DatabaseBusy`."""
    target, shown = _target(deps, new)
    secret = _new_secret() if new.kind == "webhook" else None
    row = AlertRouteRow(
        id=secrets.token_hex(16),
        name=particulars.name(new.name),
        kind=new.kind,
        target=deps.vault.seal(target.encode()),
        shown=shown,
        secret=None if secret is None else deps.vault.seal(secret.encode()),
        severity=_severity(new.severity),
        site_id=new.site_id,
        branch_id=new.branch_id,
        from_minute=_minute("from_minute", new.from_minute),
        until_minute=_minute("until_minute", new.until_minute),
        after_s=_after(new.after_s),
        language=particulars.language(new.language),
        created_at=deps.now(),
        stopped="",
    )
    async with deps.db.begin() as tx:
        await must_be_one_area(tx, new.site_id, new.branch_id)
        if len(await alerts.routes(tx)) >= ROUTES_MAX:
            raise InvalidField("name", f"there are {ROUTES_MAX} routes already: remove one")
        tx.add(row)
    return Made(row, secret)


async def remove_route(deps: Deps, route_id: str) -> AlertRouteRow:
    """Tell this route nothing more. Raises `RouteUnknown`, `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        row = await _known(tx, route_id)
        row.removed_at = deps.now()
    return row


async def resume_route(deps: Deps, route_id: str) -> AlertRouteRow:
    """Tell a route again that its receiver had stopped. Raises `RouteUnknown`, `DatabaseBusy`."""
    async with deps.db.begin() as tx:
        row = await _known(tx, route_id)
        row.stopped = ""
    return row


async def try_route(deps: Deps, route_id: str) -> str:
    """Send a message that says that it is a test; what it is about in the outbox.

    Raises `RouteUnknown`, `DatabaseBusy`.
    """
    now, about = deps.now(), f"test {secrets.token_hex(8)}"
    async with deps.db.begin() as tx:
        row = await _known(tx, route_id)
        table = TABLES[row.language]
        text = table["test"].format(operator=deps.settings.operator.name[:20], subject=row.name)
        event = f"alert-test:{row.id}:{about}"
        if row.kind == "sms":
            await sms_in(tx, deps, row, text, about=about, event=event, now=now)
        elif row.kind == "email":
            subject = table["mail.test"]
            await letter_in(tx, deps, row, subject, [text], about=about, event=event, now=now)
        else:
            at = now.isoformat().replace("+00:00", "Z")
            body: dict[str, object] = {
                "type": "alert.test",
                "timestamp": at,
                "data": {"text": text},
            }
            await webhook_in(tx, deps, row, event, body=body, now=now)
    return about


async def must_be_one_area(tx: Tx, site_id: str | None, branch_id: str | None) -> None:
    """Raise `InvalidField` or `SiteUnknown` unless it is a site, a branch, or everything."""
    if site_id is not None and branch_id is not None:
        raise InvalidField("branch_id", "say a site or a branch, not both")
    if site_id is not None and await sites.load(tx, site_id) is None:
        raise SiteUnknown(f"there is no site {site_id[:40]}")
    if branch_id is not None:
        await branches.must_exist(tx, branch_id)


async def _known(tx: Tx, route_id: str) -> AlertRouteRow:
    row = await alerts.route(tx, route_id)
    if row is None:
        raise RouteUnknown(f"there is no alert route {route_id[:40]}")
    return row


def _target(deps: Deps, new: NewRoute) -> tuple[str, str]:
    """Where it leads, and what is shown of that."""
    text = new.target.strip()
    if new.kind == "sms":
        phone = parse_msisdn(text)
        return phone, masked(phone)
    if new.kind == "email":
        if not is_address(text):
            raise InvalidField("target", "want an address like noc@example.co.ke")
        return text, _masked_address(text)
    if new.kind == "webhook":
        return text, _checked_url(deps, text)
    raise InvalidField("kind", f"want one of {', '.join(KINDS)}")


def _checked_url(deps: Deps, text: str) -> str:
    """The host of a webhook's address; what is behind it may be a secret.

    An address that is written as one is looked at now, a name each time that we go there.
    """
    try:
        place = place_of(text)
        if place.host.replace(".", "").isdigit() or ":" in place.host:
            checked(place, [place.host], allowed=deps.settings.alerts.webhook_networks)
    except AddressRefused as error:
        raise InvalidField("target", WANTS[error.why]) from error
    if place.scheme != "https" and not deps.settings.alerts.webhook_networks:
        raise InvalidField("target", WANTS["not_https"])
    return f"{place.scheme}://{urlsplit(text).hostname}:{place.port}/…"


WANTS = {
    "url_unreadable": "want an address like https://example.co.ke/alerts",
    "not_https": "want https://…",
    "address_not_public": "want an address on the internet, or in alerts.webhook_networks",
    "no_address": "want an address like https://example.co.ke/alerts",
}


def _masked_address(address: str) -> str:
    name, _, host = address.rpartition("@")
    return f"{name[:2]}…@{host}"


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _severity(text: str) -> str:
    if text not in tuple(Severity):
        raise InvalidField("severity", "want warn or critical")
    return text


def _minute(field: str, minute: int) -> int:
    if not 0 <= minute < MINUTES_OF_DAY:
        raise InvalidField(field, "want a minute of the day, 0 to 1439")
    return minute


def _after(seconds: int) -> int:
    if not 0 <= seconds <= AFTER_MAX_S:
        raise InvalidField("after_s", "want 0 to 86,400 seconds")
    return seconds
