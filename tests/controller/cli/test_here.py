"""Commands that need no controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.store.database import Database
from controller.usecases.choosing import choose
from tests.controller.cli.lango import lango, lango_here
from tests.support.office import an_office

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "http://127.0.0.1:9"
"""An address at which nobody listens."""

COMMANDS = [
    "",
    *("run", "trial", "status", "doctor", "version"),
    *("config check", "config show", "config forget", "db upgrade"),
    *("site list", "site add", "site show", "site join-token"),
    *("plan list", "plan add", "plan withdraw"),
    *(
        "voucher create",
        "voucher list",
        "payment list",
        "payment show",
        "payment doors",
        "session list",
    ),
    *("grant list", "grant give", "grant add-device", "grant revoke"),
    *("ledger balances", "ledger transactions", "notice list"),
    *("operator show", "operator set", "operator logo", "tax list", "tax add"),
    *("branch list", "branch add", "branch change", "branch move-site"),
    *("price list", "price add", "price end"),
    *("subscriber list", "subscriber show", "subscriber add", "subscriber change"),
    *("subscription start", "subscription list", "subscription quote", "subscription change"),
    *("subscription pause", "subscription suspend", "subscription resume", "subscription end"),
    *("invoice list", "invoice show", "invoice credit", "debt list", "debt promise"),
    *("debt instalments", "debt write-off", "debt policies", "debt set-policy"),
    *("receive", "received list", "received reverse", "wallet adjust", "wallet transfer"),
    *("promotion list", "promotion add", "promotion take", "promotion withdraw"),
    *("billing preview", "billing now", "billing list"),
]


@pytest.mark.parametrize("words", COMMANDS)
async def test_help_begins_with_two_examples(words: str) -> None:
    ran = await lango_here(*words.split(), "--help")
    lines = [line.strip() for line in ran.out.splitlines() if line.strip()]

    assert ran.code == 0
    assert lines[0].startswith("Usage: ")
    assert lines[1] == "Examples:"
    assert all("lango" in line for line in lines[2:4])


async def test_the_version_is_one_line(tmp_path: Path) -> None:
    ran = await lango("version", cwd=tmp_path)

    assert (ran.code, ran.out, ran.err) == (0, "lango 0.1.0\n", "")


async def test_all_faults_of_a_configuration_are_named_at_once(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text('colour = "red"\n[http]\nport = 99999\nprot = 1\n')
    ran = await lango_here("config", "check", "--config", str(config))

    assert (ran.code, ran.out) == (2, "")
    for named in ("colour", "http.port", "http.prot", "did you mean http.port?"):
        assert named in ran.err


async def test_a_good_configuration_is_good(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text("[http]\nport = 9080\n")
    ran = await lango_here("config", "check", "--config", str(config))

    assert (ran.code, ran.out) == (0, "")


async def test_settings_are_shown_without_secrets(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text('[database]\nurl = "postgresql+psycopg://lango:hunter2@localhost/lango"\n')
    shown = await lango_here("config", "show", "--config", str(config))
    as_json = await lango_here("config", "show", "--config", str(config), "--json")

    assert "hunter2" not in shown.out + as_json.out
    assert as_json.json["database"]["url"] == "postgresql+psycopg://…"


async def test_each_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f"state_dir = '{tmp_path}'\n[http]\nport = 9080\n")
    await lango_here("db", "upgrade", "--config", str(config))
    db = Database(f"sqlite+aiosqlite:///{tmp_path / 'lango.db'}")
    await choose(
        an_office(tmp_path, db).deps, {"sms.username": "mtaa", "sms.api_key": "never-shown"}
    )
    await db.close()
    shown = await lango_here("config", "show", "--config", str(config), "--json")
    checked = await lango_here("config", "check", "--config", str(config))
    forgot = await lango_here("config", "forget", "sms", "--config", str(config))
    after = await lango_here("config", "show", "--config", str(config), "--json")
    wrong = await lango_here("config", "forget", "edge", "--config", str(config))

    assert shown.json["told_by"]["sms.username"] == "chosen on screen"
    assert shown.json["told_by"]["http.port"] == "controller.toml"
    assert shown.json["told_by"]["edge.port"] == "default"
    assert "sms.username: chosen on screen" in checked.err
    assert "never-shown" not in shown.out + checked.out + checked.err
    assert "2 chosen setting(s)" in forgot.err
    assert (after.json["sms"], wrong.code) == (None, 2)


def a_house(tmp_path: Path) -> tuple[Path, str]:
    """A state directory, and the configuration file that names it."""
    state, config = tmp_path / "state", tmp_path / "controller.toml"
    state.mkdir()
    config.write_text(f"state_dir = '{state}'\n")
    return state, str(config)


async def test_the_database_is_made_and_made_again_without_harm(tmp_path: Path) -> None:
    state, config = a_house(tmp_path)
    first = await lango_here("db", "upgrade", "--config", config)
    again = await lango_here("db", "upgrade", "--config", config)

    assert (first.code, again.code) == (0, 0), first.err
    assert (state / "lango.db").exists()


async def test_a_database_that_cannot_be_upgraded_says_why(tmp_path: Path) -> None:
    state, config = a_house(tmp_path)
    (state / "lango.db").write_bytes(b"not a database " * 100)
    ran = await lango_here("db", "upgrade", "--config", config)

    assert ran.code == 1
    assert "not a database" in ran.err
    assert "Traceback" not in ran.err


async def test_the_doctor_finds_what_is_missing(tmp_path: Path) -> None:
    _, config = a_house(tmp_path)
    await lango_here("db", "upgrade", "--config", config)
    ran = await lango_here("--url", NOBODY, "doctor", "--config", config, "--json")
    verdicts = {finding["look"]: finding["verdict"] for finding in ran.json["findings"]}

    assert ran.code == 7
    assert (verdicts["database"], verdicts["M-PESA"]) == ("ok", "warning")
    assert verdicts["controller"] == "fault"


async def test_the_doctor_sees_keys_that_others_can_read(tmp_path: Path) -> None:
    state, config = a_house(tmp_path)
    (state / "keys.json").write_text("{}")
    (state / "keys.json").chmod(0o644)
    ran = await lango_here("--url", NOBODY, "doctor", "--config", config)

    assert ran.code == 7
    assert "chmod 600" in " ".join(ran.out.split())


@pytest.mark.parametrize("env", [{}, {"FORCE_COLOR": "1"}])
async def test_a_pipe_gets_no_control_characters(tmp_path: Path, env: dict[str, str]) -> None:
    ran = await lango("--url", NOBODY, "status", cwd=tmp_path, **env)

    assert ran.code == 6
    assert "\x1b" not in ran.out + ran.err


async def test_a_configuration_with_faults_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text("[http]\nport = -1\n")
    ran = await lango_here("run", "--config", str(config))

    assert ran.code == 2
    assert "http.port" in ran.err
