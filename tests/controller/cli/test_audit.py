"""``lango audit``: who did what is listed, and the chain is walked on the controller's machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from controller.usecases.audit import seal_due
from tests.controller.cli.lango import Ran, lango_here
from tests.support.office import Office, caller

if TYPE_CHECKING:
    from tests.controller.cli.conftest import Command


async def at_the_machine(office: Office, *words: str) -> Ran:
    folder = office.deps.settings.state_dir
    config = folder / "controller.toml"
    config.write_text(f'state_dir = "{folder}"\n')
    return await lango_here("audit", *words, "--config", str(config))


async def test_what_staff_did_is_listed(run: Command, office: Office) -> None:
    async with caller(office) as client:
        await client.post("/api/v1/sites", json={"id": "estate-2", "name": "Estate 2"})

    listed = await run("audit", "list", "--about", "site:estate-2", "--json")
    others = await run("audit", "list", "--about", "plan")

    (line,) = listed.json["data"]
    assert (line["staff_name"], line["route"]) == ("the key", "POST /api/v1/sites")
    assert (others.out.split("\n")[1:], others.err) == ([""], "Nobody did anything.\n")


async def test_a_log_is_verified_and_its_head_printed(office: Office) -> None:
    async with caller(office) as client:
        await client.post("/api/v1/sites", json={"id": "estate-2", "name": "Estate 2"})
    await seal_due(office.deps)

    head = await at_the_machine(office, "head")
    good = await at_the_machine(office, "verify", "--head", head.out.strip())

    assert (head.out[:2], good.code) == ("1:", 0)
    assert good.err.startswith("All 1 rows are as they were sealed; 2 heads agree.")


async def test_what_was_changed_is_named_with_its_own_exit_code(office: Office) -> None:
    async with caller(office) as client:
        await client.post("/api/v1/sites", json={"id": "estate-2", "name": "Estate 2"})
    await seal_due(office.deps)
    async with office.deps.db.begin() as tx:
        await tx.execute(text("DROP TRIGGER audit_no_update"))
        await tx.execute(text("UPDATE audit SET staff_name = 'Nobody'"))

    bad = await at_the_machine(office, "verify")

    assert bad.code == 7
    assert "row 1 was changed" in bad.err


async def test_a_head_that_is_none_is_wrong_use(office: Office) -> None:
    bad = await at_the_machine(office, "verify", "--head", "1:abc")

    assert bad.code == 2
