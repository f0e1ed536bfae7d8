"""What a probe saw is bounded, and can be read by a tired person."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

from agent.probes.told import RESULT_BYTES_MAX, bounded, failed, lines
from agent.probes.truth import Said, odd

FAR, LIE = IPv4Address("203.0.113.10"), IPv4Address("198.51.100.66")


def test_a_small_result_is_whole() -> None:
    result = {"kind": "arp", "outcome": "seen", "odd": [], "devices": ["10.0.0.2 02:0"]}

    assert json.loads(bounded(result)) == result


def test_a_large_result_says_how_much_it_leaves_out() -> None:
    devices = [f"10.77.{n // 256}.{n % 256} 02:00:00:00:00:01" for n in range(1_022)]
    text = bounded({"kind": "arp", "odd": ["look"], "devices": devices})
    kept = json.loads(text)

    assert len(text.encode()) <= RESULT_BYTES_MAX
    assert len(kept["devices"]) + kept["left_out"] == 1_022
    assert len(kept["devices"]) > 400
    assert kept["odd"] == ["look"]


def test_even_nothing_but_oddities_is_bounded() -> None:
    text = bounded({"odd": ["x" * 100] * 5_000, "devices": ["y" * 100] * 5_000})

    assert len(text.encode()) <= RESULT_BYTES_MAX


def test_an_error_steers_no_terminal() -> None:
    said = failed("dns", "", "bad \x1b[2J\n" + "x" * 1_000)

    assert said["error"].isprintable()
    assert lines(said)[0].startswith("dns: failed: bad ")


def test_what_is_odd_comes_first() -> None:
    result = {
        "kind": "mtu",
        "outcome": "seen",
        "odd": ["smaller"],
        "address": "9.9.9.9",
        "mtu": 1_400,
        "told_by": "",
        "packets": 9,
        "took_ms": 800,
    }

    assert lines(result) == [
        "!! smaller",
        "packets of up to 1400 bytes reach 9.9.9.9 whole",
        "9 packets, 800 ms",
    ]


def test_resolvers_that_say_the_same_are_not_odd() -> None:
    same = [Said("a", "no address", (FAR,)), Said("b", "no address", (FAR,))]

    assert odd("shop.example", same, private=()) == []


def test_two_that_disagree_are_named_together() -> None:
    two = [Said("a", "no address", (FAR,)), Said("b", "no address", (LIE,))]

    assert odd("shop.example", two, private=()) == ["the resolvers disagree about shop.example"]


def test_the_one_that_most_contradict_is_named() -> None:
    three = [Said("a", "", (FAR,)), Said("b", "", (FAR,)), Said("c", "", (LIE,))]

    assert odd("x.example", three, private=()) == [
        "c says of x.example what no other resolver says"
    ]


def test_a_private_address_is_odd_unless_the_name_is_the_offices() -> None:
    inside = [Said("a", "", (IPv4Address("192.168.7.7"),))]

    assert "private address" in odd("x.office.example", inside, private=())[0]
    assert odd("x.office.example", inside, private=("office.example",)) == []


def test_a_second_answer_to_one_question_is_forged() -> None:
    (said,) = odd("x.example", [Said("a", "", (FAR, LIE), twice=True)], private=())

    assert said == "a gave two answers to one question: one of them is forged"
