"""``routeros``: 2,000 subscribers on an emulated MikroTik router, from nothing and looked at again.

The router is emulated in this process, so its own work is in every figure. A round makes all rows,
looks whether they are still so, admits one more, and counts them all. The peer adds the same rows
one by one as librouteros' users do, and reads them back; the limit sends the same sentences in one
piece and waits for the last answer. The oracle is what the router shows in the end.

``secrets_*`` are the same for as many who dial in, each with a secret, a queue and a way; ``seen``
is a look at who is in and what passed, with all of them dialled in.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import threading
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from librouteros import connect
from librouteros.protocol import encode_sentence

from shaping.plane import Access, Burst, Desired, Line, MacAddress, MonotonicMs, Rate, SessionKey
from shaping.routeros.rows import LISTS, QUEUES
from tests.bench.row import Row
from tests.routeros.emulator import PASSWORD, USER
from tests.support.router import WIRING, Emulated

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shaping.routeros.session import Lane

SUBSCRIBERS = 2_000
ROUNDS = 3
SECRETS_TOLD = ("build", "recheck", "seen")
NETWORK = IPv4Network("10.64.0.0/20")
DAY_MS = 86_400_000
RATE = Rate(5_000_000, 2_000_000, Burst(8_000_000, 4_000_000, 2_000_000))
Rows = list[tuple[str, dict[str, str]]]


def run() -> list[Row]:
    """Measure, interleaved."""
    took: dict[str, list[float]] = {}
    sentences: dict[str, int] = {}
    correct = True
    for number in range(ROUNDS):
        rows, right = _ours(took, sentences)
        correct = correct and right
        correct = _secrets(took, sentences) and correct
        for name, work in (("peer", _one_by_one), ("limit", _in_one_piece)):
            with Emulated(major=7) as router:
                took.setdefault(name, []).append(work(router, rows))
                correct = correct and len(router.rows(QUEUES)) == SUBSCRIBERS
        print(f"  {number + 1}: {took['build'][-1]:.2f} s", file=sys.stderr)
    middle = {name: statistics.median(seconds) for name, seconds in took.items()}
    told = ("recheck", "one_more", "count", *(f"secrets_{name}" for name in SECRETS_TOLD))
    more = {f"{name}_s": round(middle[name], 4) for name in told}
    return [
        Row(
            name="routeros",
            unit=f"s for {SUBSCRIBERS:,} from nothing",
            ours=took["build"],
            peer=took["peer"],
            peer_is="librouteros, a row at a time",
            limit=took["limit"],
            limit_is="the same sentences in one piece",
            lower_is_better=True,
            correct=correct,
            more={**more, **{f"{name}_sentences": count for name, count in sentences.items()}},
        )
    ]


def _ours(took: dict[str, list[float]], sentences: dict[str, int]) -> tuple[Rows, bool]:
    """One round; the rows that were made for subscribers, and whether all was right."""
    with Emulated(major=7) as router:
        lane = router.a_lane(patience_s=120)
        plane = router.a_plane(lane)

        timed = _timer(lane, took, sentences)
        built = timed("build", lambda: plane.apply(_desired(router, SUBSCRIBERS)))
        rows = _made(router)
        asyncio.run(plane.verify())
        again = timed("recheck", lambda: plane.apply(_desired(router, SUBSCRIBERS)))
        timed("one_more", lambda: plane.apply(_desired(router, SUBSCRIBERS + 1)))
        counted = timed("count", plane.counters)
        lane.close()
    right = (
        not built.refused  # type: ignore[attr-defined]  # it is an Applied
        and again.changes == 0  # type: ignore[attr-defined]
        and len(counted) == SUBSCRIBERS + 1  # type: ignore[arg-type]
        and len(rows) == 2 * SUBSCRIBERS
    )
    return rows, right


def _secrets(took: dict[str, list[float]], sentences: dict[str, int]) -> bool:
    """One round of those who dial in; whether all was right."""
    with Emulated(major=7) as router:
        lane = router.a_lane(patience_s=120)
        plane = router.a_plane(lane, replace(WIRING, lines=NETWORK))
        timed = _timer(lane, took, sentences)
        until = MonotonicMs(router.now() + DAY_MS)
        names = [f"house-{number}" for number in range(SUBSCRIBERS)]
        desired = Desired(lines={name: Line(f"pw {name}", RATE, until) for name in names})
        built = timed("secrets_build", lambda: plane.apply(desired))
        asyncio.run(plane.verify())
        again = timed("secrets_recheck", lambda: plane.apply(desired))
        for name in names:
            router.do(lambda box, who=name: box.dial(who, f"pw {who}"))  # type: ignore[misc]
        seen = timed("secrets_seen", plane.lines)
        lane.close()
    return (
        not built.refused  # type: ignore[attr-defined]  # it is an Applied
        and again.changes == 0  # type: ignore[attr-defined]
        and sum(one.caller is not None for one in seen.values()) == SUBSCRIBERS  # type: ignore[attr-defined]
    )


def _timer(
    lane: Lane, took: dict[str, list[float]], sentences: dict[str, int]
) -> Callable[[str, Callable[[], Coroutine[object, object, object]]], object]:
    def timed(name: str, work: Callable[[], Coroutine[object, object, object]]) -> object:
        before, began = _total(lane), time.perf_counter()
        answer = asyncio.run(work())
        took.setdefault(name, []).append(time.perf_counter() - began)
        sentences[name] = _total(lane) - before
        return answer

    return timed


def _total(lane: Lane) -> int:
    return asyncio.run(lane.run(lambda talk: talk.sentences_total))


def _desired(router: Emulated, count: int) -> Desired:
    until = MonotonicMs(router.now() + DAY_MS)
    return Desired(
        {
            SessionKey(f"0193-{number:05}"): Access(
                MacAddress(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"),
                IPv4Address("10.77.0.0") + number,
                frozenset(),
                RATE,
                until,
            )
            for number in range(1, count + 1)
        }
    )


def _made(router: Emulated) -> Rows:
    """What subscribers have on the router, as words to make it anew."""
    kept = {
        QUEUES: ("name", "target", "max-limit", "burst-limit", "burst-threshold", "burst-time"),
        LISTS: ("list", "address", "timeout"),
    }
    return [
        (menu, {word: row[word] for word in (*words, "comment")})
        for menu, words in kept.items()
        for row in router.rows(menu)
        if row.get("comment", "").startswith(("lango session", "lango way"))
    ]


def _one_by_one(router: Emulated, rows: Rows) -> float:
    began = time.perf_counter()
    api = connect(router.box.host, USER, PASSWORD, port=router.box.port, encoding="utf-8")
    paths = {menu: api.path(*menu.strip("/").split("/")) for menu in (QUEUES, LISTS)}
    for menu, words in rows:
        paths[menu].add(**words)
    for path in paths.values():
        tuple(path)
    took_s = time.perf_counter() - began
    api.close()
    return took_s


def _in_one_piece(router: Emulated, rows: Rows) -> float:
    login = _encoded("/login", {"name": USER, "password": PASSWORD})
    octets = b"".join(_encoded(f"{menu}/add", words) for menu, words in rows)
    began = time.perf_counter()
    with socket.create_connection((router.box.host, router.box.port)) as end:
        end.sendall(login)
        _await_done(end, 1)
        sending = threading.Thread(target=end.sendall, args=(octets,))
        sending.start()
        _await_done(end, len(rows))
        sending.join()
    return time.perf_counter() - began


def _encoded(command: str, words: dict[str, str]) -> bytes:
    told = (f"={key}={value}" for key, value in words.items())
    return bytes(encode_sentence(command, *told, encoding="utf-8"))


def _await_done(end: socket.socket, count: int) -> None:
    done, tail = 0, b""
    while done < count:
        heard = tail + end.recv(1 << 16)
        assert heard != tail, "the router hung up"
        done, tail = done + heard.count(b"!done"), heard[-4:]
