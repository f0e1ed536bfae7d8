"""By what a subscriber dials in (PPPoE): a name and a secret, told to the site that serves them.

CHAP and MS-CHAPv2 can be answered only by who holds the secret itself, so it is not hashed: here it
is sealed by the vault, and the site keeps it as it is. It is made by us, and good for nothing else.
It is shown once, to who set it; whoever lost it sets another.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from billing.subscription import Event, State, moved
from controller.store import logins
from controller.store.billing_rows import LoginRow
from controller.usecases.login_items import Credentials, tell_in
from controller.usecases.subscriptions import locked, wake

if TYPE_CHECKING:
    from controller.deps import Deps

NAME_SHAPE = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")
SECRET_SHAPE = re.compile(r"[\x21-\x7e]{8,64}")
SECRET_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105 - letters
"""Without those that are taken for one another on paper."""

SECRET_LENGTH = 14
"""Some 69 bits: nobody guesses it from a response to a challenge that they heard."""


async def set_credentials(
    deps: Deps, subscription_id: str, *, name: str | None = None, secret: str | None = None
) -> Credentials:
    """Give a subscription a login, or another secret; a name that is not said stays, or is made.

    A session that is open stays. Raises `InvalidField`, `SubscriptionUnknown`,
    `SubscriptionEnded`, `DatabaseBusy`.
    """
    _check(name, secret)
    now = deps.now()
    async with deps.db.begin() as tx:
        row, subscriber = await locked(tx, subscription_id)
        if row.state == State.ENDED:
            moved(State.ENDED, None, Event.PAUSE)  # raises the refusal
        login = await logins.load(tx, row.id)
        chosen = name or (login.name if login is not None else f"{subscriber.msisdn}-{row.id[:4]}")
        other = await logins.named(tx, chosen)
        taken = InvalidField("name", f"{chosen} is the name of another subscription")
        if other is not None and other.subscription_id != row.id:
            raise taken
        made = Credentials(chosen, secret or _new_secret())
        before = None if login is None else (login.site_id, login.name)
        if login is None:
            login = LoginRow(subscription_id=row.id)
            tx.add(login)
        login.name, login.sealed = made.name, deps.vault.seal(made.secret.encode())
        login.site_id, login.set_at = row.site_id, now
        if not await logins.written(tx):
            raise taken
        changed = await tell_in(tx, row, login, made, before=before)
    wake(deps, changed)
    return made


def _check(name: str | None, secret: str | None) -> None:
    if name is not None and not NAME_SHAPE.fullmatch(name):
        raise InvalidField("name", "want lower-case letters, digits, . _ @ -, at most 64")
    if secret is not None and not SECRET_SHAPE.fullmatch(secret):
        raise InvalidField("secret", "want 8 to 64 printable letters of ASCII, without blanks")


def _new_secret() -> str:
    return "".join(secrets.choice(SECRET_LETTERS) for _ in range(SECRET_LENGTH))
