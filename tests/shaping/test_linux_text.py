"""What is installed in the kernel, as text that people review, and as the bytes that are sent."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from shaping.diff import Observed, SetRate, collapsed, diff
from shaping.linux import tc, wire
from shaping.linux.netlink import NETLINK_NETFILTER, NetlinkSocket
from shaping.linux.nft import (
    CutCounter,
    LinuxConfig,
    PutCounter,
    install_text,
    op_text,
    ops,
)
from shaping.linux.tables import OvertakenError, Tables
from shaping.plane import Cap, CapKey, Desired, MonotonicMs, PlaneError, Rate, SessionKey
from tests.support.gateway import CONFIG, KEY, THIEF, an_access, mac_of
from tests.support.golden import golden
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from shaping.linux.nft import Op

NOW = MonotonicMs(1_000_000)
CAP = CapKey("grant-7")
SLOTS = {KEY: 0, SessionKey("0193-next"): 250}
GARDEN = frozenset(
    map(ip_network, ("198.51.100.9/32", "203.0.113.0/24", "255.255.255.0/24", "fd77:2::/64"))
)
DESIRED = Desired(
    {
        KEY: an_access(open_until=MonotonicMs(4_600_250), cap=CAP),
        SessionKey("0193-next"): replace(
            an_access(THIEF, rate=Rate(8_000_000, 2_000_000)), ipv6=frozenset()
        ),
    },
    {CAP: Cap(5_000_000_000, revision=2)},
    frozenset({mac_of(9)}),
    garden=GARDEN,
)
WIRED = {
    "rules-default.nft": LinuxConfig(lan="br-lan", wan="eth0"),
    "rules-routed.nft": LinuxConfig(lan="br-lan", wan="eth0", masquerade=False),
    "rules-open-gateway.nft": LinuxConfig(lan="br-lan", wan="eth0", close_gateway=False),
}


def the_ops(before: Desired, after: Desired) -> list[Op]:
    step = diff(Observed(), before, now=NOW, epoch="e1")
    sessions = {key: standing for key, standing in step.after.items() if standing is not None}
    caps = {key: cap.revision for key, cap in before.caps.items()}
    observed = Observed(sessions, caps, before.blocked, garden=collapsed(before.garden))
    changes = diff(observed, after, now=NOW, epoch="e1").changes
    return list(ops(changes, slot_of=SLOTS.__getitem__, now=NOW))


def in_text(some: list[Op]) -> str:
    return "".join(f"{op_text(op)}\n" for op in some)


@pytest.mark.parametrize("name", WIRED)
def test_the_rules_are_those_that_were_reviewed(name: str) -> None:
    text = install_text(WIRED[name])

    assert text == golden(f"linux/{name}", text)


def test_the_elements_of_a_desired_state_are_those_that_were_reviewed() -> None:
    text = in_text(the_ops(Desired(), DESIRED))

    assert text == golden("linux/elements-opened.nft", text)


def test_the_elements_that_go_are_those_that_were_reviewed() -> None:
    text = in_text(the_ops(DESIRED, Desired()))

    assert text == golden("linux/elements-closed.nft", text)


def test_the_shaper_classes_are_those_that_were_reviewed() -> None:
    changes = diff(Observed(), DESIRED, now=NOW, epoch="e1").changes
    rates = {change.session: change.rate for change in changes if isinstance(change, SetRate)}
    text = "".join(
        tc.class_text(interface, tc.Class(classid, tc.parent_of(classid), figures)) + "\n"
        for key, rate in rates.items()
        for classid in (tc.classid_of(SLOTS[key]),)
        for interface, figures in zip(("br-lan", "eth0"), tc.session_figures(rate), strict=True)
    )

    assert text == golden("linux/classes.tc", text)


def test_a_stranger_chain_whose_name_could_be_a_command_is_refused() -> None:
    with pytest.raises(PlaneError, match="no removable name"):
        install_text(CONFIG, ["x; flush ruleset"])


@pytest.mark.root
def test_the_bytes_that_are_sent_mean_what_the_reviewed_text_means() -> None:
    opened, closed = the_ops(Desired(), DESIRED), the_ops(DESIRED, Desired())
    listings = []
    with Namespace("text") as text, Namespace("bytes") as sent:
        for namespace in (text, sent):
            namespace.run("nft", "-f", "-", stdin=install_text(CONFIG))
        text.run("nft", "-f", "-", stdin=in_text(opened))
        sent.call(lambda: _send(opened))
        listings.append([_listing(namespace) for namespace in (text, sent)])
        text.run("nft", "-f", "-", stdin=in_text(closed))
        sent.call(lambda: _send(closed))
        listings.append([_listing(namespace) for namespace in (text, sent)])

    assert listings[0][0] == listings[0][1]
    assert listings[1][0] == listings[1][1]
    assert "0193-phone" in listings[0][1]
    assert "0193-phone" not in listings[1][1]


def _send(some: list[Op]) -> None:
    netlink = NetlinkSocket(NETLINK_NETFILTER)
    netlink.batch(wire.transaction(some, generation=None)[0])
    netlink.close()


def _listing(namespace: Namespace) -> str:
    """The table, sorted by line and without what time changes by itself."""
    told = namespace.run("nft", "list", "table", "inet", "lango")
    words = [word for word in told.split() if "ms" not in word]
    return " ".join(sorted(words))


@pytest.mark.root
def test_a_commit_is_refused_when_somebody_else_came_first() -> None:
    with Namespace("overtaken") as namespace:
        tables = namespace.call(lambda: Tables(CONFIG))
        tables.ensure_installed()
        generation = tables.generation()
        namespace.run("nft", "add", "table", "inet", "theirs")
        with pytest.raises(OvertakenError):
            tables.commit([PutCounter("d.late.e1")], generation=generation)
        left = tables.counted()
        tables.close()

    assert "d.late.e1" not in left


@pytest.mark.root
def test_a_transaction_that_fails_in_the_middle_does_nothing() -> None:
    with Namespace("half") as namespace:
        tables = namespace.call(lambda: Tables(CONFIG))
        tables.ensure_installed()
        with pytest.raises(OvertakenError):
            tables.commit([PutCounter("d.first.e1"), CutCounter("d.nobody.e1")])
        left = tables.counted()
        tables.commit([PutCounter("d.later.e1")])
        tables.close()

    assert "d.first.e1" not in left
