"""What is pasted into a router once: tried at the emulated console, in both versions."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, cast

import pytest

from shaping.routeros.adoption import MARK, UNDO, Adoption, confirm, line, script
from shaping.routeros.rows import LISTS
from shaping.routeros.session import Answer
from tests.routeros.console import pasted
from tests.routeros.emulator import routeros
from tests.support.golden import golden

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from shaping.routeros.session import Talk
    from tests.routeros.emulator import Box

SECRET = "Zm9v-YmFy_1234"
WISH = Adoption(
    agent=IPv4Address("10.9.0.2"),
    lans=("bridge",),
    wan="ether1",
    password=SECRET,
    portal="wifi.lango",
)
MENUS = (
    "/user/group",
    "/user",
    "/certificate",
    "/ip/firewall/address-list",
    "/ip/firewall/filter",
    "/ip/dns/static",
    "/system/scheduler",
    "/ip/service",
)


@pytest.fixture(params=(6, 7))
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    async with routeros(major=request.param) as made:
        yield made


def all_of(box: Box) -> dict[str, list[dict[str, str]]]:
    """All that matters here, as it would be at any moment."""
    return {
        menu: [{k: v for k, v in row.items() if k != "expires-after"} for row in box.rows(menu)]
        for menu in MENUS
    }


def paste(box: Box, wish: Adoption = WISH) -> list[str]:
    return pasted(box, line(wish, box.version.major))


@pytest.mark.parametrize(("major", "name"), [(6, "6.49"), (7, "7")])
def test_the_script_as_people_review_it(major: int, name: str) -> None:
    assert script(WISH, major) == golden(f"routeros/adopt-{name}.rsc", script(WISH, major))


async def test_it_makes_a_user_who_may_little_and_from_one_address(box: Box) -> None:
    said = paste(box)

    (group,) = (row for row in box.rows("/user/group") if row["name"] == MARK)
    (user,) = (row for row in box.rows("/user") if row["name"] == "lango")
    rights = {one for one in group["policy"].split(",") if not one.startswith("!")}
    assert rights == {"read", "write", "api"}
    assert (user["group"], user["address"], user["password"]) == (MARK, "10.9.0.2/32", SECRET)
    assert said[-1] == "Done. Undone in 10 minutes unless the agent signs in before."


async def test_a_user_of_a_router_that_keeps_secrets_may_see_them_and_no_more(box: Box) -> None:
    paste(box, replace(WISH, secrets=True))

    (group,) = (row for row in box.rows("/user/group") if row["name"] == MARK)
    rights = {one for one in group["policy"].split(",") if not one.startswith("!")}
    assert rights == {"read", "write", "api", "sensitive"}


async def test_it_tells_the_certificate_and_opens_api_ssl_for_the_agent_alone(box: Box) -> None:
    said = paste(box)

    (service,) = (row for row in box.rows("/ip/service") if row["name"] == "api-ssl")
    (certificate,) = box.rows("/certificate")
    assert (service["certificate"], service["address"]) == ("lango", "10.9.0.2/32")
    assert f"Certificate sha256 {certificate['fingerprint']}" in said


async def test_a_look_says_the_plan_and_changes_nothing(box: Box) -> None:
    before = all_of(box)

    said = paste(box, replace(WISH, only_look=True))

    assert all_of(box) == before
    assert [text[0] for text in said] == ["+"] * 7 + ["T"]
    assert not any(SECRET in text for text in said)


async def test_what_nobody_confirms_is_undone_to_the_last_word(box: Box) -> None:
    before = all_of(box)
    paste(box)

    box.pass_time(599)
    assert all_of(box) != before
    box.pass_time(1)

    assert all_of(box) == before


async def test_a_power_cut_before_the_confirmation_keeps_the_way_back(box: Box) -> None:
    before = all_of(box)
    paste(box)

    box.power_cut()
    box.pass_time(601)

    assert all_of(box) == before


async def test_a_second_paste_changes_nothing(box: Box) -> None:
    paste(box)
    after = all_of(box)

    waits = paste(box)
    assert all_of(box) == after
    box.remove("/system/scheduler", UNDO)
    confirmed = all_of(box)
    done = paste(box)

    assert (
        waits[-1]
        == f"Nothing was changed: {UNDO} still waits to be confirmed; mend that and paste again."
    )
    assert done[-1] == "All is there; nothing was changed."
    assert all_of(box) == confirmed


async def test_what_somebody_removed_is_made_again_and_only_that_is_undone(box: Box) -> None:
    paste(box)
    box.remove("/system/scheduler", UNDO)
    box.remove("/ip/dns/static", "*1")
    confirmed = all_of(box)

    paste(box)
    assert [row["name"] for row in box.rows("/ip/dns/static")] == ["wifi.lango"]
    box.pass_time(601)

    assert all_of(box) == confirmed


STRANGERS = (
    ("/user", {"name": "lango", "group": "read", "password": "theirs"}, "user name=lango"),
    ("/certificate", {"name": "lango", "common_name": "theirs"}, "certificate lango, signed"),
    ("/ip/firewall/address-list", {"list": "lango-agent", "address": "10.9.0.2"}, "address list"),
    ("/ip/dns/static", {"name": "wifi.lango", "address": "10.0.0.9"}, "DNS name"),
    ("/system/scheduler", {"name": UNDO, "interval": "1d"}, UNDO),
)


@pytest.mark.parametrize(("menu", "words", "named"), STRANGERS)
async def test_what_is_somebody_elses_is_named_and_nothing_is_made(
    box: Box, menu: str, words: dict[str, str], named: str
) -> None:
    box.add(menu, **words)
    before = all_of(box)

    said = paste(box)

    assert all_of(box) == before
    assert said[-1].startswith("Nothing was changed: ")
    assert named in said[-1]


async def test_an_api_that_others_use_stays_theirs(box: Box) -> None:
    (service,) = (row for row in box.rows("/ip/service") if row["name"] == "api-ssl")
    box.edit("/ip/service", service[".id"], address="10.1.0.0/16")
    before = all_of(box)

    said = paste(box)

    assert all_of(box) == before
    assert "api-ssl has another certificate or other addresses" in said[-1]


async def test_other_wires_than_those_told_are_named(box: Box) -> None:
    before = all_of(box)

    said = paste(box, replace(WISH, lans=("bridge", "wlan9"), wan="sfp1"))

    assert all_of(box) == before
    assert said[-1] == (
        "Nothing was changed: there is no interface wlan9; there is no interface sfp1; "
        "mend that and paste again."
    )


async def test_the_agents_rule_stands_before_the_operators_drop(box: Box) -> None:
    box.add("/ip/firewall/filter", chain="input", action="drop", in_interface="!bridge")

    paste(box)

    first, second = box.rows("/ip/firewall/filter")
    assert (first["action"], first["in-interface"]) == ("accept", "!ether1")
    assert second["action"] == "drop"


async def test_where_schedulers_may_not_run_nothing_is_made() -> None:
    async with routeros(major=7) as box:
        mode = box.table("/system/device-mode").only()
        box.table("/system/device-mode").change(mode, {"scheduler": "false"})
        before = all_of(box)

        said = paste(box)

        assert all_of(box) == before
        assert "device-mode keeps schedulers from running" in said[-1]


async def test_a_script_that_breaks_off_is_undone_as_well(box: Box) -> None:
    """The way back is there before the first step."""
    before = all_of(box)
    broken = line(WISH, box.version.major).replace("/certificate sign lango", ":error stop")

    with pytest.raises(Exception, match="stop"):
        pasted(box, broken)
    assert all_of(box) != before
    box.pass_time(601)

    assert all_of(box) == before


class Stubborn:
    """A router that lets the agent remove no scheduler."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def ask(self, sentences: Sequence[tuple[str, ...]]) -> list[Answer]:
        self.told += sentences
        (sentence,) = sentences
        if sentence[0].endswith("/print"):
            return [Answer([{".id": "*1", "comment": MARK}])]
        refused = sentence[0] == "/system/scheduler/remove"
        return [Answer(trap="not enough permissions (9)" if refused else None)]


async def test_where_the_agent_may_not_remove_it_the_scheduler_finds_a_word(box: Box) -> None:
    router = Stubborn()
    paste(box)
    made = all_of(box)

    assert confirm(cast("Talk", router))
    box.add(LISTS, **{word[1:].split("=")[0]: word.split("=")[2] for word in router.told[-1][1:]})
    box.pass_time(601)
    after = all_of(box)

    assert not after.pop("/system/scheduler")
    assert after["/user"] == made["/user"]
    assert len(after["/certificate"]) == 1


async def test_the_file_does_as_the_line(box: Box) -> None:
    paste(box)
    by_line = all_of(box)

    async with routeros(major=box.version.major) as other:
        pasted(other, script(WISH, box.version.major))

        assert all_of(other) == by_line
