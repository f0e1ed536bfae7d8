"""What README tells an owner to type, typed word for word at a controller that is new."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from controller.payments.gateway import Trust
from controller.payments.memory import MemoryGateway
from controller.sandbox.bank.tables import write_portal
from tests.controller.cli.lango import lango_here
from tests.support.daraja import a_world
from tests.support.incoming import came
from tests.support.office import Office, a_subscriber, opened
from tests.support.standing_orders import an_account
from tests.support.statements import a_till, fee, paid

if TYPE_CHECKING:
    import pytest

README = Path(__file__).parents[3] / "README.md"


def commands(title: str) -> list[list[str]]:
    """The commands of a section, without the first word of each."""
    section = README.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    lango ")]
    return [shlex.split(line)[1:] for line in lines]


def written(folder: Path) -> set[str]:
    """The files that commands have left there."""
    return {path.name for path in folder.iterdir() if path.suffix in {".pdf", ".xlsx"}}


async def test_billing_goes_from_the_plan_to_the_tax_return_as_readme_says(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(office) as url:
        ran = [
            await lango_here("--url", url, "--key", office.key, *asked)
            for asked in commands("Billing")
        ]

    assert len(ran) > 5
    assert [one.err for one in ran if one.code] == []
    assert written(tmp_path) == {"INV-main-000001.pdf", "taxes.xlsx"}


async def test_money_that_fits_nobody_is_placed_and_given_back_as_readme_says(
    office: Office,
) -> None:
    await office.keep(a_subscriber())
    await came(office)
    async with opened(office) as url:
        ran = [
            await lango_here("--url", url, "--key", office.key, *asked)
            for asked in commands("Payments")
        ]

    assert len(ran) > 5
    assert [one.err for one in ran if one.code] == []
    assert "SGH7K2Q0XD" in ran[0].out
    assert "KES 200 of SGH7K2Q0XD" in ran[3].err


async def test_auto_pay_and_reconciliation_go_as_readme_says(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org-portal.csv").write_bytes(
        write_portal(a_till(paid("UGE5L8M3RZ"), fee("UGE5L8M3RZ")))
    )
    cards = MemoryGateway(rail="card", place="LANGO", trust=Trust.SIGNED)
    async with a_world(now=office.clock) as network:
        account = an_account(network, "http://127.0.0.1:9")
        deps = replace(office.deps, more_gateways=(cards,), cards=cards, mpesa=account)
        async with opened(replace(office, deps=deps)) as url:
            ran = [
                await lango_here("--url", url, "--key", office.key, *asked)
                for asked in commands("Auto-pay, statements, reconciliation")
            ]
        prompts = await network.look("prompts")

    assert len(ran) > 5
    assert [one.err for one in ran if one.code] == []
    assert [push.amount.minor for push in cards.pushes] == [100_00]
    assert [prompt["kind"] for prompt in prompts] == ["order"]


async def test_staff_are_taken_on_as_readme_says(office: Office) -> None:
    async with opened(office) as url:
        ran = [
            await lango_here("--url", url, "--key", office.key, *asked)
            for asked in commands("Staff")
        ]

    assert len(ran) == 5
    assert [one.err for one in ran if one.code] == []
    assert "/noc/welcome?token=" in ran[0].out
