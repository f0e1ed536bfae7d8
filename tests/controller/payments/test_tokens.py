"""One token for all who use a credential, and at most one fetch under way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from controller.payments.gateway import ProviderError
from controller.payments.mpesa_wire import FreshToken
from controller.payments.token_rows import TokenRows
from controller.payments.tokens import (
    CLAIM_S,
    EXPIRY_MARGIN_S,
    KeptToken,
    MemoryTokenStore,
    SharedToken,
)
from controller.store.database import Database
from controller.vault import Vault
from tests.support.daraja import NOON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.payments.tokens import TokenStore


class Issuer:
    """A provider whose every new token kills the one before."""

    def __init__(self, *, life_s: int = 3599) -> None:
        self.issued = 0
        self.life_s = life_s
        self.fails = False
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self) -> FreshToken:
        self.issued += 1
        mine = self.issued
        self.asked.set()
        await self.open.wait()
        if self.fails:
            raise ProviderError("500.003.02", again=True)
        return FreshToken(f"token-{mine}", self.life_s)


def shared(store: TokenStore, issuer: Issuer) -> SharedToken:
    return SharedToken(store=store, credential="c" * 64, fetch=issuer.fetch)


def a_vault() -> Vault:
    return Vault(seal_key=Fernet.generate_key(), hash_key=b"k", staff_key="s")


@pytest.fixture(params=["memory", "rows"])
async def stores(
    request: pytest.FixtureRequest, db_url: str
) -> AsyncIterator[tuple[TokenStore, TokenStore]]:
    """Two processes' views of one store."""
    if request.param == "memory":
        store = MemoryTokenStore()
        yield store, store
        return
    vault = a_vault()
    first, second = Database(db_url), Database(db_url)
    yield TokenRows(first, vault), TokenRows(second, vault)
    await first.close()
    await second.close()


@pytest.fixture
def store() -> MemoryTokenStore:
    return MemoryTokenStore()


async def test_a_token_is_fetched_once_and_kept(stores: tuple[TokenStore, TokenStore]) -> None:
    issuer = Issuer()
    first = await shared(stores[0], issuer).current(NOON)
    second = await shared(stores[1], issuer).current(NOON)

    assert (first.text, second, issuer.issued) == ("token-1", first, 1)


async def test_two_processes_at_once_fetch_once(stores: tuple[TokenStore, TokenStore]) -> None:
    issuer = Issuer()
    one, other = (shared(s, issuer) for s in stores)
    got = await asyncio.gather(*(s.current(NOON) for s in (one, other) * 10))

    assert ({t.text for t in got}, issuer.issued) == ({"token-1"}, 1)


async def test_two_processes_that_meet_a_dead_token_fetch_once(
    stores: tuple[TokenStore, TokenStore],
) -> None:
    issuer = Issuer()
    one, other = (shared(s, issuer) for s in stores)
    dead = await one.current(NOON)
    got = await asyncio.gather(
        *(s.current(NOON, dead_version=dead.version) for s in (one, other) * 10)
    )

    assert ({t.text for t in got}, issuer.issued) == ({"token-2"}, 2)


async def test_only_the_next_version_may_be_kept(stores: tuple[TokenStore, TokenStore]) -> None:
    kept = KeptToken("a", NOON, 1)
    swaps = [
        await stores[0].swap("c", kept),
        await stores[1].swap("c", kept),
        await stores[1].swap("c", KeptToken("b", NOON, 3)),
        await stores[1].swap("c", KeptToken("b", NOON, 2)),
    ]

    assert swaps == [True, False, False, True]


async def test_who_finds_another_newer_token_uses_that(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    mine, theirs = shared(store, issuer), shared(store, issuer)
    dead = await mine.current(NOON)
    newer = await theirs.current(NOON, dead_version=dead.version)

    assert await mine.current(NOON, dead_version=dead.version) == newer


async def test_a_token_is_not_used_in_its_last_minute(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    token = shared(store, issuer)
    await token.current(NOON)
    just_before = NOON + timedelta(seconds=3599 - EXPIRY_MARGIN_S - 1)
    texts = [
        (await token.current(at)).text for at in (just_before, just_before + timedelta(seconds=1))
    ]

    assert texts == ["token-1", "token-2"]


async def test_everyone_who_waits_shares_the_failure(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    issuer.fails = True
    token = shared(store, issuer)
    got = await asyncio.gather(*(token.current(NOON) for _ in range(20)), return_exceptions=True)

    assert all(isinstance(error, ProviderError) for error in got)
    assert issuer.issued == 1


async def test_after_a_failure_the_next_one_fetches_at_once(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    token = shared(store, issuer)
    issuer.fails = True
    with pytest.raises(ProviderError):
        await token.current(NOON)
    issuer.fails = False
    async with asyncio.timeout(CLAIM_S - 5):
        fetched = await token.current(NOON)

    assert fetched.text == "token-2"


async def test_one_who_waits_may_leave_and_the_others_still_get_it(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    issuer.open.clear()
    token = shared(store, issuer)
    waiting = [asyncio.create_task(token.current(NOON)) for _ in range(2)]
    await issuer.asked.wait()
    waiting[0].cancel()
    issuer.open.set()

    assert (await waiting[1]).text == "token-1"


async def test_who_joins_a_fetch_for_an_older_token_gets_a_newer_one(
    store: MemoryTokenStore,
) -> None:
    issuer = Issuer()
    issuer.open.clear()
    token = shared(store, issuer)
    older = asyncio.create_task(token.current(NOON))
    await issuer.asked.wait()
    newer = asyncio.create_task(token.current(NOON, dead_version=2))
    await asyncio.sleep(0)
    issuer.open.set()

    assert ((await older).version, (await newer).version) == (2, 4)


async def test_the_claim_of_a_process_that_died_runs_out(store: MemoryTokenStore) -> None:
    await store.swap("c" * 64, KeptToken("", NOON + timedelta(seconds=CLAIM_S), 1))
    token = await shared(store, Issuer()).current(NOON + timedelta(seconds=CLAIM_S))

    assert (token.text, token.version) == ("token-1", 3)


async def test_a_running_claim_is_waited_for(store: MemoryTokenStore) -> None:
    issuer = Issuer()
    await store.swap("c" * 64, KeptToken("", NOON + timedelta(seconds=CLAIM_S), 1))
    waiting = asyncio.create_task(shared(store, issuer).current(NOON))
    await asyncio.sleep(0)
    await store.swap("c" * 64, KeptToken("theirs", NOON + timedelta(hours=1), 2))

    assert (await waiting).text == "theirs"
    assert issuer.issued == 0


async def test_a_token_sealed_with_other_keys_is_replaced(db_url: str) -> None:
    db = Database(db_url)
    issuer = Issuer()
    await shared(TokenRows(db, a_vault()), issuer).current(NOON)
    token = await shared(TokenRows(db, a_vault()), issuer).current(NOON)
    await db.close()

    assert token.text == "token-2"


def test_a_kept_token_is_not_shown() -> None:
    assert "hush" not in repr(KeptToken("hush", NOON, 1))
