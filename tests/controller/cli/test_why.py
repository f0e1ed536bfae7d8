"""``lango subscriber why``: what somebody who was woken needs first, stands first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.controller.cli.conftest import Command


async def test_what_is_wrong_comes_first_then_what_to_do_then_the_chain(run: Command) -> None:
    ran = await run("subscriber", "why", "0712 345 678")
    lines = ran.out.splitlines()
    wrong = next(n for n, line in enumerate(lines) if line.startswith("!!"))

    assert lines[wrong] == "!! GENERATION: The site Estate 1 is not told of this grant."
    assert lines[wrong + 1] == (
        "   Suspend and resume the grant (or its subscription): that tells the site anew."
    )
    assert [line.split()[1] for line in lines if line[:2] in {"ok", "??"}].count("link") == 2
    assert all(len(line) <= 80 for line in lines)
    assert (ran.code, ran.err) == (7, "error: 254712345678 is not online\n")


async def test_a_program_gets_the_same_as_json(run: Command) -> None:
    ran = await run("subscriber", "why", "0712345678", "--json")

    assert ran.code == 0
    assert ran.json["schema"] == "lango.why/v1"
    assert ran.json["answers"][0]["wrong"] == "generation"
