"""Bytes that anybody can send: none of them raises, and none that is not signed means anything."""

from __future__ import annotations

import sys
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyrad.packet import AccessRequest, AccountingRequest, AcctPacket, AuthPacket

from agent.model import Account, AccountStatus
from agent.radius import mschap, packets, rates, words
from agent.radius.packets import Access, Doubt, Told
from agent.radius.settings import Kind, Nas
from shaping.plane import Burst, Rate
from tests.support.radius import HERE, NAS_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

NAS = Nas(
    name="tower-1",
    address=ip_address(HERE),
    secret_file=Path("/nowhere"),
    secret=NAS_SECRET.encode(),
)
WEAK = Nas(**{**{name: getattr(NAS, name) for name in NAS.__slots__}, "weak": True})
HEADERS = st.builds(
    lambda code, size, rest: bytes((code, 7)) + size.to_bytes(2) + rest,
    st.sampled_from((AccessRequest, AccountingRequest, 12, 40, 0)),
    st.integers(0, 4_200),
    st.binary(max_size=300),
)
SPOKEN = (1, 8, 25, 31, 40, 42, 43, 44, 46, 49, 52, 53, 55, 80)
ACCOUNTS = st.lists(st.tuples(st.sampled_from(SPOKEN), st.binary(max_size=6)), max_size=12)
ATTRIBUTES = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=60)), max_size=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HEADERS)
@example(b"")
@example(bytes((1, 1, 0, 20)) + bytes(16))
def test_no_bytes_raise(raw: bytes) -> None:
    for nas in (NAS, WEAK):
        assert not isinstance(packets.asked(raw, NAS), Access) or nas.weak
        packets.asked(raw, nas)
        assert not isinstance(packets.told(raw, nas), Told)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ATTRIBUTES)
def test_whatever_a_nas_signs_is_read_or_doubted(pairs: list[tuple[int, bytes]]) -> None:
    question = AuthPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    account = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    for packet in (question, account):
        for kind, value in pairs:
            if kind not in {26, 80}:
                packet.setdefault(kind, []).append(value)
    question.authenticator = bytes(16)
    question.add_message_authenticator()

    assert isinstance(packets.asked(question.RequestPacket(), NAS), Access | Doubt)
    assert isinstance(packets.told(account.RequestPacket(), NAS), Told | Doubt)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 8), ACCOUNTS)
def test_whatever_a_nas_tells_of_a_session_is_read_or_doubted(
    status: int, pairs: list[tuple[int, bytes]]
) -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    for kind, value in ((40, status.to_bytes(4)), (44, b"\xff"), *pairs):
        if kind != 80:
            packet.setdefault(kind, []).append(value)

    assert isinstance(packets.told(packet.RequestPacket(), NAS), Told | Doubt)


def test_a_restart_says_how_late_it_is() -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    for name, value in (("Acct-Status-Type", 7), ("Acct-Delay-Time", 30)):
        packet.AddAttribute(name, value)
    told = packets.told(packet.RequestPacket(), NAS)

    assert isinstance(told, Told)
    assert told.account is not None
    assert told.account.late_s == 30


def test_a_count_that_cannot_be_is_none() -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    given = {"Acct-Status-Type": 3, "Acct-Session-Id": "81", "Acct-Output-Octets": 1}
    for name, value in (given | {"Acct-Output-Gigawords": 2**18}).items():
        packet.AddAttribute(name, value)

    assert packets.told(packet.RequestPacket(), NAS) is Doubt.MALFORMED


@settings(max_examples=100, deadline=None)
@given(st.integers(4, 200), st.integers(0, 7))
def test_a_bit_that_changed_on_the_way_is_seen(place: int, bit: int) -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    for name, value in (("Acct-Status-Type", 1), ("Acct-Session-Id", "1"), ("User-Name", "a")):
        packet.AddAttribute(name, value)
    raw = bytearray(packet.RequestPacket())
    raw[place % len(raw)] ^= 1 << bit

    assert isinstance(packets.told(bytes(raw), NAS), Doubt)


def test_an_attribute_that_runs_past_the_end_is_no_packet() -> None:
    raw = bytes((1, 1, 0, 23)) + bytes(16) + bytes((1, 9, 65))

    assert packets.attributes(raw) is None
    assert packets.asked(raw, WEAK) is Doubt.MALFORMED


@pytest.mark.parametrize("nas", [NAS, WEAK])
def test_what_is_forged_is_not_read(nas: Nas) -> None:
    """Anybody on the LAN can send from a NAS's address, and reading 4 KB takes milliseconds."""
    for look, head in (
        (packets.told, bytes((4, 7))),
        (packets.asked, bytes((1, 7))),
    ):
        proof = bytes((80, 18)) + bytes(16)
        works = []
        for rest in (b"", bytes((33, 2)) * 150):
            size = 20 + len(proof + rest)
            raw = head + size.to_bytes(2) + bytes(16) + proof + rest
            assert look(raw, nas) is Doubt.FORGED
            works.append(_calls(partial(look, raw, nas)))

        assert works[1] <= works[0] + 1


def _calls(work: Callable[[], object]) -> int:
    """How many functions of Python are called in doing this."""
    seen = []
    sys.setprofile(lambda _frame, event, _: seen.append(event) if event == "call" else None)
    try:
        work()
    finally:
        sys.setprofile(None)
    return len(seen)


def test_more_attributes_than_any_nas_sends_are_no_packet() -> None:
    most = bytes((4, 7)) + (20 + 2 * packets.ATTRIBUTES_MAX).to_bytes(2) + bytes(16)
    most += bytes((33, 2)) * packets.ATTRIBUTES_MAX
    more = most[:2] + (len(most) + 2).to_bytes(2) + most[4:] + bytes((33, 2))

    assert packets.attributes(most) is not None
    assert packets.attributes(more) is None


@pytest.mark.parametrize("padding", [b"", b"behind the end"])
def test_an_account_may_prove_itself_twice(padding: bytes) -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    for name, value in (("Acct-Status-Type", 1), ("Acct-Session-Id", "1"), ("User-Name", "a")):
        packet.AddAttribute(name, value)
    packet.add_message_authenticator()
    raw = packet.RequestPacket()
    other = packet.secret
    packet.secret = b"the secret of another"
    forged = packet.RequestPacket()
    packet.secret = other

    assert isinstance(packets.told(raw + padding, NAS), Told)
    assert packets.told(forged, NAS) is Doubt.FORGED


def test_two_proofs_are_none() -> None:
    packet = AuthPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    packet.AddAttribute("User-Name", "a")
    packet.authenticator = bytes(16)
    packet.add_message_authenticator()
    raw = packet.RequestPacket()
    doubled = raw[:2] + (len(raw) + 18).to_bytes(2) + raw[4:] + bytes((80, 18)) + bytes(16)

    assert isinstance(packets.asked(raw, NAS), Access)
    assert packets.asked(doubled, NAS) is Doubt.FORGED


def test_an_account_says_what_it_means() -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    given = {
        "User-Name": "a",
        "Acct-Session-Id": "81000001",
        "Acct-Status-Type": 3,
        "Acct-Input-Octets": 5,
        "Acct-Input-Gigawords": 2,
        "Acct-Output-Octets": 6,
        "Acct-Session-Time": 60,
        "Class": b"lango:g1/0a1b2c3d",
        "Calling-Station-Id": "02-00-00-00-00-0A",
        "Framed-IP-Address": "10.9.0.5",
    }
    for name, value in given.items():
        packet.AddAttribute(name, value)

    told = packets.told(packet.RequestPacket(), NAS)

    assert isinstance(told, Told)
    assert isinstance(told.account, Account)
    assert told.account.status is AccountStatus.INTERIM
    assert (told.account.up_bytes, told.account.down_bytes) == (2 * 2**32 + 5, 6)
    assert (told.account.grant_id, told.account.rate) == ("g1", "0a1b2c3d")
    assert told.account.mac == "02:00:00:00:00:0a"
    assert told.account.address == "10.9.0.5"


@pytest.mark.parametrize(("told", "known"), [(86_460, 0), (1_790_000_000, 1_790_000_000)])
def test_a_nas_that_begins_in_1970_has_no_clock(told: int, known: int) -> None:
    packet = AcctPacket(secret=NAS.secret, dict=words.dictionary(), id=7)
    given = {"Acct-Session-Id": "81", "Acct-Status-Type": 1, "Event-Timestamp": told}
    for name, value in given.items():
        packet.AddAttribute(name, value)

    account = packets.told(packet.RequestPacket(), NAS)

    assert isinstance(account, Told)
    assert account.account is not None
    assert account.account.stamp == known


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_is_that_of_rfc_1320(message: bytes, digest: str) -> None:
    assert mschap.md4(message).hex() == digest


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (Rate(4_000_000, 2_000_000), "2000000/4000000"),
        (
            Rate(4_000_000, 2_000_000, Burst(8_000_000, 1_000_000, 1_000_000)),
            "2000000/4000000 2000000/8000000 2000000/4000000 4/2",
        ),
    ],
)
def test_a_speed_in_routeros_words(rate: Rate, said: str) -> None:
    assert rates.rate_limit(rate) == said


def test_a_volume_of_more_than_four_gigabytes_is_told_in_two_words() -> None:
    words_of: Callable[[int], object] = lambda n: dict(rates.volume(Kind.MIKROTIK, n))  # noqa: E731

    assert words_of(2**32) == {"Mikrotik-Total-Limit": 0, "Mikrotik-Total-Limit-Gigawords": 1}
    assert rates.volume(Kind.WISPR, 2**32) == ()
