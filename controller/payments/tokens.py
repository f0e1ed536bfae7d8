"""One access token per credential set, shared by every process that uses it.

Daraja lets the previous token die when it issues a new one, so two processes that each fetch their
own would take turns in breaking the other. Hence: whoever needs a token looks in the shared store;
who finds none there claims the right to fetch (a compare-and-swap on the version), and the others
wait for what it brings. A claim runs out by itself, so that a process that dies while fetching
blocks nobody for long.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from controller.payments.gateway import GatewayError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from controller.payments.mpesa_wire import FreshToken

CLAIM_S = 15
"""How long one process may take to fetch before another may try."""
PATIENCE_S = 20
POLL_S = 0.1
FLIGHTS_MAX = 3
EXPIRY_MARGIN_S = 60
"""A token is not used in its last minute: it could die on the way."""


@dataclass(frozen=True, slots=True)
class KeptToken:
    """What the store holds for a credential. Its ``repr`` does not show the token.

    An empty ``text`` is a claim: somebody is fetching, until ``expires_at``. ``version`` is one
    more than that of what it replaced; the first is 1.
    """

    text: str = field(repr=False)
    expires_at: datetime
    version: int


class TokenStore(Protocol):
    """Where tokens are kept between requests. Implementations: memory; the database."""

    async def load(self, credential: str) -> KeptToken | None:
        """What is kept for ``credential``."""
        ...

    async def swap(self, credential: str, token: KeptToken) -> bool:
        """Keep ``token`` if the kept version is ``token.version - 1`` (0: nothing is kept).

        False, and nothing changed, when somebody else was faster.
        """
        ...


class MemoryTokenStore:
    """Tokens of one process, for tests and for a gateway that is tried out alone."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptToken] = {}

    async def load(self, credential: str) -> KeptToken | None:
        """What is kept for ``credential``."""
        return self._kept.get(credential)

    async def swap(self, credential: str, token: KeptToken) -> bool:
        """Keep ``token`` unless somebody else was faster."""
        kept = self._kept.get(credential)
        if (kept.version if kept else 0) != token.version - 1:
            return False
        self._kept[credential] = token
        return True


class TokenError(GatewayError):
    """Another process has been fetching the token for too long."""


class SharedToken:
    """The token of one credential set. At most one fetch is under way, over all processes."""

    def __init__(
        self,
        *,
        store: TokenStore,
        credential: str,
        fetch: Callable[[], Awaitable[FreshToken]],
    ) -> None:
        self._store = store
        self._credential = credential
        self._fetch = fetch
        self._flight: asyncio.Task[KeptToken] | None = None

    async def current(self, now: datetime, *, dead_version: int = 0) -> KeptToken:
        """A token to use; fetched when there is none. Raises `GatewayError`.

        ``dead_version`` is the version that the provider just called invalid: only a newer one
        will do. Everyone who waits for one fetch shares its token, and its failure.
        """
        kept = await self._store.load(self._credential)
        if kept is not None and kept.text and _promises(kept, now, dead_version):
            return kept
        for _ in range(FLIGHTS_MAX):
            if self._flight is None:
                self._flight = asyncio.create_task(self._obtain(now, dead_version))
                self._flight.add_done_callback(self._landed)
            token = await asyncio.shield(self._flight)
            # A flight that began for an older dead token may bring the very one that died since.
            if token.version > dead_version:
                return token
        raise TokenError("access tokens die faster than they are fetched")

    def _landed(self, flight: asyncio.Task[KeptToken]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # marks it as seen: all who waited may have gone away

    async def _obtain(self, now: datetime, dead_version: int) -> KeptToken:
        begun = asyncio.get_running_loop().time()
        waited_s = 0.0
        while waited_s < PATIENCE_S:
            at = now + timedelta(seconds=waited_s)
            kept = await self._store.load(self._credential)
            if kept is None or not _promises(kept, at, dead_version):
                fetched = await self._claim_and_fetch(kept, at)
                if fetched is not None:
                    return fetched
            elif kept.text:
                return kept
            else:
                await asyncio.sleep(POLL_S)
            waited_s = asyncio.get_running_loop().time() - begun
        raise TokenError(f"no access token within {PATIENCE_S} s")

    async def _claim_and_fetch(self, kept: KeptToken | None, at: datetime) -> KeptToken | None:
        """A fresh token, or None when another process claimed first or our claim ran out."""
        version = (kept.version if kept else 0) + 1
        claim = KeptToken("", at + timedelta(seconds=CLAIM_S), version)
        if not await self._store.swap(self._credential, claim):
            return None
        try:
            fresh = await self._fetch()
        except BaseException:
            # The claim is given back, so that the next one who asks need not wait for its end.
            await self._store.swap(self._credential, KeptToken("", at, version + 1))
            raise
        life = timedelta(seconds=max(1, fresh.life_s - EXPIRY_MARGIN_S))
        token = KeptToken(fresh.text, at + life, version + 1)
        return token if await self._store.swap(self._credential, token) else None


def _promises(kept: KeptToken, at: datetime, dead_version: int) -> bool:
    """Whether ``kept`` is usable, or a claim that may still bring something usable."""
    return kept.expires_at > at and (not kept.text or kept.version > dead_version)
