"""``lango staff``, ``api-token``, ``login``: people and keys from the command line."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from controller.cli.desk import is_here
from controller.cli.stored import store_token, stored_token, where
from controller.rights import Role
from tests.controller.cli.lango import lango_here
from tests.support.office import Office, opened
from tests.support.staff import PASSWORD, a_branch, a_member, a_token, an_owner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.controller.cli.lango import Ran

    Command = Callable[..., Awaitable[Ran]]

ADD = ("staff", "add", "juma@example.co.ke", "--name", "Juma Otieno", "--role", "cashier")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, so that no real key is read or written."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


async def test_the_link_is_data_and_the_rest_is_talk(run: Command) -> None:
    ran = await run(*ADD)

    assert ran.code == 0
    assert ran.out.startswith("http://127.0.0.1:8080/noc/welcome?token=")
    assert len(ran.out.splitlines()) == 1


async def test_somebody_gets_another_role_and_branches(office: Office, run: Command) -> None:
    await office.keep(a_branch("thika"))
    await run(*ADD)
    await run("staff", "role", "juma@example.co.ke", "support", "--branch", "thika")
    shown = (await run("staff", "show", "juma@example.co.ke", "--json")).json
    await run("staff", "role", "juma@example.co.ke", "support", "--everywhere")
    then = (await run("staff", "show", "juma@example.co.ke", "--json")).json

    assert (shown["role"], shown["branches"]) == ("support", ["thika"])
    assert then["branches"] is None


async def test_somebody_is_let_in_no_more_and_again(run: Command) -> None:
    await run(*ADD)
    states = []
    for deed in ("disable", "enable"):
        ran = await run("staff", deed, "juma@example.co.ke", "--json")
        states.append(ran.json["disabled_at"] is not None)

    assert states == [True, False]


async def test_a_reset_prints_a_new_link(run: Command) -> None:
    first = await run(*ADD)
    second = await run("staff", "reset", "juma@example.co.ke")

    assert second.code == 0
    assert first.out != second.out


async def test_nobody_is_not_found(run: Command) -> None:
    assert [(await run("staff", "show", name)).code for name in ("x@y.ke", "f" * 32)] == [3, 3]


async def test_a_token_is_made_used_and_revoked(run: Command) -> None:
    made = (await run("api-token", "make", "Grafana", "--role", "read_only", "--json")).json
    seen = await run("payment", "list", key=made["token"])
    refused = await run(*ADD, key=made["token"])
    await run("api-token", "revoke", made["id"])
    ended = await run("payment", "list", key=made["token"])

    assert [one.code for one in (seen, refused, ended)] == [0, 4, 4]


async def typed(words: list[str], text: str) -> int:
    """The exit code of a command at which somebody types."""
    done = await asyncio.to_thread(CliRunner().invoke, app, words, text)
    return done.exit_code


async def test_login_keeps_a_key_that_nobody_else_reads(office: Office) -> None:
    member = await a_member(office, Role.SUPPORT)
    async with opened(office) as url:
        code = member.code(office)
        entered = await typed(["login", url], f"{member.login}\n{PASSWORD}\n{code}\n")
        kept = stored_token(url)
        listed = await lango_here("--url", url, "payment", "list")
        await lango_here("logout", url)
        gone = await lango_here("--url", url, "payment", "list")

    assert (entered, listed.code, gone.code) == (0, 0, 4)
    assert kept.startswith("lango_")


async def test_a_token_is_taken_from_standard_input(office: Office) -> None:
    token = await a_token(office, Role.SUPPORT)
    async with opened(office) as url:
        entered = await typed(["login", url, "--token"], f"{token}\n")
        wrong = await typed(["login", f"{url}/", "--token"], "lango_no\n")

    assert (entered, wrong != 0) == (0, True)
    assert stored_token(url) == token


async def test_the_file_of_keys_is_for_its_owner_alone(home: Path) -> None:
    store_token("https://noc.isp.example/", "lango_x")

    assert where() == home / "config" / "lango" / "tokens.json"
    assert stat.S_IMODE(where().stat().st_mode) == 0o600
    assert stat.S_IMODE(where().parent.stat().st_mode) == 0o700
    assert stored_token("https://noc.isp.example") == "lango_x"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost", True),
        ("https://noc.isp.example", False),
        ("http://127.0.0.1.evil.example", False),
    ],
)
def test_the_key_of_this_machine_is_shown_to_no_other(url: str, *, here: bool) -> None:
    assert is_here(url) is here


async def test_with_an_owner_there_is_no_setup_url(office: Office, run: Command) -> None:
    first = await run("setup-url")
    await an_owner(office)
    second = await run("setup-url")

    assert (first.code, second.code) == (0, 5)
