"""PPPoE secrets on a MikroTik router: what is a stranger's, what is mended, what is not taken."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from shaping.diff import Observed, diff
from shaping.lines import addresses, with_lines
from shaping.plane import Desired, Line, MonotonicMs, PlaneError, Rate
from shaping.routeros.ops import PROPERTIES, Seen, Sentence, steps
from shaping.routeros.plane import RouterPlane
from shaping.routeros.ppp import ACTIVE, PROFILE, PROFILES, SECRETS, line_rows
from shaping.routeros.rows import FILTER, QUEUES, Row, Wanted, rows
from shaping.routeros.session import Answer, Lane
from shaping.routeros.texts import span
from tests.routeros.emulator import Faults
from tests.support.golden import golden
from tests.support.router import WIRING, Emulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shaping.plane import Applied
    from shaping.routeros.session import Router, Talk, Words

R = TypeVar("R")
SECRET = "kiboko-7-simba"
RATE = Rate(down_bps=4_000_000, up_bps=2_000_000)
NETWORK = IPv4Network("10.64.0.0/24")
WIRED = replace(WIRING, lines=NETWORK)
MAC, OTHER = "48:A9:8A:AA:BB:01", "48:A9:8A:AA:BB:02"


class Site:
    """A router and its plane. ``rights`` are those of a user of ours; "": it may do anything."""

    def __init__(self, router: Emulated, rights: str = "") -> None:
        self.router = router
        who: dict[str, Any] = {}
        if rights:
            who = {"user": "lango", "password": "a-password"}
            router.do(lambda box: box.add("/user/group", name="few", policy=rights))
            router.do(
                lambda box: box.add("/user", group="few", name="lango", password="a-password")
            )
        self.lane: Lane = router.a_lane(**who)
        self.plane: RouterPlane = router.a_plane(self.lane, WIRED)

    def told(self, *names: str, **changes: Any) -> Applied:
        """Tell the router these lines, having it looked at anew."""
        line = Line(**{"secret": SECRET, "rate": RATE, **changes})
        asyncio.run(self.plane.verify())
        return asyncio.run(self.plane.apply(Desired(lines=dict.fromkeys(names, line))))

    def ours(self, menu: str) -> list[dict[str, str]]:
        """Our rows of a menu."""
        rows = self.router.rows(menu)
        return [row for row in rows if row.get("comment", "").startswith("lango ")]

    def edit(self, menu: str, **words: str) -> None:
        """Change our one row of a menu by hand."""
        (row,) = self.ours(menu)
        self.router.do(lambda box: box.edit(menu, row[".id"], **words))

    def remove(self, menu: str) -> None:
        """Remove our one row of a menu by hand."""
        (row,) = self.ours(menu)
        self.router.do(lambda box: box.remove(menu, row[".id"]))

    def dial(self, name: str = "jane", password: str = SECRET) -> str:
        """Somebody dials in."""
        return self.router.do(lambda box: box.dial(name, password, MAC))

    def passes(self, address: str, **far: str) -> bool:
        """Whether a byte of theirs passes each way."""
        return self.router.do(lambda box: box.pass_bytes(address, up=1, down=1, **far)) == (1, 1)

    def online(self) -> list[str]:
        """Who is in."""
        return [row["name"] for row in self.router.rows(ACTIVE)]


@pytest.fixture(params=[6, 7])
def router(request: pytest.FixtureRequest) -> Iterator[Emulated]:
    with Emulated(major=request.param) as made:
        yield made


@pytest.fixture
def site(router: Emulated) -> Iterator[Site]:
    one = Site(router)
    yield one
    one.lane.close()


def test_secrets_name_our_profile_and_none_of_it_has_speed_or_time(site: Site) -> None:
    site.told("jane")
    (profile,), (secret,) = site.ours(PROFILES), site.ours(SECRETS)
    address = site.dial()

    assert (secret["profile"], secret["service"], secret["remote-address"]) == (
        PROFILE,
        "pppoe",
        "10.64.0.2",
    )
    assert (profile["local-address"], profile["only-one"]) == ("10.64.0.1", "yes")
    assert profile.get("use-ipv6", "no") == "no"
    assert address == "10.64.0.2"
    assert [row for row in site.router.rows(QUEUES) if row["dynamic"] == "true"] == []


def test_strangers_secrets_profiles_and_dials_are_as_they_were(site: Site) -> None:
    box = site.router
    profile = box.do(lambda b: b.add(PROFILES, name="10M", rate_limit="3M/10M"))
    box.do(lambda b: b.add(SECRETS, name="old", password="pw", profile="10M", comment="house 3"))
    box.do(lambda b: b.add(SECRETS, name="off", password="pw", disabled="yes"))
    before = [row for row in box.rows(SECRETS) if "lango" not in row.get("comment", "")]
    address = site.dial("old", "pw")
    site.told("jane")
    site.told("jane", rate=None)
    passed = site.passes(address)
    site.told()
    asyncio.run(site.plane.clear())

    assert box.rows(SECRETS) == before
    assert profile in {row[".id"] for row in box.rows(PROFILES)}
    assert (site.online(), passed) == (["old"], True)


def test_a_name_that_a_stranger_has_is_told_and_all_others_are_done(site: Site) -> None:
    site.router.do(lambda box: box.add(SECRETS, name="jane", password="pw", service="pppoe"))
    address = site.dial("jane", "pw")
    applied = site.told("jane", "joe")
    again = site.told("jane", "joe", rate=None)

    assert [text for text in applied.refused if "the secret of jane" in text]
    assert not [text for text in applied.refused if "joe" in text]
    assert not [text for text in applied.refused if SECRET in text]
    assert [text for text in again.refused if "the secret of jane" in text]
    assert (site.online(), address.startswith("10.20.")) == (["jane"], True)
    assert list(asyncio.run(site.plane.lines())) == ["joe"]


def test_a_name_that_a_stranger_has_for_any_service_is_theirs(site: Site) -> None:
    site.router.do(lambda box: box.add(SECRETS, name="jane", password="pw"))
    site.dial("jane", "pw")
    applied = site.told("jane", "joe")
    seen = asyncio.run(site.plane.lines())

    (theirs,) = (row for row in site.router.rows(SECRETS) if "comment" not in row)
    online = site.online()
    site.router.do(lambda box: box.remove(SECRETS, theirs[".id"]))
    after = site.told("jane", "joe")

    assert applied.refused == ("the secret of jane was not taken: somebody else's has the name",)
    assert (online, list(seen)) == (["jane"], ["joe"])
    assert (after.refused, site.online(), site.dial()) == ((), [], "10.64.0.3")


def test_a_stranger_who_takes_a_name_of_ours_later_keeps_their_dials(site: Site) -> None:
    site.told("jane")
    site.router.do(lambda box: box.add(SECRETS, name="jane", password="pw", service="any"))
    ours = site.ours(SECRETS)
    site.router.do(lambda box: box.edit(SECRETS, ours[0][".id"], disabled="yes"))
    site.dial("jane", "pw")
    applied = site.told("jane")
    seen = asyncio.run(site.plane.lines())["jane"]

    assert applied.drift == ("the secret of jane was changed",)
    assert (site.ours(SECRETS), site.online(), seen.caller) == (ours, ["jane"], None)


@pytest.mark.parametrize(
    ("words", "drift"),
    [
        ({"password": "guessed"}, "the secret of jane was changed"),
        ({"profile": "default"}, "the secret of jane was changed"),
        ({"remote_address": "10.64.0.77"}, "the secret of jane was changed"),
        ({"disabled": "yes"}, "the secret of jane was changed"),
        ({"name": "mary"}, "the secret of jane was changed"),
    ],
)
def test_a_secret_that_was_changed_by_hand_is_mended(
    site: Site, words: dict[str, str], drift: str
) -> None:
    site.told("jane")
    before = site.ours(SECRETS)
    site.edit(SECRETS, **words)
    applied = site.told("jane")

    assert site.ours(SECRETS) == before
    assert drift in applied.drift
    assert not [text for text in (*applied.drift, *applied.refused) if "guessed" in text]


@pytest.mark.parametrize("menu", [SECRETS, PROFILES])
def test_what_was_removed_by_hand_is_there_again(site: Site, menu: str) -> None:
    site.told("jane")
    site.remove(menu)
    applied = site.told("jane")
    address = site.dial()

    assert applied.drift
    assert (address, site.passes(address)) == ("10.64.0.2", True)
    assert site.ours(SECRETS)[0]["profile"] == PROFILE


def test_a_speed_that_was_put_into_the_profile_by_hand_goes(site: Site) -> None:
    site.told("jane")
    site.edit(PROFILES, rate_limit="64k/64k")
    site.told("jane")

    assert site.ours(PROFILES)[0]["rate-limit"] == ""


def test_who_dialled_in_while_the_address_was_another_is_put_out(site: Site) -> None:
    site.told("jane")
    site.edit(SECRETS, remote_address="10.64.0.77")
    wrong = site.dial()
    shut = site.passes(wrong)
    site.told("jane")
    right = site.dial()

    assert (wrong, shut) == ("10.64.0.77", False)
    assert (right, site.passes(right)) == ("10.64.0.2", True)


def test_whoever_is_in_where_nobody_may_be_is_put_out_by_a_look(site: Site) -> None:
    site.told("jane", "joe")
    (secret,) = (row for row in site.ours(SECRETS) if row["name"] == "jane")
    site.router.do(lambda box: box.edit(SECRETS, secret[".id"], remote_address="10.99.0.9"))
    joe, jane = site.dial("joe"), site.router.do(lambda box: box.dial("jane", SECRET, OTHER))
    before = site.passes(joe), site.passes(jane)
    asyncio.run(site.plane.lines())

    assert (before, site.online()) == ((True, True), ["joe"])


def test_who_dialled_in_just_before_the_line_was_shut_is_put_out_by_a_look(site: Site) -> None:
    site.told("jane", rate=None)
    site.edit(SECRETS, disabled="no")
    site.dial()
    site.edit(SECRETS, disabled="yes")
    seen = asyncio.run(site.plane.lines())["jane"]

    assert (site.online(), seen.caller is not None) == ([], True)
    assert asyncio.run(site.plane.lines())["jane"].caller is None


def test_a_user_that_may_not_see_secrets_writes_them_once(router: Emulated) -> None:
    site = Site(router, "read,write,api")
    first = site.told("jane")
    again = site.told("jane")
    changed = site.told("jane", secret="a-new-one")
    address = site.dial("jane", "a-new-one")
    site.lane.close()

    assert (first.refused, again.changes, again.drift) == ((), 0, ())
    assert (changed.changes, changed.refused, address) == (1, (), "10.64.0.2")


def test_what_a_user_wrote_who_may_not_see_secrets_is_no_more_believed_after_a_boot(
    router: Emulated,
) -> None:
    site = Site(router, "read,write,api")
    site.told("jane")
    # An older copy of the configuration is put back: the router boots.
    site.edit(SECRETS, password="an-older-one")
    router.do(lambda box: box.power_cut())
    with contextlib.suppress(PlaneError):
        site.told("jane")
    site.told("jane")
    (secret,) = site.ours(SECRETS)
    site.lane.close()

    assert secret["password"] == SECRET


def test_a_user_with_the_right_to_see_secrets_needs_no_more(router: Emulated) -> None:
    site = Site(router, "read,write,api,sensitive")
    site.told("jane")
    site.edit(SECRETS, password="guessed")
    applied = site.told("jane")
    site.dial()
    site.told("jane", rate=None)
    site.lane.close()

    assert applied.drift == ("the secret of jane was changed",)
    assert site.online() == []


def test_rows_that_the_router_does_not_take_are_told_one_by_one(site: Site) -> None:
    names = [f"house-{number}" for number in range(200)]
    for name in names[::20]:
        site.router.do(lambda box, n=name: box.add(SECRETS, name=n, service="pppoe"))  # type: ignore[misc]
    applied = site.told(*names)

    assert [text.partition(" was not taken: ")[0] for text in applied.refused] == [
        f"the secret of {name}" for name in names[::20]
    ]
    assert len(site.ours(SECRETS)) == 190


def test_rows_that_are_printed_broken_let_nobody_in_and_are_right_again(site: Site) -> None:
    names = [f"house-{number}" for number in range(100)]
    site.told(*names, rate=None)
    site.router.do(lambda box: setattr(box, "faults", Faults(broken_share=0.05)))
    for _ in range(2):
        with contextlib.suppress(PlaneError):
            site.told(*names, rate=None)
    site.router.do(lambda box: setattr(box, "faults", Faults()))
    asleep = {row["disabled"] for row in site.ours(SECRETS)}
    applied = site.told(*names, rate=None)

    assert asleep == {"true"}
    assert applied.refused == ()
    assert len({row["remote-address"] for row in site.ours(SECRETS)}) == 100


def test_a_router_without_ppp_says_so_and_does_all_else(site: Site) -> None:
    for menu in (SECRETS, PROFILES, ACTIVE):
        site.router.do(lambda box, gone=menu: box.tables.pop(gone))  # type: ignore[misc]
    applied = site.told("jane")

    assert applied.refused == ("nobody can dial in: the router has no PPP",)
    assert site.ours(FILTER)


def test_more_lines_than_addresses_are_told(router: Emulated) -> None:
    lane = router.a_lane()
    plane = router.a_plane(lane, replace(WIRED, lines=IPv4Network("10.64.0.0/29")))
    lines = {f"house-{number}": Line(SECRET, RATE) for number in range(7)}
    applied = asyncio.run(plane.apply(Desired(lines=lines)))
    lane.close()

    assert applied.refused == (
        "the line of house-5 has no address: 10.64.0.0/29 is full",
        "the line of house-6 has no address: 10.64.0.0/29 is full",
    )


def test_a_site_that_takes_to_radius_leaves_no_secret_behind(site: Site) -> None:
    site.told("jane")
    site.dial()
    plane = site.router.a_plane(site.lane, WIRING)
    asyncio.run(plane.apply(Desired()))

    assert (site.ours(SECRETS), site.ours(PROFILES), site.online()) == ([], [], [])
    assert [row for row in site.ours(FILTER) if "lines" in row["comment"]] == []


def test_who_is_in_and_has_no_time_left_passes_nothing_with_the_agent_dead(site: Site) -> None:
    site.told("jane", open_until=site.router.now() + 60_000)
    address = site.dial()
    before = site.passes(address)
    site.router.do(lambda box: box.pass_time(61))
    after = site.passes(address), site.passes(address, to="10.5.50.20")
    site.router.do(lambda box: box.hang_up("jane"))

    assert (before, after) == (True, (False, False))
    assert site.passes(site.dial()) is False


def test_the_walled_garden_costs_a_line_nothing(site: Site) -> None:
    line = Line(secret=SECRET, rate=RATE)
    garden = frozenset({IPv4Network("198.51.100.0/24")})
    asyncio.run(site.plane.apply(Desired(lines={"jane": line}, garden=garden)))
    address = site.dial()
    free, paid = site.passes(address, to="198.51.100.3"), site.passes(address)
    counter = asyncio.run(site.plane.lines())["jane"].counter

    assert (free, paid) == (True, True)
    assert (counter.up_bytes_total, counter.down_bytes_total) == (1, 1)


def test_an_address_that_a_strangers_secret_has_is_given_to_nobody(site: Site) -> None:
    words = {"name": "old", "password": "pw", "service": "any", "remote_address": "10.64.0.2"}
    site.router.do(lambda box: box.add(SECRETS, **words))
    address = site.dial("old", "pw")
    site.told("jane")

    assert (site.dial(), site.passes(address)) == ("10.64.0.3", False)


def test_a_line_whose_mark_somebody_took_away_does_not_get_what_another_pays(
    router: Emulated,
) -> None:
    site = Site(router)
    site.told("jane")
    address = site.dial()
    (row,) = site.ours(SECRETS)
    router.do(lambda box: box.edit(SECRETS, row[".id"], comment=None))
    site.lane.close()
    site = Site(router)
    site.told("jane", "joe")
    joe, passed = site.dial("joe"), site.passes(address)
    site.lane.close()

    assert (joe, passed) == ("10.64.0.3", False)


def test_who_is_in_by_nobodys_secret_keeps_the_address_from_all_others(site: Site) -> None:
    site.told("jane")
    address = site.dial()
    site.remove(SECRETS)
    site.told("joe")

    assert (site.dial("joe"), site.passes(address)) == ("10.64.0.3", False)


def test_an_address_is_kept_by_who_has_it_and_the_lowest_free_one_given() -> None:
    held = {"b": "10.64.0.2", "c": "10.64.0.2", "d": "10.21.0.9", "e": "10.64.0.1"}
    given = addresses("abcde", held, NETWORK)

    assert {name: str(one) for name, one in given.items()} == {
        "b": "10.64.0.2",
        "a": "10.64.0.3",
        "c": "10.64.0.4",
        "d": "10.64.0.5",
        "e": "10.64.0.6",
    }


class Overheard(Lane):
    """A lane that keeps what the router shows as passwords, or has it refuse to show any."""

    def __init__(self, router: Router) -> None:
        super().__init__(router, patience_s=30.0)
        self.passwords: set[str] = set()
        self.refused = False

    async def run(self, work: Callable[[Talk], R]) -> R:
        """As a lane does."""
        return await super().run(lambda talk: work(cast("Talk", _Heard(talk, self))))


class _Heard:
    def __init__(self, talk: Talk, lane: Overheard) -> None:
        self._talk, self._lane = talk, lane
        self.major = talk.major

    def ask(self, sentences: Sequence[Words]) -> list[Answer]:
        answers = self._talk.ask(sentences)
        rows = (row for answer in answers for row in answer.rows)
        shown = {row["password"] for row in rows if "password" in row}
        self._lane.passwords |= shown
        return [Answer(trap="refused")] if shown and self._lane.refused else answers


def test_passwords_that_are_not_shown_just_now_are_not_written_anew(site: Site) -> None:
    lane = Overheard(site.router.a_router())
    site.plane = site.router.a_plane(lane, WIRED)
    site.told("jane")
    lane.refused = True
    applied = site.told("jane")
    lane.close()

    assert (applied.changes, applied.drift) == (0, ())


def test_what_an_earlier_dial_let_pass_is_in_the_count_however_dear_counting_is(
    router: Emulated,
) -> None:
    lane = router.a_lane()
    plane = RouterPlane(lane, WIRED, now=router.now, count_share=1_000_000)
    asyncio.run(plane.apply(Desired(lines={"jane": Line(secret=SECRET, rate=RATE)})))
    address = router.do(lambda box: box.dial("jane", SECRET, MAC))
    router.do(lambda box: setattr(box, "faults", Faults(slow_s=0.06)))
    before = asyncio.run(plane.lines())["jane"]
    router.do(lambda box: box.pass_bytes(address, up=1, down=1))
    router.do(lambda box: box.dial("jane", SECRET, MAC))
    after = asyncio.run(plane.lines())["jane"]
    lane.close()

    assert before.caller != after.caller
    assert after.counter.up_bytes_total == 1


def test_no_strangers_password_is_asked_for(site: Site) -> None:
    site.router.do(lambda box: box.add(SECRETS, name="old", password="an old one"))
    lane = Overheard(site.router.a_router())
    plane = site.router.a_plane(lane, WIRED)
    for _ in range(2):
        asyncio.run(plane.apply(Desired(lines={"jane": Line(SECRET, RATE)})))
        asyncio.run(plane.verify())
    lane.close()

    assert lane.passwords == {SECRET}


NOW = MonotonicMs(1_000_000)
HOUR = MonotonicMs(4_600_000)
TWO = {
    "jane": Line(SECRET, RATE, HOUR),
    "joe": Line("another-secret", Rate(8_000_000, 8_000_000), lease_ms=600_000),
}


def the_rows(told: dict[str, Line]) -> tuple[Row, ...]:
    given = addresses(told, {}, NETWORK)
    step = diff(Observed(), with_lines(Desired(lines=told), given), now=NOW, epoch="")
    standings = {key: one for key, one in step.after.items() if one is not None}
    epochs = {key: f"b00t-{number}" for number, key in enumerate(sorted(standings))}
    both = {name: (line, given[name]) for name, line in told.items()}
    wanted = Wanted(standings, {}, frozenset(), frozenset(), {}, epochs, both)
    whole = rows(wanted, WIRED, now=NOW, boot="b00t", major=7)
    return (*whole, *line_rows(both, NETWORK, ipv6=True))


def held(some: tuple[Row, ...], *online: str) -> dict[str, list[Seen]]:
    """The rows as a router prints them, and who is dialled in."""
    seen: dict[str, list[Seen]] = {menu: [] for menu in PROPERTIES}
    for row in some:
        words = {"comment": row.mark, "disabled": "false", **row.words}
        if row.until is not None:
            words["timeout"] = span((row.until - NOW) // 1000)
        seen[row.menu].append(Seen(f"*{len(seen[row.menu]) + 1:X}", words, NOW))
    given = addresses(TWO, {}, NETWORK)
    seen[ACTIVE] = [
        Seen(f"*8000000{n}", {"name": name, "service": "pppoe", "address": str(given[name])}, NOW)
        for n, name in enumerate(online)
    ]
    return seen


def in_text(rounds: tuple[tuple[Sentence, ...], ...]) -> str:
    return "\n".join("".join(f"{one.text()}\n" for one in some) for some in rounds)


def test_what_a_router_is_told_of_lines_is_what_was_reviewed() -> None:
    plain = rows(Wanted({}, {}, frozenset(), frozenset()), WIRED, now=NOW, boot="b00t", major=7)
    text = in_text(steps(held(plain), the_rows(TWO), now=NOW))

    assert golden("routeros/lines-begin.txt", text) == text


def test_what_a_router_is_told_of_lines_that_end_is_what_was_reviewed() -> None:
    seen = held(the_rows(TWO), "jane", "joe")
    text = in_text(steps(seen, the_rows({"jane": replace(TWO["jane"], rate=None)}), now=NOW))

    assert golden("routeros/lines-end.txt", text) == text


def test_a_router_that_holds_its_lines_is_told_nothing() -> None:
    wanted = the_rows(TWO)

    assert steps(held(wanted, "jane"), wanted, now=NOW) == ()
