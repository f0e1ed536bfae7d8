"""An existing router is brought over from the command line, and the way back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.period import day_of
from controller.usecases.audit import seal_due
from tests.support.office import NOON
from tests.support.router_dump import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.controller.cli.conftest import Command
    from tests.support.office import Office

BEGINS = (day_of(NOON) + timedelta(days=20)).isoformat()
PRICES = ("--price", "10M=2500", "--price", "1H-2M=20", "--price", "4M/1M=1500")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "router.json"
    path.write_text(file_of(7, secrets=5, users=5, queues=5, every=5))
    return path


async def test_a_dry_run_the_import_a_repetition_and_the_way_back(
    office: Office, run: Command, file: Path
) -> None:
    sites = json.loads((await run("site", "list", "--json")).out)["data"]
    words = ("import", "mikrotik", str(file), "--site", sites[0]["id"], "--begins", BEGINS)

    looked = await run(*words, *PRICES, "--dry-run")
    nothing = json.loads((await run("import", "list", "--json")).out)["data"]
    done = await run(*words, *PRICES)
    office.clock.forward(seconds=1)
    again = await run(*words, *PRICES, "--json")
    (_, first) = json.loads((await run("import", "list", "--json")).out)["data"]
    undone = await run("import", "undo", first["id"])

    assert (looked.code, done.code, again.code, undone.code) == (0, 0, 0, 0)
    assert nothing == []
    assert "3 new plans, 8 new subscriptions, 4 new vouchers; 0 were brought over" in looked.err
    assert "no profile 'nowhere'" in looked.err
    codes = [line for line in done.out.splitlines() if line.startswith("K00000")]
    assert len(codes) == 4
    told = json.loads(again.out)
    assert told["counts"]["known"] == 12
    assert [f"{one['name']}\t{one['code']}" for one in told["codes"]] == codes
    assert "8 subscriptions ended, 4 vouchers voided, 3 plans withdrawn" in undone.err
    await seal_due(office.deps)
    log = await run("audit", "list", "--json")
    told_codes = {one["code"] for one in json.loads(log.out)["data"]}
    assert {"import", "import_undone"} <= told_codes


async def test_while_another_import_is_under_way_it_says_so(
    office: Office, run: Command, file: Path
) -> None:
    words = ("import", "mikrotik", str(file), "--site", "estate-1", "--begins", BEGINS, *PRICES)
    async with office.deps.db.alone("import estate-1"):
        told = await run(*words)
    after = await run(*words)

    assert (told.code, told.out, after.code) == (5, "", 0)
    assert "an import of site estate-1 is under way" in told.err


async def test_without_prices_it_says_which_names_want_one(run: Command, file: Path) -> None:
    sites = json.loads((await run("site", "list", "--json")).out)["data"]
    words = ("--site", sites[0]["id"], "--begins", BEGINS, "--dry-run")

    told = await run("import", "mikrotik", str(file), *words)

    assert '4 rows want a price: --price "10M=KES"' in told.err
    assert "0 new plans, 0 new subscriptions" in told.err


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("--site", "nowhere", "--begins", BEGINS), 3, "nowhere"),
        (("--site", "nowhere", "--begins", "soon"), 2, "soon"),
        (("--site", "nowhere", "--begins", "2020-01-01"), 2, "begins_at"),
        (("--site", "nowhere", "--begins", BEGINS, "--price", "10M"), 2, "--price"),
        (("--site", "nowhere", "--begins", BEGINS, "--price", "10M=-1"), 2, "--price"),
    ],
)
async def test_what_cannot_be_is_named(
    run: Command, file: Path, words: tuple[str, ...], code: int, named: str
) -> None:
    ran = await run("import", "mikrotik", str(file), *words)

    assert (ran.code, named in ran.err) == (code, True), ran.err


async def test_a_file_that_is_none_is_refused(run: Command, tmp_path: Path) -> None:
    strange = tmp_path / "strange.json"
    strange.write_text('{"form": "other"}')

    ran = await run("import", "mikrotik", str(strange), "--site", "x", "--begins", BEGINS)
    missing = await run("import", "mikrotik", "nowhere.json", "--site", "x", "--begins", BEGINS)
    unknown = await run("import", "undo", "0" * 32)

    assert ran.code == 2
    assert "lango-agent router read" in ran.err
    assert missing.code == 2
    assert unknown.code == 3
