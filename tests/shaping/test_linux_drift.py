"""What others do by hand: ours is mended, theirs is never touched."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv6Address, ip_network
from typing import TYPE_CHECKING

import pytest

from shaping.linux.nft import LinuxConfig
from shaping.linux.plane import LinuxPlane, boot_clock
from shaping.plane import Applied, Cap, CapKey, Desired, MonotonicMs, PlaneError, SessionKey
from tests.support.gateway import (
    CONFIG,
    KEY,
    PHONE,
    SERVER4,
    SERVER6,
    THIEF,
    Street,
    an_access,
    mac_of,
)
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.root

CAP = CapKey("grant-7")


def a_desired() -> Desired:
    later = MonotonicMs(boot_clock() + 600_000)
    access = an_access(open_until=later, cap=CAP)
    garden = frozenset(map(ip_network, ("203.0.113.0/24", "255.255.255.0/24", "2001:db8::/32")))
    blocked = frozenset({mac_of(THIEF)})
    return Desired({KEY: access}, {CAP: Cap(5_000_000)}, blocked, garden=garden)


def nft(line: str) -> Callable[[Street], object]:
    return lambda street: street.nft(line)


def tc(line: str) -> Callable[[Street], object]:
    return lambda street: street.gateway.run("tc", *line.split())


HANDS: dict[str, Callable[[Street], object]] = {
    "table inet lango was missing": nft("delete table inet lango"),
    "the rules of table inet lango were changed": nft("insert rule inet lango from_lan accept"),
    "the rules of table inet lango were changed ": nft("flush chain inet lango to_lan"),
    "the rules of table inet lango were changed  ": nft("add chain inet lango stranger"),
    "the access of 10.77.0.101": nft("flush set inet lango up4"),
    "the access of 10.77.0.101 ": nft("delete element inet lango class4 { 10.77.0.101 }"),
    "the access of fd77:1::101": nft("flush map inet lango count_up6"),
    "the block of 02:00:00:00:00:02": nft("flush set inet lango blocked"),
    "the walled garden was changed": nft("flush set inet lango garden4"),
    "the walled garden was changed ": nft("add element inet lango garden4 { 10.0.0.1-10.0.0.5 }"),
    "the walled garden was changed  ": nft("delete element inet lango garden6 { 2001:db8::/32 }"),
    "the shaper of br-lan was missing": tc("qdisc del dev br-lan root"),
    "the shaper of wan0 was missing": tc("filter del dev wan0 parent 4c00:"),
    "the speed of 0193-phone": tc(
        "class change dev wan0 parent 4c01: classid 4c01:1 htb rate 9mbit"
    ),
    "the pin of 10.77.0.101": lambda street: street.gateway.ip("neigh del 10.77.0.101 dev br-lan"),
}


@pytest.mark.parametrize("words", HANDS)
def test_what_was_changed_by_hand_is_named_and_mended(street: Street, words: str) -> None:
    desired = a_desired()
    street.apply(desired)
    HANDS[words](street)
    asyncio.run(street.plane.verify())
    drift = " · ".join(street.apply(desired).drift)

    assert words.strip() in drift
    assert street.apply(desired) == Applied(0)
    assert street.reaches(PHONE, SERVER4)
    assert street.reaches(PHONE, SERVER6)
    assert not street.reaches(THIEF, SERVER4)


def test_a_change_of_nftables_is_noticed_by_the_very_next_apply(street: Street) -> None:
    desired = a_desired()
    street.apply(desired)
    street.nft("delete table inet lango")

    assert street.apply(desired).drift != ()


def test_a_change_of_shapers_is_noticed_when_ten_seconds_have_passed(street: Street) -> None:
    clock = [boot_clock()]
    street.plane.close()
    street.plane = street.a_plane(now=lambda: clock[0])
    desired = a_desired()
    street.apply(desired)
    street.gateway.run("tc", "qdisc", "del", "dev", "wan0", "root")
    clock[0] = MonotonicMs(clock[0] + 10_500)

    assert "the shaper of wan0 was missing" in street.apply(desired).drift


def test_mended_rules_keep_every_counter(street: Street) -> None:
    desired = a_desired()
    street.apply(desired)
    street.send(10, up=True)
    before = street.counter()
    street.nft("flush chain inet lango go_up4")
    street.apply(desired)

    assert street.counter() == before


def test_a_lost_table_begins_a_new_epoch(street: Street) -> None:
    street.apply(a_desired())
    before = street.counter()
    street.nft("delete table inet lango")
    street.apply(a_desired())

    assert street.counter().epoch != before.epoch


def test_counters_set_to_zero_by_hand_begin_a_new_epoch(street: Street) -> None:
    desired = a_desired()
    street.apply(desired)
    street.send(10, up=True)
    before = street.counter()
    street.nft("reset counters table inet lango")
    during = asyncio.run(street.plane.counters())
    street.apply(desired)

    assert KEY not in during, "a fallen count is not believed"
    assert street.counter().epoch != before.epoch


def test_a_successor_of_a_killed_one_ends_what_is_no_longer_wanted(street: Street) -> None:
    street.apply(a_desired())
    street.restart()
    street.apply(Desired())

    assert not street.reaches(PHONE, SERVER4)
    assert street.nft("list counters table inet lango").count("0193-phone") == 0


def test_what_comes_between_a_count_and_the_first_look_is_seen(street: Street) -> None:
    street.apply(a_desired())
    street.restart()
    street.counter()
    street.nft("add counter inet lango d.stray.e1")
    street.apply(a_desired())

    assert "stray" not in street.nft("list counters table inet lango")


def test_a_changed_configuration_changes_the_rules_and_keeps_the_sessions(street: Street) -> None:
    desired = a_desired()
    street.apply(desired)
    before = street.counter()
    street.plane.close()
    street.plane = street.a_plane(replace(CONFIG, portal_port=8001))
    street.apply(desired)
    with street.listen(street.gateway, 8001):
        portal = street.tcp(PHONE, "10.77.0.1", 80)

    assert portal == "open"
    assert street.counter().epoch == before.epoch


def test_a_table_of_another_shape_is_replaced(street: Street) -> None:
    street.nft("add table inet lango", "add set inet lango up4 { type inet_service; }")
    street.apply(a_desired())

    assert street.reaches(PHONE, SERVER4)


FOREIGN = (
    "add table inet theirs",
    "add chain inet theirs seen { type filter hook forward priority 5; policy accept; }",
    "add rule inet theirs seen meta mark 7 drop",
)


def test_tables_and_shapers_of_others_are_never_touched(street: Street) -> None:
    street.nft(*FOREIGN)
    tc("qdisc add dev port1 root handle 5: pfifo limit 77")(street)
    street.gateway.ip("neigh add 10.77.0.99 lladdr 02:00:00:00:00:99 dev br-lan nud permanent")
    before = _theirs(street)
    street.apply(a_desired())
    street.nft("delete table inet lango")
    street.apply(a_desired())
    street.apply(Desired())
    asyncio.run(street.plane.clear())

    assert _theirs(street) == before


def test_a_root_of_somebody_else_on_our_interface_is_replaced_and_told(street: Street) -> None:
    tc("qdisc replace dev wan0 root handle 5: pfifo limit 77")(street)
    first = street.apply(a_desired()).drift
    tc("qdisc replace dev wan0 root handle 6: pfifo limit 77")(street)
    asyncio.run(street.plane.verify())
    again = street.apply(a_desired()).drift
    words = "wan0: pfifo {}: of somebody else was the root, and was replaced"

    assert first == (words.format(5),)
    assert words.format(6) in again
    assert street.apply(a_desired()).drift == ()


def test_what_the_dns_server_put_into_the_garden_is_its_own_affair(street: Street) -> None:
    street.apply(a_desired())
    put = f"add element inet lango garden_names4 {{ {SERVER4} }}"
    street.nft(put, f"add element inet lango garden_names6 {{ {SERVER6} }}")
    drift = street.apply(replace(a_desired(), blocked=frozenset(), garden=frozenset())).drift
    street.restart()
    street.apply(replace(a_desired(), blocked=frozenset()))
    before = street.counter()
    reached = street.reaches(THIEF, SERVER4), street.reaches(THIEF, SERVER6)
    street.reaches(PHONE, SERVER4)
    street.nft("flush set inet lango garden_names4", "flush set inet lango garden_names6")

    assert drift == ()
    assert reached == (True, True)
    assert street.counter() == before


def _theirs(street: Street) -> tuple[str, ...]:
    return (
        street.nft("list table inet theirs"),
        street.gateway.run("tc", "qdisc", "show", "dev", "port1"),
        street.gateway.run("ip", "neigh", "show", "10.77.0.99"),
    )


def test_clear_leaves_nothing_of_ours(street: Street) -> None:
    street.apply(a_desired())
    asyncio.run(street.plane.clear())
    left = (
        street.nft("list tables").replace("table inet theirs\n", ""),
        street.gateway.run("ip", "neigh", "show", "proto", "76"),
        street.gateway.run("tc", "qdisc", "show").count("htb"),
    )

    assert left == ("", "", 0)


def test_an_apply_after_clear_builds_all_again(street: Street) -> None:
    street.apply(a_desired())
    asyncio.run(street.plane.clear())
    street.apply(a_desired())

    assert street.reaches(PHONE, SERVER4)


def test_shaper_classes_are_used_again(street: Street) -> None:
    street.apply(Desired({KEY: an_access()}))
    for number in range(5):
        street.apply(Desired({SessionKey(f"next-{number}"): an_access()}))
    classes = street.gateway.run("tc", "class", "show", "dev", "br-lan")

    assert classes.count("htb 4c01:") == 2, "one slot, and the group's spare class"


def test_sessions_beyond_one_group_get_a_second_one(street: Street) -> None:
    addresses = [IPv6Address(f"fd77:1::1:{number:x}") for number in range(1, 252)]
    many = {
        SessionKey(f"many-{address.packed.hex()[-4:]}"): replace(
            an_access(), ipv4=None, ipv6=frozenset({address})
        )
        for address in addresses
    }
    street.apply(Desired(many))
    qdiscs = street.gateway.run("tc", "qdisc", "show", "dev", "wan0")

    assert "htb 4c14: parent 4c00:2" in qdiscs


def test_an_interface_that_is_not_there_is_named() -> None:
    with Namespace("bare") as bare:
        plane = bare.call(lambda: LinuxPlane(CONFIG))
        with pytest.raises(PlaneError, match="no interface br-lan"):
            asyncio.run(plane.apply(Desired()))
        plane.close()


def test_devices_leave_under_the_gateways_own_address_when_asked_to() -> None:
    with Street(replace(CONFIG, masquerade=True)) as street:
        street.apply(Desired({KEY: an_access()}))
        with street.listen(street.internet, 80) as web:
            street.tcp(PHONE, SERVER4, 80)
            accepted, (visitor, *_) = web.accept()
            accepted.close()
        share = street.send(50, up=True), street.counter().up_bytes_total >= 50 * 1028

    assert visitor == "::ffff:198.51.100.1"
    assert share == (50, True)


CONFIGS = {
    "lan: 'br lan' is not an interface name": lambda: LinuxConfig(lan="br lan", wan="wan0"),
    "wan: '; drop' is not an interface name": lambda: LinuxConfig(lan="br-lan", wan="; drop"),
    "lan and wan are both 'wan0'": lambda: LinuxConfig(lan="wan0", wan="wan0"),
    "portal_port: 0 is not a port": lambda: replace(CONFIG, portal_port=0),
    "spare_bps: 0 is not positive": lambda: replace(CONFIG, spare_bps=0),
}


@pytest.mark.parametrize("words", CONFIGS)
def test_a_configuration_that_cannot_be_names_its_field(words: str) -> None:
    with pytest.raises(PlaneError, match=words):
        CONFIGS[words]()
