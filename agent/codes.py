"""Codes at the portal: asked of the controller, and with the link down taken by the site itself.

Whatever is slow (the hashes of vouchers) runs in one thread of its own: guessers wait for each
other, and nobody else waits for them.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from agent import grants, prepaid, tries
from agent.loop import NotKept
from agent.model import Accepted, CodeUsed, TokenMark, Tried, Try, TryKind, Why
from agent.uplink.seam import Full, UplinkError
from billing.ids import RedemptionId, grant_of
from billing.proof import ProofKind, proof
from portal.captive.gate import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    from agent.loop import Loop
    from agent.model import GrantUse, Mark, Session
    from agent.prepaid import Code
    from agent.returning import Returning
    from agent.uplink.seam import Uplink
    from billing.ids import GrantId
    from shaping.plane import MacAddress

R = TypeVar("R")

PATIENCE_MS = 5_000
"""How long the controller may take before the site decides on its own."""

_WRONG = frozenset({"voucher_invalid", "voucher_used", "token_invalid", "token_used", "code_wrong"})
"""Answers after which a guesser knows more than before."""

_SAID_OF_TOKENS = {
    Refusal.VOUCHER_INVALID: Refusal.TOKEN_INVALID,
    Refusal.VOUCHER_USED: Refusal.TOKEN_USED,
}


class Codes:
    """What customers type. ``link_up`` tells whether the controller was last heard.

    ``slow`` is where hashes are made; a thread of its own unless something else is given.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        uplink: Uplink,
        secret: str,
        link_up: Callable[[], bool],
        returning: Returning,
        slow: Executor | None = None,
    ) -> None:
        self._loop = loop
        self._uplink = uplink
        self._key = secret.encode()
        self._link_up = link_up
        self._returning = returning
        self._slow = slow or ThreadPoolExecutor(max_workers=1, thread_name_prefix="codes")
        self._under_way: list[Try] = []

    async def redeem(self, mac: MacAddress, address: str, text: str) -> Refusal | None:
        """As `portal.captive.gate.Gate.redeem`, for a device that is known."""
        code = prepaid.read(text)
        if code is None:  # what cannot be a code at all is no guess
            return Refusal.VOUCHER_INVALID
        wrong = _WRONG
        if code.kind is ProofKind.RECEIPT:  # "not known here" tells a guesser that it is none
            wrong = wrong | {Refusal.OFFLINE}
        refusal = await self.counted(mac, address, partial(self._redeem, mac, code), wrong=wrong)
        if code.kind is ProofKind.TOKEN and refusal in _SAID_OF_TOKENS:
            return _SAID_OF_TOKENS[refusal]
        return refusal

    async def counted(
        self,
        mac: MacAddress,
        address: str,
        attempt: Callable[[], Awaitable[Refusal | None]],
        *,
        wrong: frozenset[str] = _WRONG,
    ) -> Refusal | None:
        """What ``attempt`` answers, unless the device may not try now; a wrong try is noted.

        It is on the disk before anybody hears that it was wrong.
        """
        this = Try(TryKind.CODE, mac, address, self._loop.now().mono)
        # Invariant: tries that are not decided yet count too, or a guesser would make all at once.
        if tries.too_many((*self._loop.state.tries.values(), *self._under_way), this):
            return Refusal.TOO_MANY_TRIES
        self._under_way.append(this)
        try:
            refusal = await attempt()
            if refusal in wrong:
                await self._loop.kept(Tried(this))
        finally:
            self._under_way.remove(this)
        return refusal

    async def _redeem(self, mac: MacAddress, code: Code) -> Refusal | None:
        # Invariant: the same device and code make the same redemption, also after a crash between
        # sending and hearing, and whoever carries it out: so it gives one grant.
        redemption_id = RedemptionId(self._hash(f"redeem {mac} {code.text}"))
        use = await self._bought(code)
        if use is not None and mac in use.grant.devices:
            return self._standing(use)
        if self._over(use) or self._spent_on(mac, redemption_id):
            return Refusal.VOUCHER_USED
        # A grant that was made here is not known to the controller yet: it cannot be asked.
        answers: list[Refusal | None] = []
        if self._link_up() and not (use is not None and use.made_here):
            answers = await self._ask(redemption_id, mac, code)
        # Its limit is for all devices of the site together: who is in nobody's way is let by here.
        if answers and answers != [Refusal.TOO_MANY_TRIES]:
            return answers[0]
        refusal = await self._alone(redemption_id, mac, code, use)
        return answers[0] if answers and refusal is Refusal.OFFLINE else refusal

    async def _alone(
        self, redemption_id: RedemptionId, mac: MacAddress, code: Code, use: GrantUse | None
    ) -> Refusal | None:
        """The site's own word; what it cannot know may still be asked, if the link is better."""
        if use is not None:
            return await self._join(use, mac, code)
        refusal = await self._take(redemption_id, mac, code)
        if refusal is Refusal.OFFLINE and not self._link_up():
            answers = await self._ask(redemption_id, mac, code)
            return answers[0] if answers else refusal
        return refusal

    async def _ask(
        self, redemption_id: RedemptionId, mac: MacAddress, code: Code
    ) -> list[Refusal | None]:
        """What the controller says; empty when it says nothing in time."""
        answers: list[Refusal | None] = []

        async def ask() -> None:
            answer = await self._uplink.redeem(redemption_id, code.text, mac)
            answers.append(await self.settled(mac, answer))

        try:
            await self._loop.wait(ask(), at_most_ms=PATIENCE_MS)
        except UplinkError:
            return []
        if answers == [None] and prepaid.knows(self._loop.state, code):
            # The link may go down before the grant comes: then the code must not look unused.
            await self._loop.kept(CodeUsed(code.key, grant_of(redemption_id)))
        return answers

    async def _bought(self, code: Code) -> GrantUse | None:
        """What the code bought here before."""
        uses = tuple(self._loop.state.grants.values())
        grant_id = await self._aside(prepaid.proven, uses, code)
        return None if grant_id is None else self._loop.state.grants.get(grant_id)

    async def _join(self, use: GrantUse, mac: MacAddress, code: Code) -> Refusal | None:
        """Let one more device use what the code bought, if need be in place of a silent one."""
        why = self._ended(use)
        if why is Why.SUSPENDED:
            return Refusal.SUSPENDED
        if why is not None:
            return Refusal.OFFLINE  # it may go on, but only once the controller says so
        return await self._in_place(mac, use.grant.id, proof=code.kind)

    async def settled(self, mac: MacAddress, answer: Refusal | Full | None) -> Refusal | None:
        """The controller's answer, or where all places are taken that of a silent device."""
        if not isinstance(answer, Full):
            return answer
        return await self._in_place(mac, answer.grant_id, proof="move")

    async def _in_place(self, mac: MacAddress, grant_id: GrantId, *, proof: str) -> Refusal | None:
        self._returning.prove(mac, grant_id)
        refusal = await self._returning.join(mac, grant_id, proof=proof)
        return None if refusal is None else Refusal.DEVICES_FULL

    async def _take(
        self, redemption_id: RedemptionId, mac: MacAddress, code: Code
    ) -> Refusal | None:
        """Redeem the code on the site's own word."""
        state = self._loop.state
        if code.key in state.used:
            return Refusal.VOUCHER_USED
        if not prepaid.knows(state, code) or prepaid.full(state.used, state.grants.values()):
            return Refusal.OFFLINE
        mark = await self._aside(prepaid.found, code, state.chunks, state.token_keys)
        if mark is None:
            return Refusal.VOUCHER_INVALID
        if isinstance(mark, TokenMark) and mark.slot not in self._loop.state.slots:
            return Refusal.OFFLINE
        return await self._accept(redemption_id, mac, code, mark)

    async def _accept(
        self, redemption_id: RedemptionId, mac: MacAddress, code: Code, mark: Mark
    ) -> Refusal | None:
        grant_id = grant_of(redemption_id)
        proven = proof(grant_id, code.kind, code.text)
        try:
            await self._loop.kept(Accepted(redemption_id, mac, mark, code.key, proven))
        except NotKept:
            return Refusal.NOT_NOW
        given = self._loop.state.used.get(code.key)
        if given == grant_id:
            return None
        return Refusal.VOUCHER_INVALID if given is None else Refusal.VOUCHER_USED

    def _standing(self, use: GrantUse) -> Refusal | None:
        """What to say to a device that the grant has already, which types its code again."""
        if self._over(use):
            return Refusal.VOUCHER_USED
        return Refusal.SUSPENDED if self._ended(use) is Why.SUSPENDED else None

    def _ended(self, use: GrantUse) -> Why | None:
        return grants.ended(use, self._siblings(use), self._loop.now().mono)

    def _over(self, use: GrantUse | None) -> bool:
        return use is not None and grants.over(use, self._siblings(use), self._loop.now().mono)

    def _spent_on(self, mac: MacAddress, cause_id: str) -> bool:
        """Whether this device redeemed the code before, and used up what it gave."""
        state = self._loop.state
        uses = (state.grants[key] for key in state.index.entitled.get(mac, ()))
        return any(use.cause_id == cause_id and self._over(use) for use in uses)

    def _siblings(self, use: GrantUse) -> list[Session]:
        state = self._loop.state
        return [state.sessions[key] for key in state.index.by_grant.get(use.grant.id, ())]

    async def _aside(self, work: Callable[..., R], *arguments: object) -> R:
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self._slow, work, *arguments)

    def _hash(self, text: str) -> str:
        return blake2b(text.encode(), key=self._key, digest_size=16).hexdigest()
