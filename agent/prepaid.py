"""Codes that were paid for elsewhere, taken by the site itself with the link down. PURE.

Vouchers are known by slow salted hashes, tokens by the site's own keys, and what a code bought here
before by the proofs in its grant. Nothing here is quick enough for the event loop, except what
takes a draft.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import pbkdf2_hmac, sha256
from typing import TYPE_CHECKING, assert_never

from agent import daytime, grants, sessions
from agent.model import GrantUse, Redeemed, TokenMark, VoucherMark
from billing import proof as proofs
from billing import token as tokens
from billing.errors import InvalidField
from billing.grant import Grant
from billing.ids import grant_of
from billing.proof import ProofKind
from billing.receipt import parse_receipt
from billing.token import TokenCode, parse_token
from billing.voucher import parse_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.draft import Draft
    from agent.model import Accepted, Chunk, Mark, Prepaid, State
    from billing.ids import GrantId
    from billing.receipt import Receipt
    from billing.voucher import VoucherCode

HASH_BYTES = 16
"""Of a voucher, in a chunk."""

USED_KEPT_MAX = 100_000
"""Codes known to be used here. Beyond it no code is taken unasked: the controller must be asked."""

MADE_HERE_MAX = 10_000
"""Grants made here of which the controller has said nothing yet; the same holds beyond it."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a customer typed or pasted, in its normal form."""

    kind: ProofKind
    text: VoucherCode | TokenCode | Receipt

    @property
    def key(self) -> str:
        """Names the code among those used here. Not by its salted hash: salts may change."""
        said = f"lango-used\0{self.kind}\0{self.text}"
        return sha256(said.encode()).hexdigest()[:32]


def read(text: str) -> Code | None:
    """The code in what a customer typed or pasted; None when there can be none in it."""
    ways = (
        (ProofKind.TOKEN, parse_token),
        (ProofKind.VOUCHER, parse_code),
        (ProofKind.RECEIPT, parse_receipt),
    )
    for kind, parse in ways:
        try:
            return Code(kind, parse(text))
        except InvalidField:
            pass
    return None


def proven(uses: Iterable[GrantUse], code: Code) -> GrantId | None:
    """Which of these grants the code bought."""
    for use in uses:
        if use.proofs and proofs.proof(use.grant.id, code.kind, code.text) in use.proofs:
            return use.grant.id
    return None


def found(code: Code, chunks: Mapping[str, Chunk], keys: Mapping[int, bytes]) -> Mark | None:
    """By what the site knows the code to be good; None when it does not. Slow for vouchers."""
    if code.kind is ProofKind.TOKEN:
        said = tokens.decode(TokenCode(code.text), keys)
        return None if said is None else TokenMark(said.version, said.slot, said.serial)
    hashes: dict[tuple[bytes, int], bytes] = {}
    for chunk in chunks.values():
        way = (chunk.salt, chunk.rounds)
        if way not in hashes:
            hashes[way] = voucher_hash(code.text, *way)
        if holds(chunk, hashes[way]):
            return VoucherMark(chunk.batch, hashes[way])
    return None


def voucher_hash(code: str, salt: bytes, rounds: int) -> bytes:
    """How a voucher stands in a chunk."""
    return pbkdf2_hmac("sha256", code.encode(), salt, rounds, HASH_BYTES)


def holds(chunk: Chunk, hashed: bytes) -> bool:
    """Whether a voucher is in the chunk. Hashes stand in a row; only whole ones count."""
    at = chunk.hashes.find(hashed)
    while at >= 0 and at % HASH_BYTES:
        at = chunk.hashes.find(hashed, at + 1)
    return at >= 0


def knows(state: State, code: Code) -> bool:
    """Whether the site has what it takes to tell good codes of this kind from wrong ones."""
    match code.kind:
        case ProofKind.TOKEN:
            return bool(state.token_keys)
        case ProofKind.VOUCHER:
            return bool(state.chunks)
        case ProofKind.RECEIPT:
            return False


def full(used: Mapping[str, GrantId], grants: Iterable[GrantUse]) -> bool:
    """Whether so much was redeemed here unasked that the controller must be asked first."""
    made = sum(use.made_here for use in grants)
    return len(used) >= USED_KEPT_MAX or made >= MADE_HERE_MAX


def accepted(draft: Draft, event: Accepted) -> None:
    """Give what a code is good for; once, and not when the controller gave it already."""
    grant_id = grant_of(event.redemption_id)
    prepaid = _prepaid(draft, event.mark)
    if event.key in draft.used or prepaid is None:
        return
    if full(draft.used.result, draft.grants.values()):
        return
    draft.used.put(event.key, grant_id)
    if grant_id in draft.grants:
        return
    draft.put_use(
        GrantUse(
            grant=Grant(
                id=grant_id,
                plan_id=prepaid.plan_id,
                plan_name=prepaid.plan_name,
                limits=prepaid.limits,
                devices=(event.mac,),
            ),
            rank=draft.count(),
            cause_id=event.redemption_id,
            proofs=(event.proof,),
            joined=(event.mac,),
            made_here=True,
        )
    )
    draft.say(Redeemed(event.redemption_id, grant_id, prepaid.plan_id, event.mac, event.mark))
    sessions.open_for(draft, event.mac)


def taken(draft: Draft, key: str, grant_id: GrantId) -> None:
    """Note that the controller took a code for a device here; full, the oldest such is forgotten.

    What was made here, and the controller knows nothing of, is never forgotten.
    """
    if len(draft.used) >= USED_KEPT_MAX:
        old = (one for one in draft.used if not _made_here(draft, draft.used[one]))
        draft.used.drop(next(old, ""))
    draft.used.put(key, grant_id)


def settle(draft: Draft) -> None:
    """Forget grants made here that are over, though the controller never said a word of them.

    It has all records of them, and has had them since this was called last: that is long enough
    for no word to be on its way that does not know yet how much was spent.
    """
    for use in draft.grants.values():
        if not use.made_here or draft.sessions_of(use.grant.id):
            continue
        if not grants.over(use, (), draft.mono):
            continue
        if use.settled:
            draft.drop_use(use)
        else:
            draft.put_use(replace(use, settled=True))


def _made_here(draft: Draft, grant_id: GrantId) -> bool:
    use = draft.grants.get(grant_id)
    return use is not None and use.made_here


def _prepaid(draft: Draft, mark: Mark) -> Prepaid | None:
    """What is good for the code by what stands here now; None when it is no longer good."""
    match mark:
        case TokenMark():
            return draft.slots.get(mark.slot) if mark.version in draft.token_keys else None
        case VoucherMark():
            chunks = (one for one in draft.chunks.values() if one.batch == mark.batch)
            return next((one.prepaid for one in chunks if _good(draft, one, mark)), None)
        case _:
            assert_never(mark)


def _good(draft: Draft, chunk: Chunk, mark: VoucherMark) -> bool:
    lapsed = daytime.lapsed(
        chunk.expires_at, draft.now, asleep_since=draft.asleep_since, woke_at=draft.woke_at
    )
    return holds(chunk, mark.code_hash) and not lapsed
