"""What menus take and refuse, and how each version writes what it kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import librouteros
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.routeros.box import Setup
from tests.routeros.commands import Caller, run
from tests.routeros.emulator import Box, Faults, Trap, Version, routeros
from tests.routeros.faults import Struck
from tests.routeros.texts import address_text, covers, date_time, day_of, duration, duration_us
from tests.routeros.witness import attributes, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


@pytest.fixture(params=[6, 7])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Box]:
    async with routeros(major=request.param) as one:
        yield one


async def asked(box: Box, *sentences: Sequence[str], name: str = "agent") -> list[list[list[str]]]:
    """Everything that one witness hears to these sentences."""

    def visit() -> list[list[list[str]]]:
        with signed_in(box.host, box.port, name) as witness:
            return [witness.ask(*sentence) for sentence in sentences]

    return await asyncio.to_thread(visit)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("0", "0s"),
        ("90", "1m30s"),
        ("00:05:00", "5m"),
        ("1d02:00:00", "1d2h"),
        ("1d 02:00:00", "1d2h"),
        ("52w", "52w"),
        ("16s330ms", "16s330ms"),
        ("170ms", "170ms"),
        ("1h5m3s", "1h5m3s"),
    ],
)
def test_a_duration_is_printed_in_its_own_way(written: str, printed: str) -> None:
    assert duration(duration_us(written) or 0) == printed


def test_what_is_no_duration_is_none() -> None:
    assert [duration_us(text) for text in ("", "none", "5x", "1h-", "s")] == [None] * 5


@pytest.mark.parametrize(
    ("version", "printed"),
    [
        ("6.49.18", "jan/02/2026 10:00:00"),
        ("7.9", "jan/02/2026 10:00:00"),
        ("7.10", "2026-01-02 10:00:00"),
    ],
)
def test_dates_are_written_in_two_ways(version: str, printed: str) -> None:
    moment = datetime(2026, 1, 2, 10, tzinfo=UTC)

    assert date_time(moment, Version.of(version)) == printed
    assert day_of(printed.split(maxsplit=1)[0]) == moment.date()


def test_networks_and_ranges_hold_addresses() -> None:
    assert covers("10.0.0.0/24", "10.0.0.9")
    assert covers("!10.0.0.0/24", "10.0.1.9")
    assert covers("10.0.0.1-10.0.0.5", "10.0.0.5")
    assert not covers("10.0.0.1-10.0.0.5", "10.0.0.6")
    assert address_text("10.0.0.7/32") == "10.0.0.7"


VALUES = [
    "", "*1", "*A,*2", "default", "x", "none", "10.0.0.1", "10.0.0.0/8", "!10.0.0.1-10.0.0.9",
    "AA:BB:CC:DD:EE:01", "1h", "0s", "2M/5M", "2M/2M 4M/4M", "7", "yes", "no", "forward", "drop",
    "bridge", "feb/30/2026", "2026-02-28", "a=b", "caf\udce9", "all", "api,read",
]  # fmt: skip

TAKEN = """
/queue/simple/add =target=10.0.0.1 =max-limit=2M/512k -> =max-limit=2000000/512000
/queue/simple/add =target=10.0.0.1 =max-limit=2M -> =max-limit=2000000/2000000
/queue/simple/add =target=10.0.0.1,10.0.0.9/24 -> =target=10.0.0.1/32,10.0.0.0/24
/queue/simple/add =target=bridge -> =target=bridge
/queue/simple/add =target=10.0.0.1 =priority=3 -> =priority=3/3
/queue/simple/add =target=10.0.0.1 =burst-time=16/8 -> =burst-time=16s/8s
/queue/simple/add =target=10.0.0.1 -> =name=queue1
/ip/hotspot/ip-binding/add =mac-address=aa-bb-cc-dd-ee-0f -> =mac-address=AA:BB:CC:DD:EE:0F
/ip/hotspot/ip-binding/add =address=10.0.0.9/32 -> =address=10.0.0.9
/ip/hotspot/ip-binding/add =address=10.0.0.9 -> =server=all
/ip/hotspot/ip-binding/add =disabled=yes -> =disabled=true
/ip/address/add =address=10.9.0.1/24 =interface=bridge -> =network=10.9.0.0
/ip/address/add =address=10.9.0.1 =interface=bridge -> =address=10.9.0.1/32
/ip/hotspot/user/add =name=00012 =limit-uptime=01:00:00 -> =limit-uptime=1h
/ip/hotspot/user/add =name=x =profile=*1 -> =profile=default
/ppp/secret/add =name=jane -> =service=any
/ppp/profile/add =name=x =rate-limit=512k/1M -> =rate-limit=512k/1M
/ip/firewall/address-list/add =list=paid =address=10.0.0.1 -> =dynamic=false
/radius/add =address=10.0.0.3 =service=hotspot,ppp -> =authentication-port=1812
/ip/firewall/filter/add =chain=forward -> =action=accept
/system/script/add =name=s =source=a=b -> =source=a=b
"""

REFUSED = """
/nonsense/print -> no such command prefix
/queue/simple/find -> no such command
/ip/hotspot/active/add -> no such command
/queue/simple/print =where=x -> unknown parameter where
/ip/hotspot/user/add =name=a =rate-limit=2M/2M -> unknown parameter rate-limit
/queue/simple/add =name=a =bytes=1/1 -> unknown parameter bytes
/queue/simple/add =target=nowhere -> invalid value for argument target
/queue/simple/add =max-limit=fast -> invalid value for argument max-limit
/queue/simple/add =parent=nobody -> input does not match any value of parent
/ip/hotspot/user/add =name=a =profile=gold -> input does not match any value of profile
/ip/hotspot/user/add =profile=default -> missing value(s) of argument(s) name
/ip/hotspot/ip-binding/add =type=free -> input does not match any value of type
/ppp/profile/add =name=x =rate-limit=1M/fast -> invalid value for argument rate-limit
/queue/simple/set =.id=*99 =name=x -> no such item
/queue/simple/remove =.id= -> missing value(s) of argument(s) numbers
/queue/simple/remove =numbers=nobody -> no such item
/ip/hotspot/user/profile/remove =numbers=default -> failure: can not remove default
/ip/service/set =numbers=api =port=0 -> value of port out of range (1..65535)
"""

TWICE = """
/queue/simple/add =name=a =target=10.0.0.1 -> failure: already have such name
/ppp/secret/add =name=a -> failure: secret with the same name already exists
/ip/firewall/address-list/add =list=l =address=10.0.0.1 -> failure: already have such entry
/ip/hotspot/user/add =name=a -> failure: already have user with this name for this server
/ip/address/add =address=10.9.0.1/24 =interface=bridge -> failure: already have such address
"""


def lines(table: str) -> list[tuple[list[str], str]]:
    """(words of a sentence, what comes of it), for each line."""
    halves = (line.split(" -> ") for line in table.strip().splitlines())
    return [(sentence.split(), outcome) for sentence, outcome in halves]


@pytest.mark.parametrize(("sentence", "kept"), lines(TAKEN))
async def test_the_box_fills_in_and_writes_in_its_own_way(
    box: Box, sentence: list[str], kept: str
) -> None:
    menu = sentence[0].removesuffix("/add")
    added, rows = await asked(box, sentence, [f"{menu}/print"])

    row = next(r for r in rows if f"=.id={attributes(added[0])['ret']}" in r)
    assert kept in row
    assert "comment" not in attributes(row), "what was never set is absent"


@pytest.mark.parametrize(("sentence", "message"), lines(REFUSED))
async def test_what_the_box_refuses_it_names(box: Box, sentence: list[str], message: str) -> None:
    ((trap, done),) = await asked(box, sentence)

    assert (trap[0], attributes(trap)["message"], done) == ("!trap", message, ["!done"])


@pytest.mark.parametrize(("sentence", "message"), lines(TWICE))
async def test_what_may_stand_once_is_refused_the_second_time(
    box: Box, sentence: list[str], message: str
) -> None:
    menu = sentence[0].removesuffix("/add")
    before = len(box.rows(menu))
    _, second = await asked(box, sentence, sentence)

    assert attributes(second[0])["message"] == message
    assert len(box.rows(menu)) == before + 1


async def test_a_user_for_every_server_collides_with_one_of_a_named_server(box: Box) -> None:
    box.add("/ip/hotspot/user", name="a", server="hotspot1")

    with pytest.raises(Trap, match="already have user with this name"):
        box.add("/ip/hotspot/user", name="a")


async def test_rows_are_moved_and_placed(box: Box) -> None:
    first = box.add("/queue/simple", name="a", target="10.0.0.1")
    box.add("/queue/simple", name="b", target="10.0.0.2", place_before=first)
    box.add("/queue/simple", name="c", target="10.0.0.3")
    await asked(box, ("/queue/simple/move", "=numbers=c", "=destination=a"))

    assert [r["name"] for r in box.rows("/queue/simple")] == ["b", "c", "a"]


async def test_no_queue_is_its_own_parent(box: Box) -> None:
    above = box.add("/queue/simple", name="a", target="10.0.0.0/8")
    box.add("/queue/simple", name="b", target="10.0.0.1", parent="a")

    with pytest.raises(Trap, match="parent loop"):
        box.edit("/queue/simple", above, parent="b")


async def test_a_renamed_parent_keeps_its_children_and_a_removed_one_leaves_its_id(
    box: Box,
) -> None:
    parent = box.add("/queue/simple", name="p", target="10.0.0.0/8")
    box.add("/queue/simple", name="c", target="10.0.0.1", parent="p")
    box.edit("/queue/simple", parent, name="q")
    renamed = box.rows("/queue/simple")[1]["parent"]
    box.remove("/queue/simple", parent)
    (orphan,) = box.rows("/queue/simple")

    assert (renamed, orphan["parent"], orphan["invalid"]) == ("q", parent, "true")


async def test_a_list_entry_with_a_timeout_is_dynamic_and_ends(box: Box) -> None:
    box.add("/ip/firewall/address-list", list="paid", address="10.0.0.1", timeout="1h")
    box.add("/ip/firewall/address-list", list="paid", address="10.0.0.2")
    box.pass_time(2)
    (fleeting, lasting) = box.rows("/ip/firewall/address-list")
    assert (fleeting["timeout"], fleeting["dynamic"]) == ("59m58s", "true")

    box.pass_time(3_598)

    assert box.rows("/ip/firewall/address-list") == [lasting]


async def test_a_reboot_forgets_list_entries_with_a_timeout(box: Box) -> None:
    box.add("/ip/firewall/address-list", list="paid", address="10.0.0.1", timeout="1h")
    box.reboot()

    assert box.rows("/ip/firewall/address-list") == []


async def test_several_rows_are_removed_at_once_or_none(box: Box) -> None:
    ids = [box.add("/queue/simple", name=n, target="10.0.0.1") for n in "abc"]
    refused, removed = await asked(
        box,
        ("/queue/simple/remove", f"=.id={ids[0]},*77"),
        ("/queue/simple/remove", f"=.id={ids[0]},{ids[2]}"),
    )

    assert attributes(refused[0])["message"] == "no such item"
    assert removed == [["!done"]]
    assert [r["name"] for r in box.rows("/queue/simple")] == ["b"]


async def test_a_print_counts_and_leaves_unknown_properties_away(box: Box) -> None:
    box.add("/queue/simple", name="a", target="10.0.0.1")
    box.add("/queue/simple", name="b", target="10.0.0.1", comment="lc:1")
    count, some = await asked(
        box,
        ("/queue/simple/print", "=count-only="),
        ("/queue/simple/print", "=.proplist=comment,unheard-of"),
    )

    assert count == [["!done", "=ret=2"]]
    assert some == [["!re"], ["!re", "=comment=lc:1"], ["!done"]]


async def test_librouteros_selects_by_query(box: Box) -> None:
    for name, comment in (("a", "x"), ("b", "y"), ("c", "x")):
        box.add("/queue/simple", name=name, target="10.0.0.1", comment=comment)

    def visit() -> list[str]:
        api = librouteros.connect(box.host, "agent", "s3cret", port=box.port)
        name, note = librouteros.query.Key("name"), librouteros.query.Key("comment")
        wanted = librouteros.query.Or(note == "y", name == "c")
        found = api.path("queue", "simple").select(name).where(wanted)
        names = [row["name"] for row in found]
        api.close()
        return names

    assert await asyncio.to_thread(visit) == ["b", "c"]


async def test_who_may_only_read_changes_nothing_and_sees_no_secret() -> None:
    async with routeros() as box:
        box.add("/user/group", name="look", policy="api,read")
        box.add("/user", name="eve", group="look", password="s3cret")
        box.add("/ppp/secret", name="jane", password="pw")
        write, read = await asked(
            box, ("/queue/simple/add", "=target=10.0.0.1"), ("/ppp/secret/print",), name="eve"
        )

    assert attributes(write[0])["message"] == "not enough permissions (9)"
    assert "password" not in attributes(read[0])


async def test_users_need_the_right_to_make_users() -> None:
    async with routeros() as box:
        box.add("/user/group", name="agents", policy="api,read,write,!policy")
        box.add("/user", name="eve", group="agents", password="s3cret")
        sentence = ("/user/add", "=name=mallory", "=group=full", "=password=x")
        ((trap, _),) = await asked(box, sentence, name="eve")

    assert attributes(trap)["message"] == "not enough permissions (9)"


async def test_a_group_prints_every_right_it_lacks(box: Box) -> None:
    box.add("/user/group", name="agents", policy="api,read,write")
    policy = box.rows("/user/group")[-1]["policy"].split(",")

    assert {"api", "read", "write", "!ftp", "!reboot"} <= set(policy)
    assert ("!rest-api" in policy) == (box.version >= Version(7))


async def test_health_is_one_row_on_6_and_a_list_on_7(box: Box) -> None:
    rows = box.rows("/system/health")

    expected = 1 if box.version < Version(7) else 2
    assert len(rows) == expected
    assert ("voltage" in rows[0]) == (box.version < Version(7))


async def test_new_queue_kinds_are_unknown_to_6(box: Box) -> None:
    words = {"name": "f", "kind": "fq-codel"}
    if box.version >= Version(7):
        box.add("/queue/type", **words)
        assert box.rows("/queue/type")[-1]["kind"] == "fq-codel"
    else:
        with pytest.raises(Trap, match="any value of kind"):
            box.add("/queue/type", **words)


async def test_a_box_without_a_battery_wakes_in_1970() -> None:
    async with routeros(major=6, clock_1970=True) as box:
        assert box.rows("/system/clock")[0]["date"] == "jan/02/1970"
        (single,) = box.rows("/system/clock")
        assert ".id" not in single

        await asked(box, ("/system/clock/set", "=date=feb/14/2026", "=time=10:00:00"))
        assert box.stamp == "feb/14/2026 10:00:00"
        box.reboot()

        assert box.rows("/system/clock")[0]["date"] == "jan/02/1970"


async def test_a_certificate_is_whole_once_it_is_signed(box: Box) -> None:
    box.add("/certificate", name="agent", common_name="10.5.50.1", days_valid="3650")
    await asked(
        box,
        ("/certificate/sign", "=numbers=agent"),
        ("/ip/service/set", "=numbers=api-ssl", "=certificate=agent"),
    )
    (row,) = box.rows("/certificate")

    assert len(row["fingerprint"]) == 64
    shown = [r["certificate"] for r in box.rows("/ip/service") if "certificate" in r]
    assert shown == ["none", "agent"]


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_whatever_is_asked_is_answered_or_refused(chosen: st.DataObject) -> None:
    version = chosen.draw(st.sampled_from(["6.33", "6.49.18", "7.18.2", "7.24"]))
    box = Box(Setup(Version.of(version), {"agent": "s3cret"}), Struck(Faults()))
    for _ in range(6):
        path = chosen.draw(st.sampled_from(sorted(box.tables)))
        menu = box.table(path).menu
        names = [*menu.attributes, ".id", "numbers", "value-name", "place-before", "destination"]
        told = chosen.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(VALUES)))
        queries = chosen.draw(st.lists(st.sampled_from(["?#", "?#9!", "?-x", "?>name=1", "?#x"])))
        verb = chosen.draw(st.sampled_from([*sorted(menu.verbs), "nonsense"]))
        words = [f"={name}={value}" for name, value in told.items()]
        with suppress(Trap):
            run(box, Caller.staff(), [f"{path}/{verb}", *words, *queries])
    box.pass_bytes("10.0.0.1", up=1, down=1, to="pay.example.net")
    box.pass_time(100_000)
    box.reboot()
