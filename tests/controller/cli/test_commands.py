"""The real command against a real controller."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from controller.cli.desk import KEY_FILE
from tests.controller.cli.lango import Ran, lango, lango_here
from tests.support.office import NOON, Office, a_session, a_site, opened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Command = Callable[..., Awaitable[Ran]]

READS = {
    "site list": "sites",
    "site show estate-1": "site",
    "plan list": "plans",
    "plan show hours-2": "plan",
    "voucher list": "voucher-batches",
    "token list": "tokens",
    "payment list": "payments",
    f"payment show {'a' * 32}": "payment",
    "session list": "sessions",
    "grant list": "grants",
    f"grant show {'9' * 32}": "grant",
    "ledger balances": "balances",
    "ledger transactions": "transactions",
    "notice list": "notices",
    "sms list": "messages",
    "sms cost": "message-costs",
    "staff list": "staff",
    "api-token list": "api-tokens",
    "status": "status",
}


@pytest.mark.parametrize(("words", "schema"), READS.items())
async def test_every_reading_command_prints_one_json_object(
    run: Command, words: str, schema: str
) -> None:
    ran = await run(*words.split(), "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.json["schema"] == f"lango.{schema}/v1"


@pytest.mark.parametrize("words", READS)
async def test_every_reading_command_prints_a_table_of_eighty_columns(
    run: Command, words: str
) -> None:
    ran = await run(*words.split())

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip()
    assert max(len(line.rstrip()) for line in ran.out.splitlines()) <= 80
    assert "\x1b" not in ran.out


async def test_a_payment_table_says_state_price_and_masked_phone(run: Command) -> None:
    ran = await run("payment", "list")

    assert ran.out.splitlines()[1].split()[:5] == [
        "a" * 32,
        "settled",
        "KES",
        "10",
        "2547••••678",
    ]


async def test_a_site_that_never_joined_is_not_called_offline(office: Office, run: Command) -> None:
    await office.keep(a_site("fresh", last_seen_at=None))
    ran = await run("site", "list")

    assert "never seen" in ran.out
    assert "offline" not in ran.out


async def test_a_plan_is_added_with_units_that_people_type(run: Command) -> None:
    ran = await run(
        *("plan", "add", "bundle", "--name", "500 MB, 2 hours", "--price", "1,250"),
        *("--down", "3M", "--up", "512k", "--validity", "2h", "--quota", "500MB", "--json"),
    )

    assert ran.code == 0, ran.err
    assert (ran.json["down_bps"], ran.json["up_bps"]) == (3_000_000, 512_000)
    assert (ran.json["validity_s"], ran.json["quota_bytes"]) == (7_200, 500_000_000)
    assert ran.json["price"] == {"amount": "1250.00", "currency": "KES"}


async def test_a_site_is_added_and_its_agent_can_join(run: Command) -> None:
    added = await run("site", "add", "kiosk", "--name", "Kiosk")
    token = await run("site", "join-token", "kiosk")

    assert (added.code, added.out) == (0, "kiosk\n")
    assert token.out.startswith("lango1.")
    assert len(token.out.splitlines()) == 1


async def test_codes_are_data_and_the_rest_is_talk(run: Command) -> None:
    ran = await run("voucher", "create", "--plan", "hours-2", "--count", "4")

    assert len(ran.out.splitlines()) == 4
    assert "4 codes" in ran.err


async def test_a_voucher_ends_when_a_day_of_kenya_begins(run: Command) -> None:
    words = ("--plan", "hours-2", "--count", "1", "--expires", "2099-01-31")
    await run("voucher", "create", *words)
    listed = await run("voucher", "list")

    assert "31 Jan 2099 00:00" in listed.out


@pytest.mark.parametrize("group", ["payment", "grant"])
async def test_an_empty_table_says_that_it_is_empty(
    office: Office, run: Command, group: str
) -> None:
    await office.keep(a_site("quiet"))
    ran = await run(group, "list", "--site", "quiet")

    assert (ran.code, ran.err) == (0, f"No such {group}s.\n")


async def test_what_names_a_row_is_whole_however_narrow_the_table(
    office: Office, run: Command
) -> None:
    far = a_site("far-estate-by-the-river")
    ended = {"closed_at": NOON, "closed_reason": "revoked", "opened_at": NOON}
    await office.keep(far)
    await office.keep(a_session("8" * 32, site_id=far.id, **ended))
    ran = await run("session", "list", "--closed")

    assert re.fullmatch("(..:){5}..", ran.out.splitlines()[1].split()[0])
    assert max(len(line.rstrip()) for line in ran.out.splitlines()) <= 80


async def test_a_grant_is_given_and_revoked(run: Command) -> None:
    words = ("--site", "estate-1", "--plan", "hours-2", "--device", "02:00:00:00:00:02")
    given = await run("grant", "give", *words)
    revoked = await run("grant", "revoke", given.out.strip(), "--json")

    assert (revoked.code, revoked.json["ended_reason"]) == (0, "revoked")


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        ("site show nowhere", 3, "there is no site nowhere"),
        ("payment show none", 3, "there is no payment none"),
        ("site add estate-1 --name Again", 5, "estate-1 exists"),
        ("site add Estate --name X", 2, "id: want"),
        ("plan add p --name P --price x --down 3M --up 1M", 2, "--price"),
        ("plan add p --name P --price 5 --down fast --up 1M", 2, "is not like 3M or 512k"),
        ("plan add p --name P --price 5 --down 3M --up 1M --validity 2", 2, "30m, 2h"),
        ("plan add p --name P --price 5 --down 3M --up 1M", 2, "want at least one of --validity"),
        ("plan add p --name P --price 5 --down 1 --up 1M", 2, "--down, in bits per second: want"),
        ("voucher create --plan hours-2 --count 1 --expires soon", 2, "a day like 2027-01-31"),
        ("voucher create --plan hours-2 --count 1 --expires 2020-01-01", 2, "a moment to come"),
        ("payment list --site nowhere", 3, "there is no site nowhere"),
        ("session list --site nowhere", 3, "there is no site nowhere"),
        ("grant list --site nowhere", 3, "there is no site nowhere"),
        ("notice list --site nowhere", 3, "there is no site nowhere"),
        ("voucher create --plan hours-2 --count 0", 2, "count"),
        ("voucher create --plan nothing --count 1", 3, "there is no plan nothing"),
        ("grant give --site estate-1 --plan hours-2 --device x", 2, "device_mac"),
        ("payment list --state lost", 2, "lost"),
        ("site list --limit 0", 2, "--limit"),
        ("site list --nonsense", 2, "--nonsense"),
        ("nonsense", 2, "nonsense"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_says_what(
    run: Command, words: str, code: int, what: str
) -> None:
    ran = await run(*words.split())

    assert (ran.code, ran.out) == (code, "")
    assert what in " ".join(ran.err.split())


async def test_a_wrong_key_is_told_what_to_do(run: Command) -> None:
    ran = await run("site", "list", key="wrong")

    assert ran.code == 4
    assert "LANGO_KEY" in ran.err


async def test_no_controller_is_told_what_to_do() -> None:
    ran = await lango_here("--url", "http://127.0.0.1:9", "--key", "k", "status")

    assert ran.code == 6
    assert "lango run" in ran.err


async def test_something_else_at_the_address_is_not_taken_for_a_controller(
    office: Office,
) -> None:
    async with opened(office) as url:
        ran = await lango_here("--url", f"{url}/noc", "--key", "x", "site", "list")

    assert ran.code in {3, 4, 6}


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp://x", "http://[", ""])
async def test_an_address_that_cannot_be_is_a_fault_and_no_traceback(
    url: str,
) -> None:
    ran = await lango_here("--url", url, "--key", "k", "site", "list")

    assert ran.code == 6
    assert "Traceback" not in ran.err


async def test_as_a_process_it_answers_with_its_exit_code(office: Office, tmp_path: Path) -> None:
    env = {"LANGO_KEY": office.key}
    async with opened(office) as url:
        well = await lango("site", "list", "--json", cwd=tmp_path, LANGO_URL=url, **env)
        missing = await lango("site", "show", "x", cwd=tmp_path, LANGO_URL=url, **env)

    assert (well.code, well.json["data"]) == (0, [])
    assert (missing.code, missing.out) == (3, "")


async def test_status_is_degraded_when_a_site_is_silent(office: Office, run: Command) -> None:
    await office.keep(a_site("river", last_seen_at=NOON - timedelta(minutes=5)))
    ran = await run("status", "--json")

    assert (ran.code, ran.json["status"]) == (7, "degraded")
    assert ran.json["faults"] == ["river is offline"]


async def test_a_site_that_never_joined_is_new_and_not_wrong(office: Office, run: Command) -> None:
    await office.keep(a_site("fresh", last_seen_at=None))

    assert (await run("status")).code == 0


async def test_the_key_of_a_controller_here_is_found(office: Office, tmp_path: Path) -> None:
    assert (tmp_path / KEY_FILE).exists()

    async with opened(office) as url:
        ran = await lango(
            "site", "list", cwd=tmp_path, LANGO_URL=url, LANGO_STATE_DIR=str(tmp_path)
        )

    assert ran.code == 0, ran.err


async def test_long_lists_are_fetched_page_by_page(office: Office, run: Command) -> None:
    await office.keep(*(a_site(f"s{n:03}") for n in range(205)))
    ran = await run("site", "list", "--limit", "206", "--json")

    assert len({site["id"] for site in ran.json["data"]}) == 206
