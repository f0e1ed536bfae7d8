"""A router with faults, strangers and a will of its own: what the plane does then."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import replace
from hashlib import sha256
from ipaddress import IPv4Address, ip_network
from ssl import PEM_cert_to_DER_cert
from typing import TYPE_CHECKING

import pytest
from librouteros.exceptions import LibRouterosError

from shaping.plane import (
    Access,
    Applied,
    Cap,
    CapKey,
    Counter,
    Desired,
    MacAddress,
    MonotonicMs,
    PlaneError,
    Pool,
    PoolKey,
    Rate,
    SessionKey,
    Sight,
)
from shaping.routeros.neighbours import Tables, follow, looked
from shaping.routeros.rows import FILTER, LEASE_MIN_MS, LISTS, QUEUES
from shaping.routeros.session import Lane, Talk, Wire
from tests.routeros.emulator import Faults
from tests.routeros.words import encoded
from tests.support.gateway import KEY, PHONE, SERVER4, an_access, mac_of, v4_of
from tests.support.router import Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shaping.plane import Neighbour
    from shaping.routeros.plane import RouterPlane

CAP = CapKey("grant-7")
HUNDRED = 100
PATIENCE_S = 1.0
"""Long enough for a small change on a busy machine."""
"""Sessions of a site that is told of many."""


class Site:
    """A router, a lane to it and its plane."""

    def __init__(self, router: Emulated, **lane: float) -> None:
        self.router = router
        self.lane = router.a_lane(**lane)
        self.plane: RouterPlane = router.a_plane(self.lane)

    def apply(self, desired: Desired) -> Applied:
        return asyncio.run(self.plane.apply(desired))

    def counters(self) -> dict[SessionKey, Counter]:
        return dict(asyncio.run(self.plane.counters()))

    def passes(self, *, number: int = PHONE, up: int = 100, to: str = "") -> bool:
        address, mac = str(v4_of(number)), mac_of(number).upper()
        passed = self.router.do(lambda box: box.pass_bytes(address, mac=mac, up=up, to=to))
        return passed.up == up

    def faults(self, **faults: float) -> None:
        self.router.do(lambda box: setattr(box, "faults", Faults(**faults)))  # type: ignore[arg-type]

    def marks(self, menu: str) -> list[str]:
        return [row.get("comment", "") for row in self.router.rows(menu)]


@pytest.fixture
def site() -> Iterator[Site]:
    with Emulated(major=7) as router:
        made = Site(router)
        yield made
        made.lane.close()


def one(**changes: object) -> Desired:
    return Desired({KEY: replace(an_access(), ipv6=frozenset(), **changes)})  # type: ignore[arg-type]


def is_ours(row: dict[str, str]) -> bool:
    return row.get("comment", "").startswith("lango ")


def many(count: int = HUNDRED) -> Desired:
    def access(number: int) -> Access:
        mac = MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}")
        return Access(mac, IPv4Address("10.77.0.0") + number, frozenset(), Rate(5_000, 5_000))

    return Desired({SessionKey(f"s{number}"): access(number) for number in range(1, count + 1)})


def test_strangers_rows_stay_as_they_are(site: Site) -> None:
    strangers = {
        FILTER: {"chain": "forward", "action": "drop", "comment": "office only"},
        QUEUES: {"name": "office", "target": "10.0.0.0/24"},
        LISTS: {"list": "lango-open", "address": "10.0.0.9", "comment": "by hand"},
    }
    for menu, words in strangers.items():
        site.router.do(lambda box, m=menu, w=words: box.add(m, **w))  # type: ignore[misc]
    site.apply(many())
    before = {
        menu: next(row for row in site.router.rows(menu) if not is_ours(row)) for menu in strangers
    }
    asyncio.run(site.plane.clear())

    assert {menu: site.router.rows(menu) for menu in strangers} == {
        menu: [row] for menu, row in before.items()
    }


def test_fasttrack_that_was_there_first_does_not_let_anybody_past(site: Site) -> None:
    site.router.do(lambda box: box.add(FILTER, chain="forward", action="fasttrack-connection"))
    before = site.passes()
    site.apply(Desired())
    captive = site.passes()
    site.apply(one())

    assert (before, captive, site.passes()) == (True, False, True)
    assert site.counters()[KEY].up_bytes_total == 100


def test_a_rule_of_ours_moved_by_hand_is_moved_back_and_told(site: Site) -> None:
    site.apply(Desired())
    first = site.router.do(lambda box: box.add(FILTER, chain="forward", action="accept"))
    rows = site.router.rows(FILTER)
    site.router.do(
        lambda box: box.table(FILTER).place(
            box.table(FILTER).picked(first)[0], box.table(FILTER).picked(rows[0][".id"])[0]
        )
    )
    escaped = site.passes()
    asyncio.run(site.plane.verify())
    applied = site.apply(Desired())

    assert (escaped, site.passes()) == (True, False)
    assert any("was moved" in words for words in applied.drift)


def test_rows_that_are_not_taken_are_told_one_by_one_and_all_others_done(site: Site) -> None:
    for number in range(1, 6):
        name = f"lango-s-s{number}"
        site.router.do(lambda box, n=name: box.add(QUEUES, name=n, target="10.0.0.1/32"))  # type: ignore[misc]
    applied = site.apply(many())

    assert len(applied.refused) == 5
    assert all("already have such name" in words for words in applied.refused)
    assert len([mark for mark in site.marks(QUEUES) if mark.startswith("lango session")]) == 95
    assert len([mark for mark in site.marks(LISTS) if mark.startswith("lango way")]) == HUNDRED


def test_a_dead_agent_ends_a_budget_with_its_lease(site: Site) -> None:
    left = 100_000_000 // 8 * 200  # what full speed both ways uses in 200 s
    site.apply(replace(one(cap=CAP), caps={CAP: Cap(left)}))
    site.router.do(lambda box: box.pass_time(199))
    before = site.passes()
    site.router.do(lambda box: box.pass_time(2))

    assert (before, site.passes()) == (True, False)


def test_a_budget_that_is_drawn_on_slowly_is_given_out_again(site: Site) -> None:
    site.apply(replace(one(cap=CAP), caps={CAP: Cap(1_000)}))
    for _ in range(5):
        site.router.do(lambda box: box.pass_time(LEASE_MIN_MS // 2_000 + 1))
        site.passes(up=1)
        site.counters()

    assert site.passes()


def test_a_restarted_router_is_told_and_everything_put_back(site: Site) -> None:
    desired = one(open_until=MonotonicMs(site.router.now() + 3_600_000))
    site.apply(desired)
    site.passes()
    before = site.counters()[KEY]
    site.router.do(lambda box: box.power_cut())
    with pytest.raises(PlaneError, match="restarted"):
        site.counters()
    shut = site.passes()
    applied = site.apply(desired)
    after = site.counters()[KEY]

    assert (shut, site.passes()) == (False, True)
    assert applied.drift == ("the router was restarted",)
    assert before.epoch != after.epoch
    assert after.up_bytes_total == 0


def test_a_counter_set_to_zero_by_hand_begins_anew(site: Site) -> None:
    site.apply(one())
    site.passes()
    before = site.counters()[KEY]
    site.router.do(lambda box: box.table(QUEUES).picked(f"lango-s-{KEY}")[0].tally.add(-100, 0))
    gone = site.counters()
    site.apply(one())
    after = site.counters()[KEY]

    assert KEY not in gone
    assert before.epoch != after.epoch


@pytest.mark.parametrize(
    "faults",
    [
        {"reset_after": 30},
        {"cut_after": 30},
        {"hang_after": 30},
        {"fatal_after": 30},
        {"reboot_after": 30},
        {"trap_after": 30},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_what_broke_off_in_the_middle_is_finished_later(faults: dict[str, float]) -> None:
    with Emulated(major=6) as router:
        site = Site(router, silence_s=0.2)
        site.faults(**faults)
        desired = many(60)
        for _ in range(4):
            try:
                site.apply(desired)
            except PlaneError:
                site.lane.rested()
        site.faults()
        again = site.apply(desired)
        ways = [mark for mark in site.marks(LISTS) if mark.startswith("lango way")]
        queues = [mark for mark in site.marks(QUEUES) if mark.startswith("lango session")]
        site.lane.close()

    assert again == Applied(0)
    assert (len(ways), len(set(ways)), len(queues)) == (60, 60, 60)


def test_small_parts_and_answers_out_of_order_are_understood() -> None:
    with Emulated(major=7, faults=Faults(small_parts=True, out_of_order=True)) as router:
        site = Site(router)
        first, second = site.apply(many(20)), site.apply(many(20))
        site.lane.close()

    assert (first.refused, second) == ((), Applied(0))


def test_rows_that_are_printed_broken_are_never_taken_for_strangers_access() -> None:
    with Emulated(major=7) as router:
        site = Site(router)
        site.apply(many())
        site.faults(broken_share=0.05, doubled_share=0.05)
        asyncio.run(site.plane.verify())
        for _ in range(2):
            with contextlib.suppress(PlaneError):
                site.apply(many())
        site.faults()
        asyncio.run(site.plane.verify())
        site.apply(many())
        ways = {row["address"] for row in router.rows(LISTS) if row["list"] == "lango-open"}
        site.lane.close()

    assert len(ways) == HUNDRED


async def test_a_router_that_hangs_is_waited_for_no_longer_than_patience() -> None:
    with Emulated(major=7) as router:
        site = Site(router, patience_s=PATIENCE_S, silence_s=5 * PATIENCE_S)
        await site.plane.apply(one())
        site.faults(hang_after=0, times=9)
        began = time.monotonic()
        with pytest.raises(PlaneError, match="takes longer"):
            await site.plane.counters()
        with pytest.raises(PlaneError, match="busy"):
            await site.plane.counters()
        took_s = time.monotonic() - began
        site.lane.close()

    assert took_s < 4 * PATIENCE_S


async def test_an_answer_that_comes_too_late_is_taken_for_no_other() -> None:
    with Emulated(major=7, faults=Faults(slow_s=0.4, slow_menu="/queue/simple")) as router:
        lane = router.a_lane(silence_s=0.1)
        with pytest.raises(PlaneError):
            await lane.run(lambda talk: talk.ask([("/queue/simple/print",)]))
        lane.rested()
        (answer,) = await lane.run(lambda talk: talk.ask([("/system/identity/print",)]))
        lane.close()

    assert [set(row) for row in answer.rows] == [{"name"}]


async def test_a_pinned_certificate_is_taken_and_another_is_not() -> None:
    with Emulated(major=7) as router:
        shown = sha256(PEM_cert_to_DER_cert(router.box.certificate_pem.decode())).hexdigest()
        right = router.a_lane(port=router.box.tls_port, fingerprint=shown)
        wrong = router.a_lane(port=router.box.tls_port, fingerprint="0" * 64)
        version = await right.run(lambda talk: talk.version)
        with pytest.raises(PlaneError, match=f"another certificate .*: sha256 {shown}"):
            await wrong.run(lambda talk: talk.version)
        right.close()
        wrong.close()

    assert version.startswith("7.")


async def test_a_wrong_password_is_told_without_it() -> None:
    with Emulated(major=7) as router:
        lane = router.a_lane(password="a secret")
        with pytest.raises(PlaneError, match="sign-in as agent refused") as refused:
            await lane.run(lambda talk: talk.version)
        lane.close()

    assert "a secret" not in f"{refused.value}{lane.router!r}"


async def test_a_router_that_is_not_there_is_given_a_rest() -> None:
    with Emulated(major=7) as router:
        where = router.a_router()
    lane = Lane(where)
    for _ in range(2):
        with pytest.raises(PlaneError, match="Connection refused"):
            await lane.run(lambda talk: talk.version)
    lane.close()


async def test_figures_and_foreign_letters_come_back_as_they_are() -> None:
    with Emulated(major=7) as router:
        lane = router.a_lane()
        words = ("/ip/firewall/address-list/add", "=list=x", "=address=10.0.0.1")
        for comment in ("00012", "12345", "yes", "Kisumu café"):
            address = f"=address=10.0.0.{len(comment)}{ord(comment[0]) % 10}"
            await lane.run(
                lambda talk, c=comment, a=address: talk.ask([(*words[:2], a, f"=comment={c}")])  # type: ignore[misc]
            )
        (answer,) = await lane.run(
            lambda talk: talk.ask([(f"{LISTS}/print", "=.proplist=comment", "?list=x")])
        )
        lane.close()

    assert [row["comment"] for row in answer.rows] == ["00012", "12345", "yes", "Kisumu café"]


def test_the_garden_of_a_paid_device_is_in_a_queue_of_its_own(site: Site) -> None:
    garden = frozenset({ip_network(f"{SERVER4}/32")})
    site.apply(replace(one(), garden=garden))
    site.passes(to=SERVER4)
    first = site.counters()[KEY].up_bytes_total
    site.passes()

    assert (first, site.counters()[KEY].up_bytes_total) == (0, 100)


def test_a_strangers_queue_that_was_there_first_keeps_no_bytes_from_being_counted(
    site: Site,
) -> None:
    site.router.do(lambda box: box.add(QUEUES, name="whole lan", target="bridge"))
    site.apply(Desired())
    site.apply(one())
    site.passes()
    first = site.counters()[KEY].up_bytes_total
    top = site.router.rows(QUEUES)[0][".id"]
    later = site.router.do(lambda box: box.add(QUEUES, name="all", target="", place_before=top))
    asyncio.run(site.plane.verify())
    site.apply(one())
    site.passes()

    assert (first, site.counters()[KEY].up_bytes_total) == (100, 200)
    assert later in {row[".id"] for row in site.router.rows(QUEUES)}


def test_pools_serve_those_in_them_and_nobody_else(site: Site) -> None:
    pools = {PoolKey("ap"): Pool(Rate(9_000_000, 9_000_000))}
    both = Desired({KEY: one(pool=PoolKey("ap")).access[KEY], **many(2).access}, pools=pools)
    site.apply(both)
    site.passes()
    rows = {row["name"]: row for row in site.router.rows(QUEUES)}

    assert rows["lango-p-ap"]["target"] == f"{v4_of(PHONE)}/32"
    assert rows[f"lango-s-{KEY}"]["parent"] == "lango-p-ap"
    assert rows["lango-p-ap"]["bytes"] == rows[f"lango-s-{KEY}"]["bytes"] == "100/0"


def arp(address: str, mac: str, **words: str) -> dict[str, str]:
    return {"address": address, "mac-address": mac, "complete": "true", **words}


def test_what_is_new_in_the_tables_is_told_once() -> None:
    tables = Tables()
    here, other = "02:00:00:00:00:0A", "02:00:00:00:00:0B"
    ports = [{"mac-address": here, "on-interface": "wlan1"}]
    looks = [
        [arp("10.0.0.7", here), arp("10.0.0.8", "", complete="false")],
        [arp("10.0.0.7", here)],
        [arp("10.0.0.7", other), arp("nonsense", other)],
        [],
    ]
    told = [[(n.sight, n.mac, n.port) for n in tables.take(look, ports)] for look in looks]
    moved = list(tables.take([], [{"mac-address": here, "on-interface": "wlan2"}]))

    assert told == [
        [(Sight.SEEN, here.lower(), "wlan1")],
        [],
        [(Sight.SEEN, other.lower(), "")],
        [(Sight.GONE, other.lower(), "")],
    ]
    assert [(one.sight, one.port) for one in moved] == [(Sight.MOVED, "wlan2")]


def lease(address: str, mac: str, last_seen: str = "3s") -> dict[str, str]:
    return {"active-address": address, "active-mac-address": mac, "last-seen": last_seen}


def test_who_was_given_an_address_is_told_before_anybody_spoke_with_them() -> None:
    tables = Tables()
    here, other = "02:00:00:00:00:0A", "02:00:00:00:00:0B"
    looks = [
        ([arp("10.0.0.7", "", complete="false")], [lease("10.0.0.7", here)]),
        ([arp("10.0.0.7", here, status="reachable")], [lease("10.0.0.7", here)]),
        ([arp("10.0.0.7", other)], [lease("10.0.0.7", here)]),
        ([], [lease("10.0.0.7", other, "5m"), lease("nonsense", here), {"last-seen": "never"}]),
    ]
    told = [[(n.sight, n.mac) for n in tables.take(a, [], leases)] for a, leases in looks]

    assert told == [
        [(Sight.SEEN, here.lower())],
        [(Sight.SEEN, here.lower())],
        [(Sight.SEEN, other.lower())],
        [(Sight.GONE, other.lower())],
    ]


@pytest.mark.parametrize("major", [6, 7])
async def test_a_device_is_known_by_its_lease_alone_and_no_lease_is_touched(major: int) -> None:
    with Emulated(major=major) as router:
        mac = "02:00:00:00:00:09"
        address = router.do(lambda box: box.join(mac, name="Galaxy-A14"))
        entry = next(row for row in router.rows("/ip/arp") if row["address"] == address)
        router.do(lambda box: box.remove("/ip/arp", entry[".id"]))
        words = {"name": "else", "interface": "ether1", "address_pool": "hs-pool"}
        router.do(lambda box: box.add("/ip/dhcp-server", **words))
        before = router.rows("/ip/dhcp-server/lease")
        lane = router.a_lane()
        seen: Neighbour = await anext(aiter(follow(lane, ["bridge"], wait=asyncio.sleep)))
        elsewhere = (await lane.run(lambda talk: looked(talk, ["ether1"])))[2]
        after = router.rows("/ip/dhcp-server/lease")
        lane.close()

    assert (seen.sight, seen.mac, str(seen.address)) == (Sight.SEEN, mac, address)
    assert seen.port == "ether2"
    assert (list(elsewhere), after) == ([], before)


def test_macs_without_end_are_not_all_remembered() -> None:
    """One device can show a bridge a new one with each packet; the bridge itself forgets them."""
    tables = Tables()
    for number in range(HUNDRED):
        port = {"mac-address": f"02:00:00:00:00:{number:02X}", "on-interface": "wlan1"}
        assert list(tables.take([], [port])) == []

    assert tables.ports_known == 1


async def test_who_is_on_the_lan_is_told_as_soon_as_somebody_asks() -> None:
    with Emulated(major=7) as router:
        lane = router.a_lane()
        asked: list[float] = []

        async def wait(seconds: float) -> None:
            asked.append(seconds)
            router.do(
                lambda box: box.add(
                    "/ip/arp",
                    address="10.5.50.9",
                    mac_address="02:00:00:00:00:09",
                    interface="bridge",
                )
            )

        seen: Neighbour = await anext(aiter(follow(lane, ["bridge"], wait=wait)))
        lane.close()

    assert (seen.mac, str(seen.address)) == ("02:00:00:00:00:09", "10.5.50.9")
    assert asked == [5.0]


@pytest.mark.parametrize(
    "words",
    [
        ["!re", "=name=somebody else's", ".tag=99"],
        ["!done"],
        ["!surprise", ".tag=1"],
        ["!fatal", "session terminated"],
        ["!fatal"],
    ],
    ids=lambda words: words[0],
)
def test_what_answers_no_order_ends_the_talk(words: list[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(encoded(words))
        talk = Talk(Wire(ours))
        with pytest.raises((ValueError, LibRouterosError)):
            talk.ask([("/ip/arp/print",)])
