"""Every fault does what it says, and the box is well again after it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import librouteros
import pytest

from tests.routeros.emulator import Box, Faults, routeros
from tests.routeros.witness import Witness, attributes, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ADD = ("/queue/simple/add", "=name=a", "=target=10.0.0.1")
SILENCE_S = 0.1


def silent(witness: Witness) -> None:
    """Nothing more comes, and the connection stays."""
    witness.line.settimeout(SILENCE_S)
    with pytest.raises(TimeoutError):
        witness.hear()


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with routeros() as one:
        yield one


async def struck(box: Box, faults: Faults, visit: Callable[[Witness], None]) -> None:
    """Let a witness sign in, put the faults in, and let him see what happens."""

    def meet() -> None:
        with signed_in(box.host, box.port) as witness:
            box.faults = faults
            visit(witness)

    await asyncio.to_thread(meet)


async def test_it_hangs_after_so_many_sentences_and_takes_the_next_connection(box: Box) -> None:
    def visit(witness: Witness) -> None:
        witness.say("/queue/type/print")
        assert [witness.hear()[0] for _ in range(3)] == ["!re"] * 3
        silent(witness)

    def visit_again() -> int:
        with signed_in(box.host, box.port) as witness:
            return len(witness.rows("/queue/type/print"))

    await struck(box, Faults(hang_after=3), visit)

    assert await asyncio.to_thread(visit_again) == 8


async def test_it_falls_silent_in_the_middle_of_a_word(box: Box) -> None:
    def visit(witness: Witness) -> None:
        witness.say("/queue/type/print")
        witness.hear()
        silent(witness)
        assert witness.unread, "a part of it came"

    await struck(box, Faults(cut_after=1), visit)


async def test_a_reset_leaves_open_whether_it_was_done_and_it_was(box: Box) -> None:
    def visit(witness: Witness) -> None:
        witness.say(*ADD)
        with pytest.raises((ConnectionResetError, EOFError)):
            witness.hear()

    await struck(box, Faults(reset_after=0), visit)

    assert [r["name"] for r in box.rows("/queue/simple")] == ["a"]


async def test_it_ends_fatally_in_the_middle_of_a_list(box: Box) -> None:
    def visit(witness: Witness) -> None:
        heard = witness.ask("/queue/type/print")
        assert [s[0] for s in heard] == ["!re", "!re", "!fatal"]
        with pytest.raises(EOFError):
            witness.hear()

    await struck(box, Faults(fatal_after=2), visit)


async def test_it_reboots_in_the_middle_of_a_batch(box: Box) -> None:
    def visit(witness: Witness) -> None:
        add = "/queue/simple/add"
        witness.say_at_once(*((add, f"=name={n}", "=target=10.0.0.1") for n in range(5)))
        assert [witness.hear() for _ in range(2)] == [["!done", f"=ret=*{n}"] for n in (1, 2)]
        with pytest.raises((ConnectionResetError, EOFError)):
            witness.hear()

    await struck(box, Faults(reboot_after=3), visit)

    assert [r["name"] for r in box.rows("/queue/simple")] == ["0", "1", "2"]
    assert box.boots == 1


async def test_it_refuses_twice_over_and_does_nothing(box: Box) -> None:
    def visit(witness: Witness) -> None:
        assert [s[0] for s in witness.ask(*ADD)] == ["!trap", "!trap", "!done"]
        assert [s[0] for s in witness.ask(*ADD)] == ["!done"]

    await struck(box, Faults(trap_after=0), visit)


async def test_one_slow_menu_does_not_keep_another_waiting(box: Box) -> None:
    def visit(witness: Witness) -> None:
        began = time.monotonic()
        witness.say_at_once(
            ("/queue/type/print", "=count-only=", ".tag=slow"),
            ("/system/identity/print", ".tag=quick"),
        )
        heard = [witness.hear() for _ in range(3)]
        assert heard[-1][1] == ".tag=slow"
        assert time.monotonic() - began >= 0.05

    await struck(box, Faults(slow_s=0.05, slow_menu="/queue/type"), visit)


async def test_answers_to_tags_overtake_each_other_and_each_is_whole(box: Box) -> None:
    def visit(witness: Witness) -> None:
        for tag in range(50):
            witness.say("/queue/type/print", f".tag={tag}")
        heard = [witness.hear() for _ in range(50 * 9)]
        ends = [s[1] for s in heard if s[0] == "!done"]
        assert sorted(ends) == sorted(f".tag={tag}" for tag in range(50))
        assert ends != [f".tag={tag}" for tag in range(50)]

    await struck(box, Faults(out_of_order=True), visit)


async def test_small_parts_make_whole_sentences(box: Box) -> None:
    def visit(witness: Witness) -> None:
        assert len(witness.rows("/queue/type/print")) == 8

    await struck(box, Faults(small_parts=True), visit)


async def test_a_share_of_rows_is_broken_and_always_the_same_ones() -> None:
    async with routeros(faults=Faults(broken_share=0.05, doubled_share=0.01, seed=3)) as box:
        for number in range(400):
            box.add("/queue/simple", name=f"u{number}", target="10.0.0.1", comment="lc:1")

        def visit() -> list[list[dict[str, str]]]:
            with signed_in(box.host, box.port) as w:
                told = ("/queue/simple/print", "=.proplist=.id,name,target,comment,bytes")
                return [w.rows(*told), w.rows(*told)]

        once, again = await asyncio.to_thread(visit)

    whole = {".id", "name", "target", "comment", "bytes"}
    broken = [
        r for r in once if r.keys() != whole or not r["bytes"] or "\\x" in "".join(r.values())
    ]
    assert 5 < len(broken) < 40
    assert len(once) > 400
    assert once == again


async def test_bytes_that_are_no_text_reach_librouteros(box: Box) -> None:
    made = box.add("/queue/simple", name="a", target="10.0.0.1")
    box.plant("/queue/simple", made, comment="caf\udce9", target=None)

    def visit() -> list[dict[str, object]]:
        api = librouteros.connect(box.host, "agent", "s3cret", port=box.port, encoding="latin-1")
        rows = [dict(row) for row in api.path("queue", "simple")]
        api.close()
        return rows

    (row,) = await asyncio.to_thread(visit)
    assert row["comment"] == "café"
    assert "target" not in row


@pytest.mark.parametrize("major", [6, 7])
async def test_the_twenty_first_connection_is_closed(major: int) -> None:
    async with routeros(major=major) as box:

        def visit() -> None:
            held = [signed_in(box.host, box.port) for _ in range(20)]
            with (
                Witness.meets(box.host, box.port) as late,
                pytest.raises((EOFError, ConnectionError)),
            ):
                late.sign_in("agent", "s3cret")
            held.pop().line.close()
            held[0].ask("/system/identity/print")
            for witness in held:
                witness.line.close()

        await asyncio.to_thread(visit)


async def test_two_thousand_queues_are_written_and_read_quickly(box: Box) -> None:
    def visit() -> list[dict[str, str]]:
        with signed_in(box.host, box.port) as w:
            for n in range(2_000):
                address = f"=target=10.6.{n // 250}.{n % 250}"
                w.say("/queue/simple/add", f"=name=u{n}", address, "=max-limit=2M/5M", f".tag={n}")
            for _ in range(2_000):
                w.hear()
            return w.rows("/queue/simple/print", "=.proplist=name,target,max-limit")

    before = box.sentences
    rows = await asyncio.to_thread(visit)

    assert len(rows) == 2_000
    assert box.sentences - before == 2 + 2 * 2_000 + 1 + 2_000 + 1


async def test_the_box_reboots_when_told_and_answers_first(box: Box) -> None:
    def visit() -> list[list[str]]:
        with signed_in(box.host, box.port) as w:
            return w.ask("/system/reboot")

    assert attributes((await asyncio.to_thread(visit))[-1]) == {}
    assert box.boots == 1
