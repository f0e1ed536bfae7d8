"""Who guesses a secret is slowed down; who has the line keeps it, and comes back to it."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from agent import tries
from agent.radius.server import REJECT_AFTER_S, STRANGERS_SHOWN, Came
from agent.status import line
from agent.uplink.memory import grant_item, login_item
from tests.support.radius import CAUSE, MAC, NAME, NO_ANSWER_S, SECRET, a_radius_site
from tests.support.site import some_limits
from tests.support.steered import SteeredClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.radius import Answer, RadiusSite

GUESSER, NEW = "02:00:00:00:66:66", "02:00:00:00:00:0B"
STRANGER = "aa:bb:cc:00:00:{:02x}"
SIGNED = "Message-Authenticator = 0x00"
FREE = tries.LOGINS_FREE_MAX
PACE_S = tries.LOGIN_PACE_MS // 1_000


@asynccontextmanager
async def a_site(folder: Path, clock: SteeredClock) -> AsyncIterator[RadiusSite]:
    async with a_radius_site(folder, clock=clock) as site:
        yield site


async def guess(site: RadiusSite, count: int, *, name: str = NAME) -> list[Answer | None]:
    """Wrong secrets, each from a device of its own."""
    return [await site.dial(f"guess {n}", name=name, mac=STRANGER.format(n)) for n in range(count)]


def kind(answer: Answer | None) -> str:
    return "nothing" if answer is None else answer.kind


def counted(site: RadiusSite, what: str) -> int:
    return site.server.tally[what]


async def test_beyond_some_wrong_secrets_not_even_a_right_one_is_looked_at(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe()
        wrong = await guess(site, FREE)
        right = await site.dial(mac=GUESSER)

    assert {kind(one) for one in (*wrong, right)} == {"Access-Reject"}
    assert right is not None
    assert wrong[0] is not None
    assert right["Reply-Message"] == wrong[0]["Reply-Message"]
    assert (counted(site, "refused"), counted(site, "held_off")) == (FREE, 1)


async def test_a_right_secret_is_let_in_a_minute_later(tmp_path: Path) -> None:
    clock = SteeredClock()
    async with a_site(tmp_path, clock) as site:
        await site.subscribe()
        await guess(site, FREE)
        await clock.advance(PACE_S - 1)
        early = await site.dial(mac=NEW)
        await clock.advance(1)
        wrong = await site.dial("one more guess", mac=GUESSER)
        held = await site.dial(mac=NEW)
        await clock.advance(PACE_S)
        late = await site.dial(mac=NEW)

    assert [kind(one) for one in (early, wrong, held, late)] == [
        *["Access-Reject"] * 3,
        "Access-Accept",
    ]
    assert len(site.loop.state.tries) == FREE


async def test_who_has_the_line_keeps_it_and_dials_in_again_meanwhile(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe(devices=2)
        await site.tell("Start")
        await guess(site, FREE + 3)
        running = await site.tell("Interim-Update", Acct_Output_Octets=5_000, Acct_Session_Time=60)
        (session,) = site.loop.state.sessions.values()
        await site.tell("Stop", Acct_Session_Time=90)
        again = await site.dial(mac=MAC)
        stranger = await site.dial(mac=NEW)

    assert running
    assert session.meter.usage.down_bytes == 5_000
    assert session.closed is None
    assert (kind(again), kind(stranger)) == ("Access-Accept", "Access-Reject")


async def test_who_takes_the_device_of_the_line_has_as_many_guesses_and_no_more(
    tmp_path: Path,
) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe(devices=2)
        await site.tell("Start")
        for n in range(2 * FREE):
            await site.dial(f"guess {n}", mac=MAC)
        right = await site.dial(mac=MAC)

    assert kind(right) == "Access-Reject"
    assert (counted(site, "refused"), counted(site, "held_off")) == (2 * FREE, 1)


async def test_another_name_has_guesses_of_its_own(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe()
        await site.put(
            login_item("amina", SECRET, "sub:2"),
            grant_item("g2", limits=some_limits(), devices=(), cause_id="sub:2:1"),
        )
        await guess(site, FREE)
        other = await site.dial(name="amina", mac=GUESSER)

    assert kind(other) == "Access-Accept"


async def test_a_restart_gives_a_guesser_no_new_guesses(tmp_path: Path) -> None:
    clock = SteeredClock()
    async with a_site(tmp_path, clock) as site:
        await site.subscribe()
        await guess(site, FREE)
    clock.boot(off_s=30)
    async with a_site(tmp_path, clock) as site:
        right = await site.dial(mac=GUESSER)
        await clock.advance(PACE_S)
        late = await site.dial(mac=GUESSER)

    assert (kind(right), kind(late)) == ("Access-Reject", "Access-Accept")


async def test_guesses_that_come_all_at_once_are_no_more(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe()
        asked = [site.dial(f"guess {n}", mac=STRANGER.format(n)) for n in range(FREE + 5)]
        answers = await asyncio.gather(*asked)

    assert {kind(one) for one in answers} == {"Access-Reject"}
    assert (counted(site, "refused"), counted(site, "held_off")) == (FREE, 5)


async def test_a_name_that_nobody_has_is_not_remembered_and_sounds_the_same(
    tmp_path: Path,
) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe()
        began = asyncio.get_running_loop().time()
        (nobody,) = await guess(site, 1, name="nobody")
        took = asyncio.get_running_loop().time() - began
        (wrong,) = await guess(site, 1)

    assert nobody is not None
    assert wrong is not None
    assert (nobody.kind, nobody.names) == (wrong.kind, wrong.names)
    assert nobody["Reply-Message"] == wrong["Reply-Message"]
    assert took >= REJECT_AFTER_S
    assert len(site.loop.state.tries) == 1


async def test_the_status_counts_them_and_names_whose_secret_is_guessed(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.subscribe()
        await guess(site, FREE - 1)
        before = site.server.status()["radius_guessed"]
        await guess(site, 2)
        said = site.server.status()

    assert before == []
    assert said["radius_guessed"] == [f"{NAME} at tower-1"]
    assert said["radius_packets"] == {"held_off": 1, "refused": FREE}


async def test_a_grant_that_is_over_is_no_wrong_guess(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        await site.put(login_item(NAME, SECRET, CAUSE))
        for _ in range(FREE + 1):
            await site.dial()

    assert not site.loop.state.tries
    assert counted(site, "held_off") == 0


async def test_the_status_names_who_gets_no_answer_and_why(tmp_path: Path) -> None:
    async with a_site(tmp_path, SteeredClock()) as site:
        asked = (f'User-Name = "{NAME}"', f'User-Password = "{SECRET}"')
        await site.ask(*asked, SIGNED, secret="not the secret of the nas", wait_s=NO_ANSWER_S)
        for n in range(STRANGERS_SHOWN + 1):
            stranger = Came(b"?", (f"10.0.0.{n}", 1812), lambda _: None)
            site.server.asked(stranger)
        said = site.server.status()
        await site.ask(*asked, SIGNED)
        after = site.server.status()

    assert said["radius_doubted"] == ["tower-1: forged"]
    assert after["radius_doubted"] == []
    assert said["radius_strangers"] == [f"10.0.0.{n}" for n in range(1, STRANGERS_SHOWN + 1)]
    assert said["radius_packets"] == {"forged": 1, "unknown_nas": STRANGERS_SHOWN + 1}


# What stands in the status, and what people are shown of it.
LINES = """
  radius_packets         {"refused": 10, "held_off": 2}  radius_packets: refused 10, held_off 2
  radius_packets         {}                              radius_packets: none
  radius_guessed         []                              radius_guessed: none
  radius_guessed         ["wanjiku at tower-1"]          radius_guessed: wanjiku at tower-1 - wrong
  radius_strangers       ["10.0.0.7"]                    radius_strangers: 10.0.0.7 - no [[
  radius_doubted         ["tower-1: forged"]             radius_doubted: tower-1: forged - no answer
  troubles               ["plane: gone"]                 !! troubles: plane: gone
  troubles               []                              troubles: none
  sessions               3                               sessions: 3
"""


@pytest.mark.parametrize("row", LINES.strip().splitlines())
def test_people_read_the_status_without_brackets(row: str) -> None:
    key, value, shown = re.split(r"  +", row.strip())

    assert line(key, json.loads(value), colours=False).startswith(shown)
