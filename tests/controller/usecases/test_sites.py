"""Sites join once, are told what changed, and nothing that they have already."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from wirepb.v1 import desired_pb2

from billing.errors import InvalidField
from billing.ids import PlanId, SiteId
from controller.payments.memory import MemoryGateway
from controller.store import items, sites
from controller.store.items import digest_of
from controller.store.site_rows import JoinTokenRow, SiteRow
from controller.usecases import faces
from controller.usecases.grants import give
from controller.usecases.ingest import Batch, Notice, SiteRecord, ingest
from controller.usecases.plans import add_plan, withdraw_plan
from controller.usecases.sites import (
    JOIN_TOKEN_LIFE,
    Held,
    JoinTokenRefused,
    NewSite,
    SiteExists,
    SiteUnknown,
    add_site,
    certificate_is_good,
    changes_since,
    enrol,
    new_join_token,
    renew,
    revoke_agent,
    status,
)
from tests.support.builders import MAC, OTHER_SITE, SITE, a_plan

if TYPE_CHECKING:
    from controller.deps import Deps
    from controller.usecases.sites import Change
    from tests.support.builders import World


class Agent:
    """What an agent keeps of its desired state, and how it takes a change."""

    def __init__(self) -> None:
        self.generation = 0
        self.digest = b""
        self.items: dict[str, bytes] = {}

    def take(self, change: Change) -> None:
        assert change.generation > self.generation, "an agent never goes back"
        if change.from_generation == 0:
            self.items = {}
        else:
            assert change.from_generation == self.generation
        self.items.update(change.upserts)
        for key in change.removals:
            self.items.pop(key, None)  # it may have come and gone in between
        self.generation, self.digest = change.generation, change.digest
        assert digest_of(self.items) == change.digest

    async def follow(self, world: World, site_id: SiteId = SITE) -> Change | None:
        change = await changes_since(
            world.deps, site_id, generation=self.generation, digest=self.digest
        )
        if change is not None:
            self.take(change)
        return change


def a_csr() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def test_new_agent_gets_the_whole(world: World) -> None:
    agent = Agent()
    change = await agent.follow(world)

    assert change is not None
    assert change.from_generation == 0
    assert set(agent.items) == {"site", "plan/hour"}


async def test_agent_that_has_everything_is_told_nothing(world: World) -> None:
    agent = Agent()
    await agent.follow(world)

    assert await agent.follow(world) is None


async def test_agent_is_told_only_what_changed(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    await add_plan(world.deps, a_plan("day"))
    change = await agent.follow(world)

    assert change is not None
    assert [key for key, _ in change.upserts] == ["plan/day"]


async def test_agent_is_told_what_to_drop(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    await withdraw_plan(world.deps, PlanId("hour"))
    change = await agent.follow(world)

    assert change is not None
    assert change.removals == ("plan/hour",)
    assert set(agent.items) == {"site"}


async def test_agent_that_missed_many_changes_comes_up_in_one_step(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    for n in range(20):
        await add_plan(world.deps, a_plan(f"plan-{n}"))
    await withdraw_plan(world.deps, PlanId("plan-7"))
    change = await agent.follow(world)

    assert change is not None
    assert change.from_generation > 0
    assert len(agent.items) == 21


async def test_agent_with_another_digest_gets_the_whole(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    await add_plan(world.deps, a_plan("day"))
    agent.digest = b"x" * 32
    change = await agent.follow(world)

    assert change is not None
    assert change.from_generation == 0
    assert set(agent.items) == {"site", "plan/hour", "plan/day"}


async def test_agent_with_other_content_under_our_generation_gets_a_later_whole(
    world: World,
) -> None:
    agent = Agent()
    await agent.follow(world)
    agent.digest, before = b"x" * 32, agent.generation
    await reported(world, agent, times=2)
    await agent.follow(world)

    assert agent.generation > before
    assert await agent.follow(world) is None


async def reported(world: World, agent: Agent, *, times: int = 1, waiting: int = 0) -> None:
    """The agent reports so often what it applied; so many records wait at its site."""
    for _ in range(times):
        records = (SiteRecord(1, world.deps.now(), Notice("drift", "x")),) if waiting else ()
        told = Batch("j" * 32, records, agent.generation, agent.digest, "0.1.0")
        full = replace(told, outbox_records=waiting, outbox_records_max=1_000)
        await ingest(world.deps, SITE, full)


async def test_agent_ahead_of_a_restored_controller_is_told_nothing_until_it_has_told_all(
    world: World,
) -> None:
    agent = Agent()
    await agent.follow(world)
    agent.generation, agent.digest = 5_000, b"x" * 32
    answers = [await agent.follow(world)]
    for waiting in (0, 2):
        await reported(world, agent, waiting=waiting)
        answers.append(await agent.follow(world))
    await reported(world, agent, waiting=1)

    assert answers == [None, None, None]
    assert await agent.follow(world) is not None


async def test_agent_ahead_of_a_restored_controller_is_overtaken(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    agent.generation, agent.digest = 5_000, b"x" * 32
    await reported(world, agent, times=3)
    change = await agent.follow(world)

    assert change is not None
    assert (change.from_generation, change.generation) == (0, 5_001)
    assert await agent.follow(world) is None


def half(change: Change) -> tuple[Agent, Held]:
    """What an agent has beside its own of a whole that broke off after ``plan/hour``."""
    agent = Agent()
    agent.items = {key: body for key, body in change.upserts if key <= "plan/hour"}
    return agent, Held(change.generation, change.digest, 0, "plan/hour")


async def the_rest(world: World, held: Held, agent: Agent | None = None) -> Change:
    known = agent or Agent()
    change = await changes_since(
        world.deps, SITE, generation=known.generation, digest=known.digest, held=held
    )
    assert change is not None
    return change


async def test_an_agent_that_holds_a_part_gets_the_rest(world: World) -> None:
    agent, held = half(await the_rest(world, Held(0, b"", 0, "x")))
    rest = await the_rest(world, held)
    agent.items.update(rest.upserts)

    assert (rest.continues, [key for key, _ in rest.upserts]) == (True, ["site"])
    assert digest_of(agent.items) == rest.digest


async def test_the_rest_of_an_older_version_has_what_changed_since(world: World) -> None:
    await add_plan(world.deps, a_plan("day"))
    agent, held = half(await the_rest(world, Held(0, b"", 0, "x")))
    await withdraw_plan(world.deps, PlanId("day"))
    await add_plan(world.deps, a_plan("early"))
    await add_plan(world.deps, a_plan("week"))
    rest = await the_rest(world, held)
    agent.items.update(rest.upserts)
    for key in rest.removals:
        del agent.items[key]

    assert rest.continues
    assert [key for key, _ in rest.upserts] == ["plan/early", "plan/week", "site"]
    assert (rest.removals, digest_of(agent.items)) == (("plan/day",), rest.digest)


async def test_the_rest_of_a_step_is_the_rest_of_that_step(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    for name in ("day", "week"):
        await add_plan(world.deps, a_plan(name))
    step = await the_rest(world, Held(0, b"", 0, "x"), agent)
    held = Held(step.generation, step.digest, agent.generation, "plan/day")
    rest = await the_rest(world, held, agent)

    assert (rest.continues, rest.from_generation) == (True, agent.generation)
    assert [key for key, _ in rest.upserts] == ["plan/week"]


@pytest.mark.parametrize(
    "wrong", [{"digest": b"x" * 32}, {"generation": 4_000}, {"from_generation": 1}]
)
async def test_parts_that_this_site_never_sent_begin_anew(
    world: World, wrong: dict[str, Any]
) -> None:
    await add_plan(world.deps, a_plan("day"))
    _, held = half(await the_rest(world, Held(0, b"", 0, "x")))
    change = await the_rest(world, replace(held, **wrong))

    assert (change.continues, change.from_generation, len(change.upserts)) == (False, 0, 3)


async def test_parts_of_which_too_much_has_changed_begin_anew(world: World) -> None:
    _, held = half(await the_rest(world, Held(0, b"", 0, "x")))
    async with world.deps.db.begin() as tx:
        await items.put(tx, SITE, {"garden": bytes(items.AMENDS_BYTES_MAX)})

    assert not (await the_rest(world, held)).continues


@pytest.mark.parametrize("generation", [-1, 2**63])
async def test_generation_that_cannot_be_is_refused(world: World, generation: int) -> None:
    with pytest.raises(InvalidField, match="generation"):
        await changes_since(world.deps, SITE, generation=generation, digest=b"")


async def test_changes_of_an_unknown_site_are_refused(world: World) -> None:
    with pytest.raises(SiteUnknown):
        await changes_since(world.deps, SiteId("nowhere"), generation=0, digest=b"")


async def test_new_site_has_what_is_on_sale(world: World) -> None:
    await add_plan(world.deps, a_plan("day"))
    await withdraw_plan(world.deps, PlanId("hour"))
    await add_site(world.deps, NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    agent = Agent()
    await agent.follow(world, OTHER_SITE)

    assert set(agent.items) == {"site", "plan/day"}


async def test_site_and_plan_added_at_once_do_not_miss_each_other(world: World) -> None:
    names = [SiteId(f"site-{n}") for n in range(5)]
    await asyncio.gather(
        *(add_site(world.deps, NewSite(name, name, "Lango Net")) for name in names),
        *(add_plan(world.deps, a_plan(f"plan-{n}")) for n in range(5)),
    )
    for name in names:
        agent = Agent()
        await agent.follow(world, name)

        assert len(agent.items) == 7


async def test_grants_given_at_once_are_all_in_the_desired_state(world: World) -> None:
    agent = Agent()
    given = await asyncio.gather(
        *(give(world.deps, SITE, plan_id=PlanId("hour"), device_mac=MAC) for _ in range(12))
    )
    await agent.follow(world)

    assert {f"grant/{grant_id}" for grant_id in given} <= set(agent.items)


async def test_site_item_says_how_the_site_presents_itself(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    body = desired_pb2.ItemBody.FromString(agent.items["site"])

    assert (body.site.site_name, body.site.operator_name) == ("Kahawa West", "Lango Net")


async def test_second_site_of_the_same_name_is_refused(world: World) -> None:
    with pytest.raises(SiteExists):
        await add_site(world.deps, NewSite(SITE, "Another", "Lango Net"))


@pytest.mark.parametrize(
    ("field", "site"),
    [
        ("id", NewSite(SiteId("Not An Id"), "Name", "Net")),
        ("id", NewSite(SiteId(""), "Name", "Net")),
        ("name", NewSite(SiteId("ok"), " ", "Net")),
        ("name", NewSite(SiteId("ok"), "n" * 81, "Net")),
        ("operator_name", NewSite(SiteId("ok"), "Name", "a\0b")),
        ("help_phone", NewSite(SiteId("ok"), "Name", "Net", help_phone="0" * 21)),
        ("language", NewSite(SiteId("ok"), "Name", "Net", language="fr")),
    ],
)
async def test_site_that_cannot_be_is_refused_by_field(
    world: World, field: str, site: NewSite
) -> None:
    with pytest.raises(InvalidField) as refusal:
        await add_site(world.deps, site)

    assert refusal.value.field == field


async def test_join_token_enrols_one_agent(world: World) -> None:
    secret = await new_join_token(world.deps, SITE)
    issued = await enrol(world.deps, secret, a_csr())

    assert issued.site_id == SITE
    assert await certificate_is_good(world.deps, SITE, issued.serial)
    with pytest.raises(JoinTokenRefused):
        await enrol(world.deps, secret, a_csr())


async def test_token_tried_ten_times_at_once_enrols_one(world: World) -> None:
    secret = await new_join_token(world.deps, SITE)
    answers = await asyncio.gather(
        *(enrol(world.deps, secret, a_csr()) for _ in range(10)), return_exceptions=True
    )

    assert sum(isinstance(answer, JoinTokenRefused) for answer in answers) == 9


async def test_same_request_again_is_answered_again(world: World) -> None:
    """The answer was lost on the way; the agent asks again with the key that it has."""
    secret, csr = await new_join_token(world.deps, SITE), a_csr()
    await enrol(world.deps, secret, csr)

    assert (await enrol(world.deps, secret, csr)).site_id == SITE


async def test_join_token_grows_old(world: World) -> None:
    secret = await new_join_token(world.deps, SITE)
    world.clock.advance(int(JOIN_TOKEN_LIFE.total_seconds()))

    with pytest.raises(JoinTokenRefused):
        await enrol(world.deps, secret, a_csr())


async def test_bad_request_does_not_spend_the_token(world: World) -> None:
    secret = await new_join_token(world.deps, SITE)
    with pytest.raises(InvalidField, match="csr_pem"):
        await enrol(world.deps, secret, b"nonsense")

    assert (await enrol(world.deps, secret, a_csr())).site_id == SITE


async def test_token_is_kept_as_a_hash_only(world: World) -> None:
    secret = await new_join_token(world.deps, SITE)
    async with world.deps.db.read() as tx:
        assert await tx.get(JoinTokenRow, secret) is None


async def test_guessed_token_is_refused(world: World) -> None:
    with pytest.raises(JoinTokenRefused):
        await enrol(world.deps, "guess", a_csr())


async def test_renewal_gives_another_certificate(world: World) -> None:
    first = await renew(world.deps, SITE, a_csr())
    second = await renew(world.deps, SITE, a_csr())

    assert first.serial != second.serial
    assert await certificate_is_good(world.deps, SITE, second.serial)


async def test_revoked_agent_may_not_speak_until_it_joins_anew(world: World) -> None:
    issued = await renew(world.deps, SITE, a_csr())
    await revoke_agent(world.deps, SITE)

    assert not await certificate_is_good(world.deps, SITE, issued.serial)
    again = await renew(world.deps, SITE, a_csr())
    assert await certificate_is_good(world.deps, SITE, again.serial)


async def test_certificate_speaks_for_its_own_site_only(world: World) -> None:
    issued = await renew(world.deps, SITE, a_csr())

    assert not await certificate_is_good(world.deps, OTHER_SITE, issued.serial)


async def test_status_says_whether_the_agent_is_in_step(world: World) -> None:
    before = await status(world.deps, SITE)
    async with world.deps.db.read() as tx:
        site = await tx.get_one(SiteRow, SITE)
    await ingest(world.deps, SITE, Batch("a" * 32, (), site.generation, site.digest, "0.1"))
    after = await status(world.deps, SITE)

    assert (before.in_step, after.in_step) == (False, True)


def with_airtel(world: World) -> Deps:
    """The same controller after Airtel was put into its configuration."""
    airtel = MemoryGateway(rail="airtel", place="LANGO")
    return replace(world.deps, more_gateways=(airtel, MemoryGateway(rail="card", place="LANGO")))


def wallets_in(agent: Agent) -> list[str]:
    return list(desired_pb2.ItemBody.FromString(agent.items["site"]).site.rails)


async def test_a_new_site_is_told_which_wallets_collect(world: World) -> None:
    await add_site(with_airtel(world), NewSite(OTHER_SITE, "Ruiru", "Lango Net"))
    agent = Agent()
    await agent.follow(world, OTHER_SITE)

    assert wallets_in(agent) == ["mpesa", "airtel"]


async def test_sites_are_told_of_another_wallet_and_of_nothing_else(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    told = await faces.tell_all(with_airtel(world))
    change = await agent.follow(world)

    assert change is not None
    assert (told, [key for key, _ in change.upserts]) == (1, ["site"])
    assert wallets_in(agent) == ["mpesa", "airtel"]


async def test_where_the_wallets_are_what_they_were_nothing_moves(world: World) -> None:
    agent = Agent()
    await agent.follow(world)
    told = [await faces.tell_all(world.deps)]
    told += [await faces.tell_all(with_airtel(world)) for _ in range(2)]
    await agent.follow(world)

    assert told == [0, 1, 0]
    assert await agent.follow(world) is None


async def test_a_site_that_waits_hears_of_the_wallets_at_once(world: World) -> None:
    deps = with_airtel(world)
    with deps.signals.listen(f"site:{SITE}") as news:
        news.clear()
        await faces.tell_all(deps)

        assert news.is_set()


async def test_a_start_without_news_waits_for_nobody_who_holds_a_site(world: World) -> None:
    async with world.deps.db.begin() as tx, asyncio.timeout(5):
        await sites.lock(tx, SITE)

        assert await faces.tell_all(world.deps) == 0
