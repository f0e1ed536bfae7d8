"""Codes that the site takes on its own word: seconds | what happens | what follows."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from agent import prepaid
from agent.decide import decide
from agent.model import Accepted, Chunk, CodeUsed, Prepaid, Redeemed, TokenMark, VoucherMark
from agent.prepaid import HASH_BYTES, Code, found, holds, proven, voucher_hash
from agent.uplink.memory import chunk_item
from billing import token
from billing.ids import GrantId, PlanId, RedemptionId, grant_of
from billing.proof import ProofKind, proof
from billing.token import Token, TokenCode
from billing.voucher import VoucherCode
from tests.support.site import Story, a_mac, some_limits

STORIES = {
    "a voucher opens the gate, and the record goes before the session": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x,y validity=60       |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        5    | show a                               | open 10.0.0.5 until 65
        65   | tick                                 |
        65   | count a 9/9                          | read a 9/9 v60 u60; close a time
    """,
    "paid time starts when access is given": """
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1
        500  | seen a 10.0.0.5                      | open a of-r1 10.0.0.5
        500  | show a                               | open 10.0.0.5 until 560
    """,
    "a voucher is good once, for whoever brings it": """
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1
        6    | take r2 b x                          |
        7    | take r1 a x                          |
    """,
    "a used voucher stays used when its chunk comes back, also with another salt": """
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1
        6    | forget vouchers/batch/c1             |
        7    | chunk c1 codes=x validity=60         |
        8    | take r2 b x                          |
        9    | chunk c2 codes=x validity=60         |
        9    | take r3 b x                          |
    """,
    "a code that is in no chunk is good for nothing": """
        0    | chunk c1 codes=x                     |
        5    | take r1 a z                          |
        6    | forget vouchers/batch/c1             |
        7    | take r2 a x                          |
    """,
    "what was used is not lost when the controller speaks": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x quota=1000000       |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | count a 700000/0                     |
        9    | grant of-r1 for=a quota=1000000      |
        9    | left of-r1                           | 300000
        10   | count a 1000000/0                    |
        10   | count a 1000000/0                    | read a 1000000/0 v5 u5; close a data
    """,
    "the controller's word may also come first": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x quota=1000000       |
        4    | grant of-r1 for=a quota=1000000 spent_b=400000 | open a of-r1 10.0.0.5
        5    | take r1 a x                          |
        5    | left of-r1                           | 600000
        6    | take r2 b x                          |
    """,
    "a snapshot that knows nothing of the grant does not end it": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | snapshot                             |
        6    | show a                               | open 10.0.0.5 until 65
        6    | forget vouchers/batch/c1             |
        7    | show a                               | open 10.0.0.5 until 65
    """,
    "nor does one while the session is over and the grant is not": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=6000       |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        605  | tick                                 |
        606  | count a 0/0                          | close a idle
        607  | snapshot                             |
        700  | seen a 10.0.0.5                      | open a of-r1 10.0.0.5
        700  | show a                               | open 10.0.0.5 until 6005
    """,
    "a removal ends it: the controller knows it, and does not want it": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | drop of-r1                           |
        7    | count a 9/9                          | read a 9/9 v2 u1; close a revoked
        8    | ask a 10.0.0.5                       |
    """,
    "once the controller has spoken of it, it is a grant like any other": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | grant of-r1 for=a validity=60        |
        7    | drop of-r1                           |
        8    | count a 9/9                          | read a 9/9 v3 u2; close a revoked
    """,
    "the device keeps its place until the controller's word has it": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | grant of-r1 for= validity=60         |
        6    | show a                               | open 10.0.0.5 until 65
        7    | grant of-r1 for=a validity=60        |
        8    | grant of-r1 for=b validity=60        |
        8    | show a                               | closed 10.0.0.5 until 65
    """,
    "one that is over is forgotten once the controller has long had all there is to tell": """
        0    | seen a 10.0.0.5                      |
        0    | chunk c1 codes=x validity=60         |
        5    | take r1 a x                          | redeemed a r1; open a of-r1 10.0.0.5
        6    | delivered                            |
        7    | delivered                            |
        7    | show a                               | open 10.0.0.5 until 65
        65   | tick                                 |
        66   | delivered                            |
        67   | delivered                            |
        67   | count a 9/9                          | read a 9/9 v62 u60; close a time
        68   | delivered                            |
        68   | here of-r1                           | yes
        69   | delivered                            |
        69   | here of-r1                           | no
        70   | take r2 b x                          |
    """,
    "a voucher that has lapsed is good for nothing": """
        0    | chunk c1 codes=x,y until=100         |
        99   | take r1 a x                          | redeemed a r1
        100  | take r2 b y                          |
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_vouchers(story: str) -> None:
    Story().tell(STORIES[story])


def a_chunk(*codes: str, salt: bytes = b"s" * 16) -> Chunk:
    return Chunk(
        batch="batch",
        prepaid=Prepaid(PlanId("hour"), "1 hour", some_limits()),
        salt=salt,
        rounds=2,
        hashes=b"".join(voucher_hash(code, salt, 2) for code in codes),
        expires_at=None,
    )


def test_what_was_proved_here_stays_proof_whatever_the_controller_says() -> None:
    story = Story()
    story.tell("0 | chunk c1 codes=x |\n1 | take r1 a x | redeemed a r1")
    voucher = Code(ProofKind.VOUCHER, VoucherCode("x"))
    story.tell("2 | grant of-r1 for=a |")
    first = next(iter(story.state.grants.values()))
    story.tell("3 | grant of-r1 for=a validity=60 |")
    second = next(iter(story.state.grants.values()))

    assert (first.made_here, second.made_here) == (False, False)
    assert proven([first], voucher) == first.grant.id
    assert proven([second], voucher) == second.grant.id


def test_a_hash_that_lies_across_two_others_is_none() -> None:
    hashes = bytes(range(2 * HASH_BYTES))
    chunk = replace(a_chunk(), hashes=hashes)

    assert [holds(chunk, hashes[at : at + HASH_BYTES]) for at in (0, 1, 15, 16)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_whole_hash_is_found_behind_one_that_lies_across() -> None:
    twice = bytes(HASH_BYTES)
    chunk = replace(a_chunk(), hashes=b"\1" + bytes(HASH_BYTES + 15) + twice)

    assert holds(chunk, twice)


def test_a_voucher_is_found_in_whichever_chunk_it_is() -> None:
    chunks = {"c1": a_chunk("X"), "c2": a_chunk("Y", salt=b"t" * 16)}
    mark = found(Code(ProofKind.VOUCHER, VoucherCode("Y")), chunks, {})

    assert mark == VoucherMark("batch", voucher_hash("Y", b"t" * 16, 2))
    assert found(Code(ProofKind.VOUCHER, VoucherCode("Z")), chunks, {}) is None


def test_a_token_is_known_by_the_sites_own_keys() -> None:
    secret = b"k" * 32
    code = Code(ProofKind.TOKEN, token.encode(Token(1, 7, 42), secret))

    assert found(code, {}, {1: secret}) == TokenMark(version=1, slot=7, serial=42)
    assert found(code, {}, {1: b"o" * 32}) is None


def test_a_code_is_proof_of_the_grant_that_it_bought() -> None:
    story = Story()
    story.tell("0 | chunk c1 codes=x |\n1 | take r1 a x | redeemed a r1")
    uses = tuple(story.state.grants.values())

    assert proven(uses, Code(ProofKind.VOUCHER, VoucherCode("x"))) == uses[0].grant.id
    assert proven(uses, Code(ProofKind.VOUCHER, VoucherCode("y"))) is None
    assert proven(uses, Code(ProofKind.TOKEN, TokenCode("x"))) is None


@pytest.mark.parametrize(
    ("typed", "kind", "normal"),
    [
        ("0123-4567-8901-2345-6789", ProofKind.TOKEN, "01234567890123456789"),
        ("7kqm 2xwd 9ftr", ProofKind.VOUCHER, "7KQM2XWD9FTR"),
        ("SGH7K2Q0XD Confirmed. Ksh20.00 sent", ProofKind.RECEIPT, "SGH7K2Q0XD"),
    ],
)
def test_what_was_typed_is_read(typed: str, kind: ProofKind, normal: str) -> None:
    read = prepaid.read(typed)

    assert read is not None
    assert (read.kind, read.text) in {(kind, normal), (ProofKind.VOUCHER, read.text)}


def test_what_is_no_code_is_not_read() -> None:
    assert prepaid.read("please let me in") is None


def test_a_code_is_taken_only_as_long_as_there_is_room_to_remember_it() -> None:
    story = Story()
    story.tell("0 | chunk c1 codes=x |")
    many = {str(n): GrantId(str(n)) for n in range(prepaid.USED_KEPT_MAX)}
    story.state = replace(story.state, used=many)
    story.tell("1 | take r1 a x |")

    assert story.state.grants == {}


def test_of_codes_that_the_controller_took_the_oldest_is_forgotten_when_there_is_no_room() -> None:
    story = Story()
    story.tell("0 | chunk c1 codes=x |\n1 | take r1 a x | redeemed a r1")
    mine = next(iter(story.state.used.items()))
    many = {str(n): GrantId(str(n)) for n in range(prepaid.USED_KEPT_MAX - 1)}
    story.state = replace(story.state, used=dict([mine]) | many)
    after, _ = decide(story.state, CodeUsed("fresh", GrantId("g")), story.now())

    assert mine[0] in after.used
    assert "fresh" in after.used
    assert "0" not in after.used
    assert len(after.used) == prepaid.USED_KEPT_MAX


def test_a_token_gives_what_its_slot_is_good_for() -> None:
    story = Story()
    slot = Prepaid(PlanId("week"), "1 week", some_limits(validity=604_800))
    story.state = replace(story.state, token_keys={1: b"k" * 32}, slots={7: slot})
    redemption_id = RedemptionId("r1")
    event = Accepted(
        redemption_id=redemption_id,
        mac=a_mac("a"),
        mark=TokenMark(version=1, slot=7, serial=42),
        key="key",
        proof=proof(grant_of(redemption_id), ProofKind.TOKEN, "1" * 20),
    )
    after, effects = decide(story.state, event, story.now())
    use = after.grants[grant_of(redemption_id)]

    assert (use.grant.plan_id, use.grant.limits) == ("week", slot.limits)
    assert effects == (
        Redeemed(redemption_id, use.grant.id, PlanId("week"), a_mac("a"), event.mark),
    )


@pytest.mark.parametrize("missing", ["key", "slot"])
def test_a_token_of_a_key_or_slot_that_is_gone_gives_nothing(missing: str) -> None:
    story = Story()
    slot = Prepaid(PlanId("week"), "1 week", some_limits())
    story.state = replace(
        story.state,
        token_keys={} if missing == "key" else {1: b"k" * 32},
        slots={} if missing == "slot" else {7: slot},
    )
    event = Accepted(RedemptionId("r1"), a_mac("a"), TokenMark(1, 7, 42), "key", b"")
    after, effects = decide(story.state, event, story.now())

    assert (after.grants, after.used, effects) == ({}, {}, ())


def test_ten_thousand_vouchers_cost_little_more_than_their_hashes() -> None:
    hashes = b"".join(n.to_bytes(HASH_BYTES) for n in range(10_000))
    item = chunk_item("vouchers/batch/1", replace(a_chunk(), hashes=hashes))
    story = Story()
    change = story._step((item,), ())  # noqa: SLF001 - the story's own grammar
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    state, _ = decide(story.state, change, story.now())
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert list(state.chunks) == ["vouchers/batch/1"]
    assert after - before < 2 * len(hashes)
