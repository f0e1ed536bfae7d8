"""Steps of desired state: which are taken, which refused, and what they mean here. PURE.

Generations: an older one is refused; the same with other content is an error; the same again is
nothing; a newer one is applied if its digest proves that the result is what the controller meant,
and otherwise not at all: then a snapshot is asked for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, assert_never

from agent import dialling, grants, joining, orders, sessions
from agent.model import (
    Blocked,
    Chunk,
    Garden,
    Listing,
    Login,
    Logo,
    Notice,
    ProbeOrder,
    Resync,
    SitePool,
    Works,
)
from agent.wire import Granted, Slot, TokenKeys, Unreadable, parse_item
from billing.ids import GrantId, PlanId
from portal.captive.gate import SiteFace
from shaping.plane import MacAddress, PoolKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.draft import Draft
    from agent.uplink.seam import DesiredChange
    from agent.wire import Parsed

DIGEST_BYTES = 32
DIGEST_MODULUS = 2**256
NO_ITEMS = bytes(DIGEST_BYTES)
"""The digest of nothing."""


def digest(items: Mapping[str, bytes]) -> bytes:
    """The sum, modulo 2^256, of SHA-256(key, zero byte, body) over all items; 32 bytes."""
    total = sum(_hash(key, body) for key, body in items.items())
    return (total % DIGEST_MODULUS).to_bytes(DIGEST_BYTES)


def changed(draft: Draft, change: DesiredChange) -> None:
    """Take a step of desired state, or say why not."""
    if change.generation < draft.generation:
        text = f"generation {change.generation} is older than {draft.generation}, which is here"
        draft.say(Notice(code="generation_older", text=text))
        return
    if change.generation == draft.generation:
        _same_generation(draft, change)
        return
    if change.from_generation not in {0, draft.generation}:
        draft.say(Resync())
        return
    after = _after(draft, change)
    if after is None:
        text = f"generation {change.generation} does not add up to its digest"
        draft.say(Notice(code="digest_differs", text=text))
        draft.say(Resync())
        return
    _take(draft, change, after)


def told(draft: Draft, items: Mapping[str, bytes]) -> None:
    """Let items of desired state mean something here; what cannot is told once for all of them."""
    unreadable, unknown = [], Counter[str]()
    for key, body in items.items():
        try:
            parsed = parse_item(key, body)
        except Unreadable as wrong:
            unreadable.append(str(wrong))
            continue
        match parsed:
            case Granted():
                _granted(draft, parsed)
            case None:
                unknown[key.partition("/")[0]] += 1
            case _:
                shown(draft, key, parsed)
    if unreadable:
        more = f"; and {len(unreadable) - 1:,} more" if unreadable[1:] else ""
        draft.say(Notice(code="item_unreadable", text=unreadable[0] + more))
    if unknown:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(unknown.items()))
        draft.say(Notice(code="item_unknown", text=f"this version knows no such kind: {kinds}"))


def shown(draft: Draft, key: str, parsed: Parsed) -> None:  # noqa: C901, PLR0912 - one for each kind
    """Let an item that is no grant mean something here; at a start, all of them again."""
    match parsed:
        case SiteFace():
            draft.face = parsed
        case Logo():
            draft.logo = parsed
        case Works():
            draft.works = parsed
        case Listing():
            draft.offers.put(PlanId(parsed.offer.plan_id), parsed)
        case SitePool():
            draft.pools.put(PoolKey(_name(key)), parsed)
        case Garden():
            draft.garden = parsed
        case Blocked():
            sessions.block(draft, parsed)
        case TokenKeys():
            draft.token_keys.clear()
            for version, secret in parsed.secrets.items():
                draft.token_keys.put(version, secret)
        case Slot():
            draft.slots.put(parsed.number, parsed.prepaid)
        case Chunk():
            draft.chunks.put(key, parsed)
        case ProbeOrder():
            draft.probes.put(parsed.id, parsed)
        case Login():
            draft.logins.put(parsed.name, parsed)
        case Granted():
            pass
        case _:
            assert_never(parsed)


def _same_generation(draft: Draft, change: DesiredChange) -> None:
    if change.digest == draft.digest:
        return
    text = f"generation {change.generation} came again with other content"
    draft.say(Notice(code="generation_differs", text=text))
    draft.say(Resync())


def _after(draft: Draft, change: DesiredChange) -> dict[str, bytes] | None:
    """All items after the change, or None when they are not what the digest says."""
    items = dict(draft.items.result) if change.from_generation else {}
    total = int.from_bytes(draft.digest) if change.from_generation else 0
    for key in change.removals:
        if key in items:
            total -= _hash(key, items.pop(key))
    for key, body in change.upserts:
        if key in items:
            total -= _hash(key, items[key])
        items[key] = body
        total += _hash(key, body)
    same = (total % DIGEST_MODULUS).to_bytes(DIGEST_BYTES) == change.digest
    return items if same else None


def _take(draft: Draft, change: DesiredChange, after: dict[str, bytes]) -> None:
    before = draft.items.result
    if change.from_generation:
        gone = [key for key in change.removals if key in before or _made_here(draft, key)]
        news = [key for key, body in change.upserts if before.get(key) != body]
    else:
        gone = [key for key in before if key not in after]
        news = [key for key, body in after.items() if before.get(key) != body]
    for key in gone:
        draft.items.drop(key)
    for key in news:
        draft.items.put(key, after[key])
    draft.generation, draft.digest = change.generation, change.digest
    for key in gone:
        _untold(draft, key)
    told(draft, {key: after[key] for key in news})


def _granted(draft: Draft, granted: Granted) -> None:
    use = joining.kept(grants.accepted(draft.grants.get(granted.grant.id), granted, draft))
    draft.put_use(use)
    grants.remind(draft, granted.grant.id)
    sessions.ungranted(draft, use)
    for mac in map(MacAddress, granted.grant.devices):
        sessions.open_for(draft, mac)
        orders.caused(draft, granted.cause_id, mac)


def _untold(draft: Draft, key: str) -> None:  # noqa: C901 - one for each kind
    kind, name = key.partition("/")[0], _name(key)
    match kind:
        case "plan":
            draft.offers.drop(PlanId(name))
        case "pool":
            draft.pools.drop(PoolKey(name))
        case "logo":
            draft.logo = Logo()
        case "works":
            draft.works = Works()
        case "garden":
            draft.garden = Garden()
        case "blocked":
            sessions.block(draft, Blocked())
        case "token-keys":
            draft.token_keys.clear()
        case "slot":
            draft.slots.drop(int(name) if name.isdecimal() else -1)
        case "vouchers":
            draft.chunks.drop(key)
        case "probe":
            draft.probes.drop(name)
        case "login":
            dialling.logged_out(draft, name)
        case "grant":
            _ungranted(draft, GrantId(name))


def _ungranted(draft: Draft, grant_id: GrantId) -> None:
    use = draft.grants.get(grant_id)
    if use is None:
        return
    ended = replace(use, grant=replace(use.grant, revoked=True), made_here=False)
    draft.put_use(ended)
    sessions.ungranted(draft, ended)
    if not draft.sessions_of(use.grant.id):
        draft.drop_use(ended)


def _made_here(draft: Draft, key: str) -> bool:
    """Whether the item is that of a grant that the site gave; a snapshot without it ends nothing.

    The controller answers the record of a redemption with the grant's item, or with its removal.
    """
    use = draft.grants.get(GrantId(_name(key))) if key.startswith("grant/") else None
    return use is not None and use.made_here


def _name(key: str) -> str:
    return key.partition("/")[2]


def _hash(key: str, body: bytes) -> int:
    return int.from_bytes(sha256(key.encode() + b"\0" + body).digest())
