"""How sites present the operator: its name, colour, picture, phone and languages.

A site shows what staff said of it; where they said nothing of its own, which is what the settings
say, it follows the operator. One rule for the portal at the site and for the one of the controller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from billing.ids import SiteId
from controller.documents.look import is_readable, phone_logo
from controller.edge import wire
from controller.store import items, operators, sites
from portal.captive.gate import SiteFace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.config_sections import OperatorSettings
    from controller.deps import Deps
    from controller.store.billing_rows import OperatorRow
    from controller.store.database import Tx
    from controller.store.site_rows import SiteRow

SITE_KEY, LOGO_KEY = "site", "logo"
LOGO_NAME_CHARS = 16
OWN_COLOUR = "#0b6e4f"
"""The operator's colour until it says one; portals then keep their own, which is close to it."""

LANGUAGES = ("en", "sw")

Wanted = Mapping[SiteId, Mapping[str, bytes | None]]
"""Items of sites; None: there is none."""


def face_of(
    settings: OperatorSettings, operator: OperatorRow, site: SiteRow, *, wallets: tuple[str, ...]
) -> SiteFace:
    """How a site presents itself, without what is planned or wrong there."""
    languages = languages_of(settings, operator)
    follows = site.language == settings.language and operator.languages
    language = languages[0] if follows or site.language not in languages else site.language
    own_name = site.operator_name if site.operator_name != settings.name else ""
    own_phone = site.help_phone if site.help_phone != settings.help_phone else ""
    return SiteFace(
        operator_name=own_name or name_of(settings, operator),
        site_name=site.name,
        help_phone=own_phone or phone_of(settings, operator),
        language=language,
        rails=wallets,
        colour="" if operator.colour == OWN_COLOUR else operator.colour,
        languages=languages,
        logo=logo_name(logo_of(operator)),
    )


def name_of(settings: OperatorSettings, operator: OperatorRow) -> str:
    """What the operator is called."""
    return operator.name or settings.name


def phone_of(settings: OperatorSettings, operator: OperatorRow) -> str:
    """Whom customers call, as people dial it: ``0712 345 678``; "" for nobody."""
    number = operator.support_phone or ""
    if number.startswith("+254") and number[1:].isdecimal():
        return f"0{number[4:7]} {number[7:10]} {number[10:]}"
    return number or settings.help_phone


def languages_of(settings: OperatorSettings, operator: OperatorRow) -> tuple[str, ...]:
    """The languages that customers are spoken to in, the default first."""
    if operator.languages:
        return tuple(operator.languages.split(","))
    return tuple(sorted(LANGUAGES, key=lambda code: code != settings.language))


def logo_of(operator: OperatorRow) -> bytes:
    """The operator's picture as portals show it; empty when there is none that can be read."""
    if operator.logo is None or not is_readable(operator.logo):
        return b""
    return phone_logo(operator.logo)


def logo_name(picture: bytes) -> str:
    """The name by which browsers keep a picture of portals; "" for none."""
    return hashlib.sha256(picture).hexdigest()[:LOGO_NAME_CHARS] if picture else ""


async def items_for(
    tx: Tx, deps: Deps, rows: Iterable[SiteRow]
) -> dict[SiteId, dict[str, bytes | None]]:
    """The items of sites that say how they present themselves; None where there is none."""
    operator, settings = await operators.operator(tx), deps.settings.operator
    picture = logo_of(operator)
    logo = wire.logo_body(picture) if picture else None
    return {
        SiteId(row.id): {
            SITE_KEY: _body(face_of(settings, operator, row, wallets=deps.wallets)),
            LOGO_KEY: logo,
        }
        for row in rows
    }


async def tell_in(tx: Tx, deps: Deps) -> list[SiteId]:
    """Tell every site how it presents itself now; those that had it otherwise.

    What stands already is looked at first, so that no site is locked for nothing.
    """
    wanted = await items_for(tx, deps, await sites.all_rows(tx))
    return await put_news(tx, wanted)


async def put_news(tx: Tx, wanted: Wanted) -> list[SiteId]:
    """Set items of sites where they differ from what stands; the sites where they did."""
    return list(await items.put_many(tx, await news_of(tx, wanted)))


async def news_of(tx: Tx, wanted: Wanted) -> Wanted:
    """What of it does not stand yet, of the sites where anything does not."""
    keys = {key for part in wanted.values() for key in part}
    kept = {key: await items.bodies(tx, key, wanted.keys()) for key in keys}
    news = {
        site_id: {key: body for key, body in part.items() if kept[key].get(site_id) != body}
        for site_id, part in wanted.items()
    }
    return {site_id: part for site_id, part in news.items() if part}


async def tell_all(deps: Deps) -> int:
    """Tell every site how it presents itself; how many had it otherwise.

    Done at each start, for what is of our settings. Raises `DatabaseBusy`.
    """
    async with deps.db.read() as tx:  # so that a start without news waits for no lock
        if not await news_of(tx, await items_for(tx, deps, await sites.all_rows(tx))):
            return 0
    async with deps.db.begin() as tx:
        told = await tell_in(tx, deps)
    wake(deps, told)
    return len(told)


def wake(deps: Deps, told: Iterable[SiteId]) -> None:
    """Have the sites hear at once what they were told, after the commit."""
    for site_id in told:
        deps.signals.wake(f"site:{site_id}")


def _body(face: SiteFace) -> bytes:
    return wire.site_body(
        operator_name=face.operator_name,
        site_name=face.site_name,
        help_phone=face.help_phone,
        language=face.language,
        rails=face.rails,
        colour=face.colour,
        languages=() if face.languages == LANGUAGES else face.languages,
    )
