"""The gRPC doors over real TLS, a real database and the real use cases."""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from structlog.testing import capture_logs
from wirepb.v1 import edge_pb2 as pb
from wirepb.v1 import record_pb2

from billing.ids import PlanId, SiteId
from controller.config import CannotStart, Settings
from controller.config_sections import EdgeSettings
from controller.edge.authority import open_authority, peer_of
from controller.edge.dispatch import Dispatch
from controller.edge.grpc import FOLLOWS_PER_SITE_MAX, MESSAGE_MAX_BYTES, EdgeServers
from controller.payments.memory import MemoryGateway
from controller.store import items
from controller.usecases.plans import add_plan
from controller.usecases.sites import JOIN_TOKEN_LIFE, NewSite, add_site, revoke_agent
from controller.work import VERBS
from tests.controller.edge.certificates import a_csr, private_pem
from tests.controller.edge.doors import (
    CALL_S,
    HOUR,
    SITE,
    Agent,
    Doors,
    an_agent,
    an_hour,
    at_edge,
    at_join,
    enrol,
    open_doors,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from billing.plan import Plan
    from controller.deps import Deps
    from controller.usecases.purchase import NewOrder, OrderStatus

ORDER_ID = "0a" * 16
MAC = "02:00:00:00:00:01"
WAKE_MAX_S = 0.1

Code = grpc.StatusCode


async def refusal_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """How a call was refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code(), refused.value.details() or ""


def an_order(**changes: Any) -> pb.Order:
    told: dict[str, Any] = {
        "order_id": ORDER_ID,
        "plan_id": HOUR,
        "msisdn": "254712345678",
        "device_mac": MAC,
        "age_s": 1,
    }
    return pb.Order(**(told | changes))


def a_report(**changes: Any) -> pb.ReportRequest:
    told: dict[str, Any] = {"journal": "ab" * 16, "agent_version": "0.1.0"}
    return pb.ReportRequest(**(told | changes))


def a_notice(seq: int) -> record_pb2.Record:
    return record_pb2.Record(seq=seq, at_ms=1, notice=record_pb2.Notice(code="drift", text="x"))


async def test_a_join_token_buys_a_certificate_for_its_site(doors: Doors) -> None:
    answer = await enrol(doors, await doors.secret(), a_csr())
    peer = peer_of(answer.certificate_pem)

    assert peer is not None
    assert (answer.site_id, peer.site_id) == (SITE, SITE)


async def test_enrolment_says_where_the_edge_is(doors: Doors) -> None:
    answer = await enrol(doors, await doors.secret(), a_csr())

    assert answer.edge_address == f"127.0.0.1:{doors.ports.edge}"


async def test_a_join_token_is_good_for_one_agent(doors: Doors) -> None:
    secret = await doors.secret()
    await enrol(doors, secret, a_csr())
    code, _ = await refusal_of(enrol(doors, secret, a_csr()))

    assert code is Code.UNAUTHENTICATED


async def test_an_old_join_token_is_refused(doors: Doors) -> None:
    secret = await doors.secret()
    doors.clock.advance(JOIN_TOKEN_LIFE)
    code, _ = await refusal_of(enrol(doors, secret, a_csr()))

    assert code is Code.UNAUTHENTICATED


async def test_a_guessed_join_token_is_refused(doors: Doors) -> None:
    assert await refusal_of(enrol(doors, "guess", a_csr())) == (
        Code.UNAUTHENTICATED,
        "the join token is not valid: ask staff for a new one",
    )


@pytest.mark.parametrize("csr", [b"", b"garbage", b"\x00" * 100, b"x" * 20_000])
async def test_a_bad_request_for_a_certificate_names_its_field(doors: Doors, csr: bytes) -> None:
    code, sentence = await refusal_of(enrol(doors, await doors.secret(), csr))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, "csr_pem")


async def test_a_bad_request_does_not_spend_the_token(doors: Doors) -> None:
    secret = await doors.secret()
    await refusal_of(enrol(doors, secret, b"garbage"))

    assert (await enrol(doors, secret, a_csr())).site_id == SITE


@pytest.mark.parametrize("secret", ["", "x" * 129])
async def test_a_secret_that_cannot_be_is_named(doors: Doors, secret: str) -> None:
    code, sentence = await refusal_of(enrol(doors, secret, a_csr()))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, "secret")


async def test_a_huge_message_at_the_join_door_is_not_read(doors: Doors) -> None:
    code, _ = await refusal_of(enrol(doors, "s", b"x" * 100_000))

    assert code is Code.RESOURCE_EXHAUSTED


async def test_an_enrolled_agent_comes_in(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        answer = await edge.Report(a_report(), timeout=CALL_S)

    assert answer.acked_seq == 0


async def test_without_a_certificate_nobody_comes_in(doors: Doors) -> None:
    async with at_edge(doors, None) as edge:
        code, _ = await refusal_of(edge.Report(a_report(), timeout=CALL_S))

    assert code is Code.UNAVAILABLE


async def test_a_certificate_of_another_authority_does_not_come_in(
    doors: Doors, tmp_path: Path
) -> None:
    other = open_authority(tmp_path / "other", doors.clock())
    agent = Agent()
    agent.certificate = other.sign(agent.csr(), site_id=SITE, now=doors.clock()).certificate_pem
    async with at_edge(doors, agent) as edge:
        code, _ = await refusal_of(edge.Report(a_report(), timeout=CALL_S))

    assert code is Code.UNAVAILABLE


async def test_a_server_certificate_does_not_come_in_as_an_agent(doors: Doors) -> None:
    pair = doors.deps.authority.server_pair(doors.clock())
    trust = grpc.ssl_channel_credentials(
        doors.deps.authority.ca_pem, pair.key_pem, pair.certificate_pem
    )
    target = f"127.0.0.1:{doors.ports.edge}"
    options = [("grpc.ssl_target_name_override", "controller.lango.internal")]
    async with grpc.aio.secure_channel(target, trust, options=options) as channel:
        report: Any = channel.unary_unary("/wirepb.v1.Edge/Report")
        code, _ = await refusal_of(report(b"", timeout=CALL_S))

    assert code in (Code.UNAVAILABLE, Code.UNAUTHENTICATED)


async def test_an_agent_does_not_believe_a_stranger(doors: Doors, tmp_path: Path) -> None:
    other = dataclasses.replace(
        doors,
        deps=dataclasses.replace(
            doors.deps, authority=open_authority(tmp_path / "other", doors.clock())
        ),
    )
    async with at_join(other) as join:
        request = pb.EnrolRequest(secret=await doors.secret(), csr_pem=a_csr())
        code, _ = await refusal_of(join.Enrol(request, timeout=CALL_S))

    assert code is Code.UNAVAILABLE


async def test_a_revoked_certificate_is_refused(doors: Doors) -> None:
    agent = await an_agent(doors)
    await revoke_agent(doors.deps, SITE)
    async with at_edge(doors, agent) as edge:
        answer = await refusal_of(edge.Report(a_report(), timeout=CALL_S))

    assert answer == (Code.UNAUTHENTICATED, "the certificate was revoked: join again")


async def test_a_revocation_is_felt_on_an_open_connection(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        await edge.Report(a_report(), timeout=CALL_S)
        await revoke_agent(doors.deps, SITE)
        code, _ = await refusal_of(edge.Report(a_report(), timeout=CALL_S))

    assert code is Code.UNAUTHENTICATED


async def test_a_certificate_that_has_aged_on_an_open_connection_is_refused(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        await edge.Report(a_report(), timeout=CALL_S)
        doors.clock.advance(timedelta(days=31))
        answer = await refusal_of(edge.Report(a_report(), timeout=CALL_S))

    assert answer == (Code.UNAUTHENTICATED, "the certificate has expired: join again")


async def test_a_revocation_ends_an_open_stream(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        stream = edge.Follow(pb.FollowRequest(), timeout=CALL_S)
        await anext(aiter(stream))
        await revoke_agent(doors.deps, SITE)
        code, _ = await refusal_of(anext(aiter(stream)))

    assert code is Code.UNAUTHENTICATED


async def test_after_a_revocation_the_site_may_join_anew(doors: Doors) -> None:
    await an_agent(doors)
    await revoke_agent(doors.deps, SITE)
    async with at_edge(doors, await an_agent(doors)) as edge:
        answer = await edge.Report(a_report(), timeout=CALL_S)

    assert answer.acked_seq == 0


async def test_a_renewed_certificate_comes_in(doors: Doors) -> None:
    old, fresh = await an_agent(doors), Agent()
    async with at_edge(doors, old) as edge:
        request = pb.RenewRequest(csr_pem=fresh.csr())
        fresh.certificate = (await edge.Renew(request, timeout=CALL_S)).certificate_pem
    async with at_edge(doors, fresh) as edge:
        answer = await edge.Report(a_report(), timeout=CALL_S)

    assert answer.acked_seq == 0


async def test_an_agent_renews_for_its_own_site_only(doors: Doors) -> None:
    await add_site(doors.deps, NewSite(SiteId("other"), name="Other", operator_name="Mtaa Net"))
    async with at_edge(doors, await an_agent(doors)) as edge:
        answer = await edge.Renew(pb.RenewRequest(csr_pem=a_csr()), timeout=CALL_S)

    assert answer.site_id == SITE


async def test_a_bad_renewal_names_its_field(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        code, sentence = await refusal_of(edge.Renew(pb.RenewRequest(csr_pem=b"?"), timeout=CALL_S))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, "csr_pem")


async def test_a_new_agent_gets_a_snapshot(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        change = await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))

    assert change.from_generation == 0
    assert {item.key for item in change.upserts} == {"site", f"plan/{HOUR}"}


async def test_a_later_change_comes_as_a_step(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        changes = aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S))
        first = await anext(changes)
        await add_plan(doors.deps, another_plan("day"))
        second = await anext(changes)

    assert (second.from_generation, [item.key for item in second.upserts]) == (
        first.generation,
        ["plan/day"],
    )


async def test_a_change_is_at_the_agent_a_tenth_of_a_second_after_its_commit(doors: Doors) -> None:
    clock, took = asyncio.get_running_loop().time, []
    async with at_edge(doors, await an_agent(doors)) as edge:
        changes = aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S))
        await anext(changes)
        for name in ("one", "two", "three", "four", "five"):
            await add_plan(doors.deps, another_plan(name))
            committed = clock()
            await anext(changes)
            took.append(clock() - committed)

    assert statistics.median(took) < WAKE_MAX_S


async def test_an_agent_that_is_up_to_date_hears_only_what_is_new(doors: Doors) -> None:
    agent = await an_agent(doors)
    async with at_edge(doors, agent) as edge:
        known = await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))
        request = pb.FollowRequest(known_generation=known.generation, known_digest=known.digest)
        changes = aiter(edge.Follow(request, timeout=CALL_S))
        waiting = asyncio.ensure_future(anext(changes))
        await add_plan(doors.deps, another_plan("week"))
        change = await waiting

    assert [item.key for item in change.upserts] == ["plan/week"]


async def test_an_agent_with_other_content_gets_a_snapshot_once_it_told_all(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        known = await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))
        other = {"applied_generation": known.generation, "applied_digest": b"\x01" * 32}
        request = pb.FollowRequest(known_generation=known.generation, known_digest=b"\x01" * 32)
        waiting = asyncio.ensure_future(anext(aiter(edge.Follow(request, timeout=CALL_S))))
        for _ in range(2):  # the second one can be no repeat of what was before a backup
            assert not waiting.done()
            await edge.Report(a_report(**other), timeout=CALL_S)
        change = await waiting

    assert change.from_generation == 0
    assert change.generation > known.generation


async def test_a_large_change_comes_in_parts_to_who_takes_them_and_goes_on(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        whole = await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))
        await put_large(doors)
        old = await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))
        known = pb.FollowRequest(known_generation=whole.generation, known_digest=whole.digest)
        known.takes_parts = True
        stream = aiter(edge.Follow(known, timeout=CALL_S))
        parts = [await anext(stream) for _ in range(3)]
        known.held.generation, known.held.digest = parts[0].generation, parts[0].digest
        known.held.from_generation = parts[0].from_generation
        known.held.upto_key = parts[0].upto_key
        rest = await anext(aiter(edge.Follow(known, timeout=CALL_S)))

    assert (len(old.upserts), old.continues, old.upto_key) == (7, False, "")
    assert [(part.continues, part.upto_key) for part in parts] == [
        (False, "slot/1"),
        (True, "slot/3"),
        (True, ""),
    ]
    assert [item.key for part in parts for item in part.upserts] == [f"slot/{n}" for n in range(5)]
    assert rest == parts[1]


async def put_large(doors: Doors) -> None:
    """Five items, of which two fit in one part."""
    async with doors.deps.db.begin() as tx:
        await items.put(tx, SITE, {f"slot/{n}": bytes(30_000) for n in range(5)})


def another_plan(name: str) -> Plan:
    return dataclasses.replace(an_hour(), id=PlanId(name))


@pytest.mark.parametrize(
    ("field", "value"),
    [("known_digest", b"short"), ("known_generation", 2**63)],
)
async def test_a_bad_follow_names_its_field(doors: Doors, field: str, value: Any) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        stream = edge.Follow(pb.FollowRequest(**{field: value}), timeout=CALL_S)
        code, sentence = await refusal_of(anext(aiter(stream)))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("digest", b"short"), ("generation", 2**63), ("upto_key", "k" * 257)],
)
async def test_a_bad_part_names_its_field(doors: Doors, field: str, value: Any) -> None:
    told: dict[str, Any] = {"generation": 1, "upto_key": "site"} | {field: value}
    held = pb.HeldParts(**told)
    async with at_edge(doors, await an_agent(doors)) as edge:
        request = pb.FollowRequest(takes_parts=True, held=held)
        stream = edge.Follow(request, timeout=CALL_S)
        code, sentence = await refusal_of(anext(aiter(stream)))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, f"held.{field}")


async def test_one_site_cannot_follow_without_end(doors: Doors) -> None:
    agent = await an_agent(doors)
    async with at_edge(doors, agent) as edge, at_edge(doors, agent) as again:
        streams = [
            edge.Follow(pb.FollowRequest(), timeout=CALL_S) for _ in range(FOLLOWS_PER_SITE_MAX)
        ]
        for stream in streams:
            await anext(aiter(stream))
        one_more = again.Follow(pb.FollowRequest(), timeout=CALL_S)
        code, _ = await refusal_of(anext(aiter(one_more)))

    assert code is Code.RESOURCE_EXHAUSTED


async def test_a_follower_that_went_away_is_forgotten(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        stream = edge.Follow(pb.FollowRequest(), timeout=CALL_S)
        await anext(aiter(stream))
        stream.cancel()
        for _ in range(500):
            if not doors.deps.signals.topics():
                break
            await asyncio.sleep(0.01)

    assert doors.deps.signals.topics() == ()


async def test_records_are_acknowledged_up_to_the_last(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        report = a_report(records=[a_notice(1), a_notice(2)])
        answer = await edge.Report(report, timeout=CALL_S)

    assert answer.acked_seq == 2


async def test_a_record_that_cannot_be_does_not_stop_the_others(doors: Doors) -> None:
    """Refused whole, the report would come again and again, and nothing after it ever."""
    unknown, bad = record_pb2.Record(seq=2), record_pb2.Record(seq=3)
    bad.reading.session_id = "not an id"
    async with at_edge(doors, await an_agent(doors)) as edge:
        report = a_report(records=[a_notice(1), unknown, bad, a_notice(4)])
        answer = await edge.Report(report, timeout=CALL_S)

    assert answer.acked_seq == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("journal", "ABC"),
        ("records", [a_notice(seq) for seq in range(1, 1002)]),
        ("records[0].seq", [a_notice(0)]),
        ("newest", [a_notice(0) for _ in range(1_001)]),
        ("applied_generation", 2**63),
        ("applied_digest", b"short"),
        ("agent_version", "v" * 33),
    ],
)
async def test_a_bad_report_names_its_field(doors: Doors, field: str, value: Any) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        report = a_report(**{field.partition("[")[0]: value})
        code, sentence = await refusal_of(edge.Report(report, timeout=CALL_S))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, field)


async def test_a_message_beyond_the_limit_is_not_read(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        report = a_report(agent_version="v" * (MESSAGE_MAX_BYTES + 1))
        code, _ = await refusal_of(edge.Report(report, timeout=CALL_S))

    assert code is Code.RESOURCE_EXHAUSTED


async def test_an_order_prompts_its_payer(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        state = await edge.Purchase(an_order(), timeout=CALL_S)

    assert state.stage == pb.PurchaseState.STAGE_PROMPTED
    assert [push.msisdn for push in doors.gateway.pushes] == ["254712345678"]


async def test_an_order_prompts_by_the_wallet_that_it_names(tmp_path: Path, edge_url: str) -> None:
    airtel = MemoryGateway(rail="airtel", place="LANGO")
    async with (
        open_doors(tmp_path, edge_url, more=(airtel,)) as doors,
        at_edge(doors, await an_agent(doors)) as edge,
    ):
        state = await edge.Purchase(an_order(rail="airtel"), timeout=CALL_S)

    assert state.stage == pb.PurchaseState.STAGE_PROMPTED
    assert (len(airtel.pushes), len(doors.gateway.pushes)) == (1, 0)


@pytest.mark.parametrize("rail", ["airtel", "of-next-year", "card"])
async def test_a_wallet_that_does_not_collect_is_our_fault_and_prompts_nobody(
    tmp_path: Path, edge_url: str, rail: str
) -> None:
    card = MemoryGateway(rail="card", place="LANGO")
    async with (
        open_doors(tmp_path, edge_url, more=(card,)) as doors,
        at_edge(doors, await an_agent(doors)) as edge,
    ):
        state = await edge.Purchase(an_order(rail=rail), timeout=CALL_S)

    assert (state.stage, state.reason) == (pb.PurchaseState.STAGE_REFUSED, "our_side")
    assert (doors.gateway.pushes, card.pushes) == ([], [])


async def test_a_repeated_order_prompts_nobody_again(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        await edge.Purchase(an_order(), timeout=CALL_S)
        await edge.Purchase(an_order(), timeout=CALL_S)

    assert len(doors.gateway.pushes) == 1


async def test_an_order_id_with_other_content_is_refused(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        await edge.Purchase(an_order(), timeout=CALL_S)
        code, _ = await refusal_of(edge.Purchase(an_order(msisdn="254798765432"), timeout=CALL_S))

    assert code is Code.ALREADY_EXISTS


async def test_a_plan_that_is_not_sold_is_a_reason_and_no_error(doors: Doors) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        state = await edge.Purchase(an_order(plan_id="gone"), timeout=CALL_S)

    assert (state.stage, state.reason) == (pb.PurchaseState.STAGE_REFUSED, "plan_unknown")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_id", ""),
        ("order_id", "A" * 32),
        ("order_id", "../../etc/passwd"),
        ("plan_id", ""),
        ("plan_id", "Robert'); DROP TABLE plan;--"),
        ("msisdn", ""),
        ("msisdn", "0712345678"),
        ("msisdn", "254812345678"),
        ("device_mac", "02-00-00-00-00-01"),
        ("device_mac", "02:00:00:00:00:AB"),
        ("rail", "Airtel Money"),
        ("rail", "x" * 17),
        ("rail", "mpesa\n"),
    ],
)
async def test_a_bad_order_names_its_field(doors: Doors, field: str, value: str) -> None:
    async with at_edge(doors, await an_agent(doors)) as edge:
        code, sentence = await refusal_of(edge.Purchase(an_order(**{field: value}), timeout=CALL_S))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, field)
    assert doors.gateway.pushes == []


async def test_a_voucher_that_is_none_is_a_refusal_and_no_error(doors: Doors) -> None:
    request = pb.Redemption(redemption_id="cd" * 16, code="ABCD-EFGH", device_mac=MAC)
    async with at_edge(doors, await an_agent(doors)) as edge:
        state = await edge.Redeem(request, timeout=CALL_S)

    assert (state.refusal, state.grant_id) == ("voucher_invalid", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [("redemption_id", "x"), ("code", ""), ("code", "9" * 65), ("device_mac", "")],
)
async def test_a_bad_redemption_names_its_field(doors: Doors, field: str, value: str) -> None:
    told = {"redemption_id": "cd" * 16, "code": "ABCD", "device_mac": MAC}
    request = pb.Redemption(**(told | {field: value}))
    async with at_edge(doors, await an_agent(doors)) as edge:
        code, sentence = await refusal_of(edge.Redeem(request, timeout=CALL_S))

    assert (code, sentence.partition(":")[0]) == (Code.INVALID_ARGUMENT, field)


async def test_bytes_that_are_no_message_change_nothing(doors: Doors) -> None:
    agent = await an_agent(doors)
    async with at_edge(doors, agent) as edge:
        await edge.Report(a_report(), timeout=CALL_S)
        code, _ = await refusal_of(raw_purchase(doors, agent, b"\xff\xff\xff"))

    assert code in (Code.INTERNAL, Code.UNKNOWN, Code.INVALID_ARGUMENT)
    assert doors.gateway.pushes == []


async def raw_purchase(doors: Doors, agent: Agent, message: bytes) -> bytes:
    """Send bytes where an order is wanted."""
    trust = grpc.ssl_channel_credentials(
        doors.deps.authority.ca_pem, private_pem(agent.key), agent.certificate
    )
    target = f"127.0.0.1:{doors.ports.edge}"
    options = [("grpc.ssl_target_name_override", "controller.lango.internal")]
    async with grpc.aio.secure_channel(target, trust, options=options) as channel:
        call: Any = channel.unary_unary("/wirepb.v1.Edge/Purchase")
        answer: bytes = await call(message, timeout=CALL_S)
        return answer


async def test_our_own_fault_is_logged_once_and_not_told(tmp_path: Path, edge_url: str) -> None:
    async def broken(_deps: Deps, _site: SiteId, _order: NewOrder) -> OrderStatus:
        raise RuntimeError("the password is hush")

    verbs = dataclasses.replace(VERBS, purchase=broken)
    async with open_doors(tmp_path, edge_url, verbs) as doors:
        agent = await an_agent(doors)
        with capture_logs() as lines:
            async with at_edge(doors, agent) as edge:
                code, sentence = await refusal_of(edge.Purchase(an_order(), timeout=CALL_S))

    assert (code, "hush" in sentence) == (Code.INTERNAL, False)
    assert [line["reference"] in sentence for line in lines] == [True]


async def test_a_code_is_asked_for_and_a_wrong_one_opens_nothing(doors: Doors) -> None:
    agent = await an_agent(doors)
    async with at_edge(doors, agent) as edge:
        asked = pb.PhoneCode(msisdn="254712345678", device_mac=MAC)
        sent = await edge.SendCode(asked, timeout=CALL_S)
        typed = pb.Redemption(
            redemption_id=ORDER_ID, code="012345", device_mac=MAC, msisdn="254712345678"
        )
        answer = await edge.Redeem(typed, timeout=CALL_S)

    assert (sent.refusal, answer.refusal, answer.grant_id) == ("", "code_wrong", "")


async def test_a_purchase_is_finished_when_its_caller_goes_away(
    tmp_path: Path, edge_url: str
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(deps: Deps, site: SiteId, order: NewOrder) -> OrderStatus:
        begun.set()
        await go_on.wait()
        return await VERBS.purchase(deps, site, order)

    verbs = dataclasses.replace(VERBS, purchase=slow)
    async with open_doors(tmp_path, edge_url, verbs) as doors:
        async with at_edge(doors, await an_agent(doors)) as edge:
            call = edge.Purchase(an_order(), timeout=CALL_S)
            asking = asyncio.ensure_future(refusal_of(call))
            await begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        go_on.set()
        await doors.servers.stop()

    assert len(doors.gateway.pushes) == 1


async def test_stopping_cuts_streams_in_less_than_a_second(doors: Doors) -> None:
    loop = asyncio.get_running_loop()
    async with at_edge(doors, await an_agent(doors)) as edge:
        await anext(aiter(edge.Follow(pb.FollowRequest(), timeout=CALL_S)))
        began = loop.time()
        await doors.servers.stop()

    assert loop.time() - began < 1


@pytest.mark.parametrize("key", ["port", "join_port"])
async def test_a_port_that_is_taken_is_named(doors: Doors, key: str) -> None:
    taken = {"port": 0, "join_port": 0} | {key: doors.ports.edge}
    settings = Settings(
        state_dir=doors.deps.settings.state_dir, edge=EdgeSettings.model_validate(taken)
    )
    deps = dataclasses.replace(doors.deps, settings=settings)

    with pytest.raises(CannotStart, match=f"edge.{key}: cannot listen on 127.0.0.1:"):
        await EdgeServers(deps, Dispatch(deps, VERBS)).open()
