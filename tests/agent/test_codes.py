"""Codes at the portal of a whole agent, with the link up, down, and somewhere in between."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from agent import tries
from agent.codes import PATIENCE_MS
from agent.gate import SiteGate
from agent.lan import LoopbackLan
from agent.model import (
    Chunk,
    DeviceJoined,
    Prepaid,
    Reading,
    Redeemed,
    SessionClosed,
    SessionOpened,
    TokenMark,
    VoucherMark,
)
from agent.prepaid import voucher_hash
from agent.running import settle as settle_grants
from agent.uplink.memory import MemoryUplink, chunk_item, grant_item, slot_item, token_keys_item
from billing import token
from billing.ids import GrantId, PlanId
from billing.proof import ProofKind, proof
from billing.quota import Allowance
from billing.token import Token
from billing.voucher import VoucherCode, check_character, parse_code
from portal.captive.gate import Refusal
from tests.agent.test_loop import Site
from tests.support.site import some_limits
from tests.support.steered import AtOnce, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from agent.uplink.seam import Full
    from billing.ids import RedemptionId
    from billing.msisdn import PhoneCode
    from billing.receipt import Receipt
    from billing.token import TokenCode
    from shaping.plane import MacAddress

A, B, C = "127.0.0.5", "127.0.0.6", "127.0.0.7"
MAC_A = "02:00:7f:00:00:05"
SALT = b"salt of a batch."
SECRET = b"k" * 32
RECEIPT = "SGH7K2Q0XD"


def a_code(body: str) -> VoucherCode:
    return parse_code(body + check_character(body))


GOOD, OTHER, WRONG = a_code("7KQM2XWD9FT"), a_code("22222222222"), a_code("33333333333")


class SlowUplink(MemoryUplink):
    """A road on which redemptions may get stuck, and are counted."""

    stuck = False
    stormed = False
    asked = 0

    async def redeem(
        self,
        redemption_id: RedemptionId,
        code: VoucherCode | TokenCode | Receipt | PhoneCode,
        device: MacAddress,
        msisdn: str = "",
    ) -> Refusal | Full | None:
        self.asked += 1
        if self.stuck:
            await asyncio.Event().wait()
        if self.stormed:
            return Refusal.TOO_MANY_TRIES
        return await super().redeem(redemption_id, code, device, msisdn)


@dataclass
class PrepaidSite(Site):
    """A site with vouchers and token keys. What the gate believes of the link is a test's word."""

    link: list[bool] = field(default_factory=lambda: [True])

    def __post_init__(self) -> None:
        super().__post_init__()
        self.slow = SlowUplink(self.controller)
        self.uplink = self.slow

    async def start(self) -> None:
        await super().start()
        self.gate = SiteGate(
            loop=self.loop,
            uplink=self.uplink,
            resolve=LoopbackLan().resolve,
            secret="s3cret",
            link_up=lambda: self.link[0],
            slow=AtOnce(),
        )

    def cut(self) -> None:
        self.uplink.cut()
        self.link[0] = False

    async def redeem(self, address: str, code: str) -> Refusal | None:
        answer = await self.gate.redeem(address, code=code)
        await settle()
        return answer


def a_chunk(*codes: str, devices: int = 2) -> tuple[str, bytes]:
    chunk = Chunk(
        batch="batch",
        prepaid=Prepaid(PlanId("hour"), "1 hour", some_limits(devices=devices)),
        salt=SALT,
        rounds=2,
        hashes=b"".join(voucher_hash(code, SALT, 2) for code in codes),
        expires_at=None,
    )
    return chunk_item("vouchers/batch/1", chunk)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[PrepaidSite]:
    made = PrepaidSite(tmp_path)
    made.controller.put_item(*a_chunk(GOOD, OTHER))
    made.controller.put_item(*token_keys_item({1: SECRET}))
    made.controller.put_item(
        *slot_item(7, Prepaid(PlanId("week"), "1 week", some_limits(devices=2)))
    )
    await made.start()
    yield made
    await made.stop()


async def test_a_voucher_opens_the_gate_with_the_link_down(site: PrepaidSite) -> None:
    site.cut()
    answer = await site.redeem(A, GOOD.lower())

    assert (answer, site.passes(A), site.passes(B)) == (None, True, False)


async def test_the_controller_hears_of_it_when_the_link_is_back(site: PrepaidSite) -> None:
    site.cut()
    await site.redeem(A, GOOD)
    site.uplink.mend()
    await site.clock.advance(31)
    facts = [f for f in site.facts() if isinstance(f, Redeemed | SessionOpened)]
    redeemed, opened = facts

    assert isinstance(redeemed, Redeemed)
    assert isinstance(opened, SessionOpened)
    assert redeemed.grant_id == opened.grant_id


async def test_a_token_opens_the_gate_with_the_link_down(site: PrepaidSite) -> None:
    site.cut()
    code = token.encode(Token(1, 7, 42), SECRET)
    answer = await site.redeem(A, token.shown(code))
    again = await site.redeem(A, code)
    site.uplink.mend()
    await site.clock.advance(31)
    marks = [f.mark for f in site.facts() if isinstance(f, Redeemed)]

    assert (answer, again, site.passes(A)) == (None, None, True)
    assert marks == [TokenMark(version=1, slot=7, serial=42)]


async def test_a_token_that_is_used_up_is_called_a_token(site: PrepaidSite) -> None:
    site.cut()
    code = token.encode(Token(1, 7, 42), SECRET)
    first = await site.redeem(A, code)
    await site.clock.advance(3_600)

    assert (first, await site.redeem(A, code)) == (None, Refusal.TOKEN_USED)
    assert await site.redeem(B, code) is Refusal.TOKEN_USED


async def test_the_code_of_a_suspended_package_says_so_with_the_link_down(
    site: PrepaidSite,
) -> None:
    site.cut()
    await site.redeem(A, GOOD)
    (use,) = site.loop.state.grants.values()
    item = grant_item(use.grant.id, limits=use.grant.limits, devices=[MAC_A], suspended=True)
    site.controller.put_item(*item)
    site.uplink.mend()
    await site.clock.advance(31)
    site.uplink.cut()
    answers = [await site.redeem(address, GOOD) for address in (A, B)]

    assert answers == [Refusal.SUSPENDED, Refusal.SUSPENDED]


async def test_a_code_redeemed_here_lets_others_in_whatever_the_controller_says_of_its_grant(
    site: PrepaidSite,
) -> None:
    """The controller was told a hash, never the digits: only the site can know them again."""
    site.cut()
    await site.redeem(A, GOOD)
    (use,) = site.loop.state.grants.values()
    site.uplink.mend()
    for seconds in (60, 120):
        limits = some_limits(devices=2, validity=3_600 + seconds)
        site.controller.put_item(*grant_item(use.grant.id, limits=limits, devices=[MAC_A]))
        await site.clock.advance(31)
    site.uplink.cut()
    answer = await site.redeem(B, GOOD)

    assert (answer, site.passes(B)) == (None, True)
    assert len(site.loop.state.grants) == 1


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        (WRONG, Refusal.VOUCHER_INVALID),
        ("0000-0000-0000-0000-0000", Refusal.TOKEN_INVALID),
        (token.encode(Token(1, 8, 42), SECRET), Refusal.OFFLINE),
        (RECEIPT, Refusal.OFFLINE),
        ("what?", Refusal.VOUCHER_INVALID),
    ],
    ids=["a voucher", "a token", "a token of a slot unknown here", "a receipt", "no code"],
)
async def test_with_the_link_down_the_site_says_what_it_knows_and_no_more(
    site: PrepaidSite, typed: str, refusal: Refusal
) -> None:
    site.cut()

    assert await site.redeem(A, typed) is refusal


async def test_without_vouchers_here_nobody_knows_with_the_link_down(site: PrepaidSite) -> None:
    site.controller.drop_item("vouchers/batch/1")
    await settle()
    site.cut()

    assert await site.redeem(A, GOOD) is Refusal.OFFLINE


async def test_a_voucher_is_taken_once_and_lets_in_as_many_devices_as_it_pays_for(
    site: PrepaidSite,
) -> None:
    site.cut()
    answers = [await site.redeem(address, GOOD) for address in (A, B, C, A)]
    joins = [f for f in site.facts() if isinstance(f, DeviceJoined)]
    site.uplink.mend()
    await site.clock.advance(31)
    kinds = [type(f) for f in site.facts()]

    assert answers == [None, None, Refusal.DEVICES_FULL, None]
    assert joins == []
    assert kinds.count(Redeemed) == 1
    assert kinds.count(DeviceJoined) == 1
    assert (site.passes(A), site.passes(B), site.passes(C)) == (True, True, False)


async def test_two_devices_at_once_make_one_grant_of_a_voucher(site: PrepaidSite) -> None:
    site.cut()
    answers = await asyncio.gather(site.redeem(A, GOOD), site.redeem(B, GOOD))

    assert len(site.loop.state.grants) == 1
    assert sorted(answers, key=str) == [None, Refusal.VOUCHER_USED]


async def test_a_used_voucher_is_refused_once_what_it_bought_is_over(site: PrepaidSite) -> None:
    site.cut()
    await site.redeem(A, GOOD)
    await site.clock.advance(3_700, step_ms=100_000)

    assert await site.redeem(A, GOOD) is Refusal.VOUCHER_USED
    assert await site.redeem(B, GOOD) is Refusal.VOUCHER_USED


async def test_a_used_voucher_is_called_used_also_when_it_has_left_its_chunk(
    site: PrepaidSite,
) -> None:
    site.controller.vouchers[GOOD] = None
    await site.redeem(A, GOOD)
    site.controller.put_item(*a_chunk(OTHER))
    await settle()
    site.cut()

    assert await site.redeem(B, GOOD) is Refusal.VOUCHER_USED


async def test_what_was_redeemed_offline_survives_a_crash_and_a_snapshot(
    site: PrepaidSite,
) -> None:
    site.cut()
    await site.redeem(A, GOOD)
    await site.kill()
    await site.start()
    site.controller.steps.clear()
    site.controller.put_item(*a_chunk(GOOD, OTHER))
    site.uplink.mend()
    await site.clock.advance(31)
    site.cut()
    through = site.passes(A)
    again = await site.redeem(C, GOOD)

    assert through
    assert again is None  # it joins what it bought; nothing new is made
    assert len(site.loop.state.grants) == 1


async def test_an_answer_that_was_lost_and_the_sites_own_word_are_one_grant(
    site: PrepaidSite,
) -> None:
    site.controller.vouchers[GOOD] = None
    site.uplink.lose_answers = True
    lost = await site.redeem(A, GOOD)
    asked = site.controller.vouchers[GOOD]
    grant_id = next(iter(site.loop.state.grants))
    key, body = grant_item(
        grant_id, limits=some_limits(devices=2), devices=[MAC_A], cause_id=asked or ""
    )
    site.controller.put_item(key, body)
    await settle()

    assert lost is None
    assert list(site.loop.state.grants) == [grant_id]
    assert site.passes(A)


async def test_a_controller_that_says_nothing_is_not_waited_for(site: PrepaidSite) -> None:
    site.slow.stuck = True
    answer = asyncio.ensure_future(site.gate.redeem(A, code=GOOD))
    await settle()
    site.clock.move(PATIENCE_MS - 1)
    await settle()
    patient = answer.done()
    site.clock.move(1)
    await settle()

    assert not patient
    assert await answer is None
    assert site.passes(A)


async def test_with_the_link_up_the_controller_decides(site: PrepaidSite) -> None:
    answer = await site.redeem(A, GOOD)

    assert (answer, site.slow.asked) == (Refusal.VOUCHER_INVALID, 1)
    assert site.loop.state.grants == {}


async def test_a_voucher_that_the_controller_took_is_not_taken_again_offline(
    site: PrepaidSite,
) -> None:
    site.controller.vouchers[GOOD] = None
    first = await site.redeem(A, GOOD)
    site.cut()

    assert (first, await site.redeem(B, GOOD)) == (None, Refusal.VOUCHER_USED)


async def test_a_link_that_is_better_than_it_looked_is_asked_what_the_site_cannot_know(
    site: PrepaidSite,
) -> None:
    site.link[0] = False
    answer = await site.redeem(A, RECEIPT)

    assert (answer, site.slow.asked) == (Refusal.VOUCHER_INVALID, 1)


async def test_a_pasted_message_lets_another_device_in_with_the_link_down(
    site: PrepaidSite,
) -> None:
    grant_id = GrantId("f" * 32)
    proofs = [proof(grant_id, ProofKind.RECEIPT, RECEIPT)]
    item = grant_item(grant_id, limits=some_limits(devices=2), devices=[MAC_A], proofs=proofs)
    site.controller.put_item(*item)
    await settle()
    site.cut()
    stranger = await site.redeem(B, "TTT7K2Q0XD Confirmed.")
    friend = await site.redeem(B, f"{RECEIPT} Confirmed. Ksh20.00 sent to SIMBA NET")
    through = site.passes(B)
    site.controller.put_item(*item)  # an item from before the controller heard of it
    site.uplink.mend()
    await site.clock.advance(31)
    joins = [(f.grant_id, f.proof) for f in site.facts() if isinstance(f, DeviceJoined)]

    assert (stranger, friend, through, site.passes(B)) == (Refusal.OFFLINE, None, True, True)
    assert joins == [(grant_id, "receipt")]


async def test_guessing_ends_after_five_tries_and_a_power_cut_gives_no_new_ones(
    site: PrepaidSite,
) -> None:
    site.cut()
    answers = [await site.gate.redeem(A, code=WRONG) for _ in range(5)]
    await site.kill()  # before anything else can happen
    site.clock.boot(off_s=3_600)
    await site.start()
    after = await site.redeem(A, GOOD)
    site.clock.move(tries.WINDOW_MS)

    assert answers == [Refusal.VOUCHER_INVALID] * 5
    assert after is Refusal.TOO_MANY_TRIES
    assert await site.redeem(A, GOOD) is None


async def test_guessing_receipts_with_the_link_down_is_guessing(site: PrepaidSite) -> None:
    site.cut()
    answers = [await site.redeem(A, f"SGH7K2Q0X{n}") for n in range(6)]

    assert answers == [Refusal.OFFLINE] * 5 + [Refusal.TOO_MANY_TRIES]


async def test_all_tries_at_once_are_no_more_than_one_after_the_other(site: PrepaidSite) -> None:
    site.slow.stuck = True
    answers = [asyncio.ensure_future(site.gate.redeem(A, code=WRONG)) for _ in range(40)]
    await settle()
    site.clock.move(PATIENCE_MS)
    refusals = await asyncio.gather(*answers)

    assert refusals.count(Refusal.VOUCHER_INVALID) == 5
    assert site.slow.asked == 5


async def test_who_mistypes_what_cannot_be_a_code_loses_no_try(site: PrepaidSite) -> None:
    site.cut()
    for _ in range(20):
        await site.redeem(A, GOOD[:-1] + ("3" if GOOD[-1] == "2" else "2"))

    assert await site.redeem(A, GOOD) is None


async def test_a_storm_of_wrong_codes_keeps_nobody_with_a_good_voucher_out(
    site: PrepaidSite,
) -> None:
    site.cut()
    for n in range(90):
        await site.gate.redeem(f"127.0.0.{100 + n}", code=WRONG)
    answers = [await site.gate.redeem("127.0.0.100", code=WRONG), await site.redeem(A, GOOD)]

    assert answers == [Refusal.TOO_MANY_TRIES, None]
    assert site.passes(A)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (GOOD, None),
        (WRONG, Refusal.VOUCHER_INVALID),
        (RECEIPT, Refusal.TOO_MANY_TRIES),
    ],
    ids=["good", "wrong", "nobody here knows"],
)
async def test_nor_does_a_storm_that_makes_the_controller_deaf(
    site: PrepaidSite, typed: str, answer: Refusal | None
) -> None:
    site.slow.stormed = True

    assert await site.redeem(A, typed) is answer
    assert (len(site.loop.state.tries) == 1) == (typed == WRONG)


async def test_a_suspended_package_is_shown_and_lets_nothing_pass(site: PrepaidSite) -> None:
    item = grant_item("f" * 32, limits=some_limits(), devices=[MAC_A], suspended=True)
    site.controller.put_item(*item)
    await settle()
    online = await site.gate.sign_in(A)
    view = site.gate.device(A)

    assert (online, view.suspended, view.access) == (False, True, None)
    assert not site.gate.device(B).suspended


async def test_a_grant_that_the_controller_never_speaks_of_is_forgotten_in_the_end(
    site: PrepaidSite,
) -> None:
    settling = asyncio.create_task(settle_grants(site.loop, site.journal, site.clock))
    site.cut()
    await site.redeem(A, GOOD)
    await site.clock.advance(3_700, step_ms=100_000)
    await site.clock.advance(3_600, step_ms=100_000)
    unheard = len(site.loop.state.grants)
    site.uplink.mend()
    await site.clock.advance(1_500, step_ms=100_000)
    settling.cancel()

    assert (unheard, len(site.loop.state.grants)) == (1, 0)
    assert await site.redeem(B, GOOD) is Refusal.VOUCHER_USED


async def test_a_day_without_the_link_settles_to_the_byte_and_the_voucher(
    site: PrepaidSite,
) -> None:
    codes = [a_code(f"{n:011d}".replace("0", "Z").replace("1", "Y")) for n in range(2, 8)]
    site.controller.put_item(*a_chunk(*codes, devices=1))
    await settle()
    site.cut()
    moved, open_s = 0, 0
    for n, code in enumerate(codes):
        address = f"127.0.0.{20 + n}"
        assert await site.redeem(address, code) is None
        for _ in range(80):
            if site.passes(address, down=54_321, up=1_234):
                moved += 55_555
                open_s += 60
            await site.clock.advance(60, step_ms=60_000)
        await site.kill()
        await site.start()
    await site.clock.advance(86_400 - 6 * 80 * 60, step_ms=600_000)
    site.uplink.mend()
    await site.clock.advance(60)
    facts = site.facts()
    totals = {
        (f.session_id, f.epoch): f.down_bytes_total + f.up_bytes_total
        for f in facts
        if isinstance(f, Reading)
    }
    marks = {f.mark for f in facts if isinstance(f, Redeemed)}
    kinds = [type(f) for f in facts]

    assert moved == sum(totals.values()) > 0
    assert open_s == 6 * 3_600
    assert marks == {VoucherMark("batch", voucher_hash(code, SALT, 2)) for code in codes}
    assert kinds.count(Redeemed) == kinds.count(SessionOpened) == kinds.count(SessionClosed) == 6
    assert site.journal.acked_seq == site.journal.last_seq


async def test_the_portal_shows_what_is_left_of_the_package_not_of_the_allowance(
    site: PrepaidSite,
) -> None:
    limits = some_limits(quota=9_000_000)
    item = grant_item(
        "f" * 32, limits=limits, devices=[MAC_A], allowance=Allowance(bytes=1_000_000)
    )
    site.controller.put_item(*item)
    await settle()
    await site.gate.sign_in(A)
    access = site.gate.device(A).access

    assert access is not None
    assert access.bytes_left == 9_000_000
