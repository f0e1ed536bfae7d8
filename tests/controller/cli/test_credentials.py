"""``lango subscription credentials``: a secret that is shown this once, and nowhere else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from controller.store import logins
from controller.store.audit_rows import AuditRow
from tests.controller.cli.lango import lango
from tests.controller.cli.test_billing_money import furnish, rows
from tests.support import logs
from tests.support.office import opened

if TYPE_CHECKING:
    import io
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.controller.cli.lango import Ran
    from tests.support.office import Office

    Command = Callable[..., Awaitable[Ran]]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that the controller and the command log, down to the smallest detail."""
    with logs.set_up() as out:
        logging.getLogger().setLevel(logging.DEBUG)
        yield out


async def kept(office: Office, subscription: str) -> tuple[str, str]:
    """The name and the secret that a subscription dials in by; empty when it has none."""
    async with office.deps.db.read() as tx:
        row = await logins.load(tx, subscription)
    if row is None:
        return "", ""
    return row.name, office.deps.vault.unseal(row.sealed).decode()


async def audited(office: Office) -> str:
    async with office.deps.db.read() as tx:
        rows = await tx.scalars(select(AuditRow).where(AuditRow.route.contains("credentials")))
        return "\n".join(f"{row.route} {row.about_id} {row.changes}" for row in rows)


async def test_name_and_secret_are_shown_this_once_and_kept_out_of_every_log(
    office: Office, run: Command, log: io.StringIO
) -> None:
    subscription = await furnish(run)
    made = await run("subscription", "credentials", subscription)
    name, secret = await kept(office, subscription)
    shown = await run("subscription", "show", subscription)
    told = await audited(office)

    assert (made.code, len(secret)) == (0, 14)
    assert rows(made) == [["name", name], ["secret", secret]]
    assert made.err == "The secret is shown this once. An open session stays.\n"
    assert subscription in told
    assert [secret in text for text in (shown.out, shown.err, log.getvalue(), told)] == [False] * 4
    assert "debug" in log.getvalue()


async def test_as_json_the_secret_stands_once_and_nothing_is_said_beside_it(
    office: Office, run: Command
) -> None:
    subscription = await furnish(run)
    ran = await run("subscription", "credentials", subscription, "--name", "wanjiku", "--json")
    name, secret = await kept(office, subscription)

    assert (ran.code, ran.err) == (0, "")
    assert ran.json == {"schema": "lango.credentials/v1", "name": name, "secret": secret}
    assert name == "wanjiku"
    assert ran.out.count(secret) == 1


async def test_a_second_time_the_name_stays_and_the_secret_is_another(
    office: Office, run: Command
) -> None:
    subscription = await furnish(run)
    first = await run("subscription", "credentials", subscription, "--json")
    second = await run("subscription", "credentials", subscription, "--json")

    assert first.json["name"] == second.json["name"]
    assert first.json["secret"] != second.json["secret"]
    assert await kept(office, subscription) == (second.json["name"], second.json["secret"])


async def test_a_secret_of_ones_own_is_taken_from_standard_input(
    office: Office, run: Command, tmp_path: Path
) -> None:
    subscription = await furnish(run)
    async with opened(office) as url:
        ran = await lango(
            *("subscription", "credentials", subscription, "--secret-stdin"),
            cwd=tmp_path, said="from-the-old-router\n", LANGO_URL=url, LANGO_KEY=office.key,
        )  # fmt: skip

    assert (ran.code, (await kept(office, subscription))[1]) == (0, "from-the-old-router")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("{} --name Wanjiku", 2, "name: want lower-case letters"),
        ("0000 --json", 3, "there is no subscription 0000"),
        ("", 2, "SUBSCRIPTION"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    office: Office, run: Command, words: str, code: int, what: str
) -> None:
    subscription = await furnish(run)
    ran = await run("subscription", "credentials", *words.format(subscription).split())

    assert (ran.code, ran.out) == (code, "")
    assert what in " ".join(ran.err.split())
    assert await kept(office, subscription) == ("", "")


async def test_a_subscription_that_has_ended_gets_none(office: Office, run: Command) -> None:
    subscription = await furnish(run)
    await run("subscription", "end", subscription)
    ran = await run("subscription", "credentials", subscription)

    assert (ran.code, ran.out) == (5, "")
    assert "ended" in ran.err
