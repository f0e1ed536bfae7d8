"""Access tokens in the controller's database, sealed, for all processes that share it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.fernet import InvalidToken

from controller.payments.tokens import KeptToken, TokenError
from controller.store import provider_tokens
from controller.store.database import DatabaseBusy

if TYPE_CHECKING:
    from controller.store.database import Database
    from controller.vault import Vault

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class TokenRows:
    """A `TokenStore` over ``provider_token``. Raises `TokenError` when the database is busy."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault

    async def load(self, credential: str) -> KeptToken | None:
        """What is kept for ``credential``; useless, but with its version, when it cannot be read.

        A database that was restored beside other keys holds such tokens: they are replaced.
        """
        try:
            async with self._db.read() as tx:
                row = await provider_tokens.load(tx, credential)
        except DatabaseBusy as busy:
            raise TokenError("the database is too busy to look for an access token") from busy
        if row is None:
            return None
        try:
            text = self._vault.unseal(row.sealed).decode()
        except (InvalidToken, UnicodeDecodeError):
            return KeptToken("", LONG_AGO, row.version)
        return KeptToken(text, row.expires_at, row.version)

    async def swap(self, credential: str, token: KeptToken) -> bool:
        """Keep ``token`` unless another process was faster."""
        try:
            async with self._db.begin() as tx:
                return await provider_tokens.save(
                    tx,
                    credential=credential,
                    sealed=self._vault.seal(token.text.encode()),
                    expires_at=token.expires_at,
                    replaces=token.version - 1 or None,
                )
        except DatabaseBusy as busy:
            raise TokenError("the database is too busy to keep an access token") from busy
