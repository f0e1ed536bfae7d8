"""What a new gateway asks without sign-in: by a good code everything, by any other nothing."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from billing.ids import SiteId
from controller.api.attempts import FAILURES_MAX
from controller.api.install import STEPS_MAX
from controller.installer.bundle import bundle
from controller.store import tokens
from controller.usecases import joining
from controller.usecases.joining import CodeUnknown, Step, canonical, new_code, spelt
from controller.usecases.sites import JOIN_TOKEN_LIFE, JoinTokenRefused, enrol, new_join_token
from tests.controller.edge.certificates import a_csr
from tests.support.office import Office, a_site, caller

if TYPE_CHECKING:
    import httpx2

REFUSED = b"this code is not good"


@pytest.fixture
async def site(office: Office) -> SiteId:
    await office.keep(a_site("estate-1"))
    return SiteId("estate-1")


async def steps_of(office: Office, code: str) -> dict[str, str]:
    async with office.deps.db.read() as tx:
        found = await tokens.steps(tx, joining.fingerprint(office.deps, code))
    return {one.step: one.told for one in found}


async def test_the_script_has_the_sum_that_stands_beside_the_command(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    told = await joining.command_of(office.deps, code)
    async with caller(office, None) as client:
        answer = await client.get(f"/i/{spelt(code)}")

    assert answer.status_code == 200
    assert answer.content.startswith(b"#!/bin/sh\nSITE=estate-1\n")
    assert hashlib.sha256(answer.content).hexdigest() == told.sha256
    assert told.address.endswith(f"/i/{spelt(code)}")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_agent_has_the_sum_that_stands_in_the_script(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:
        script = (await client.get(f"/i/{code}")).text
        answer = await client.get(f"/i/{code}/agent.tar.gz")
    sums = re.findall(r"(?m)^BUNDLE_SHA256=([0-9a-f]{64})$", script)

    assert sums == [hashlib.sha256(answer.content).hexdigest()]


async def test_a_script_can_be_looked_at_and_fetched_again_before_it_is_run(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:
        first, second = [(await client.get(f"/i/{code}")).content for _ in range(2)]
    await enrol(office.deps, code, a_csr())

    assert first == second


async def test_who_has_no_good_code_has_no_archive_made(office: Office) -> None:
    """It takes half a second of a core, and until it is there everybody who asks would make it."""
    bundle.cache_clear()
    async with caller(office, None) as client:
        answer = await client.get("/i/7QX2-M4PD-9HTR")

    assert REFUSED in answer.content
    assert bundle.cache_info().misses == 0


@pytest.mark.parametrize("typed", ["7qx2-m4pd-9htr", "7QX2M4PD9HTR", "7QX2 M4PD 9HTR"])
def test_a_code_may_be_typed_in_small_letters_and_without_dashes(typed: str) -> None:
    assert canonical(typed) == "7QX2M4PD9HTR"
    assert canonical("OI0L-1111-1111") == "010111111111"


@pytest.mark.parametrize("typed", ["", "7QX2-M4PD-9HT", "7QX2-M4PD-9HTRR", "U" * 12, "x" * 4000])
def test_what_is_no_code_is_unknown(typed: str) -> None:
    with pytest.raises(CodeUnknown):
        canonical(typed)


async def test_a_code_is_kept_as_a_hash(office: Office, site: SiteId) -> None:
    code = await new_code(office.deps, site)
    async with office.deps.db.read() as tx:
        kept = await tokens.last_join_token(tx, site)

    assert kept is not None
    assert code not in "".join(str(value) for value in vars(kept).values())


async def test_a_used_an_old_a_replaced_and_a_guessed_code_are_told_the_same(
    office: Office, site: SiteId
) -> None:
    used = await new_code(office.deps, site)
    await enrol(office.deps, used, a_csr())
    replaced = await new_code(office.deps, site)
    old = await new_code(office.deps, site)
    async with caller(office, None) as client:
        told = {(await client.get(f"/i/{one}")).content for one in (used, replaced)}
        office.clock.forward(seconds=int(JOIN_TOKEN_LIFE.total_seconds()))
        told |= {(await client.get(f"/i/{one}")).content for one in (old, "7QX2-M4PD-9HTR")}
    (gone,) = told

    assert REFUSED in gone
    assert gone.startswith(b"#!/bin/sh\n")
    assert gone.endswith(b"exit 1\n")
    with pytest.raises(JoinTokenRefused):
        await enrol(office.deps, old, a_csr())


async def test_a_join_token_of_the_command_line_opens_no_script(
    office: Office, site: SiteId
) -> None:
    secret = await new_join_token(office.deps, site)
    async with caller(office, None) as client:
        answer = await client.get(f"/i/{secret}")

    assert REFUSED in answer.content


async def test_who_guesses_waits_and_a_good_code_from_elsewhere_is_served(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:
        for _ in range(FAILURES_MAX):
            await client.get("/i/7QX2-M4PD-9HTR")
        waits = (await client.get(f"/i/{code}")).content
        archive = await client.get(f"/i/{code}/agent.tar.gz")
        step = await client.post(f"/i/{code}/step", content=b"step=began")
        office.clock.forward(seconds=61)
        served = (await client.get(f"/i/{code}")).content

    assert b"too many wrong codes" in waits
    assert (archive.status_code, step.status_code) == (429, 429)
    assert b"SITE=estate-1" in served
    assert await steps_of(office, code) == {}


async def test_guessing_at_the_agent_and_at_steps_counts_as_well(office: Office) -> None:
    async with caller(office, None) as client:
        for n in range(FAILURES_MAX):
            if n % 2:
                answer = await client.get("/i/7QX2-M4PD-9HTR/agent.tar.gz")
            else:
                answer = await client.post("/i/7QX2-M4PD-9HTR/step", content=b"step=began")
            assert answer.status_code == 404
        last = await client.get("/i/7QX2-M4PD-9HTR/agent.tar.gz")

    assert last.status_code == 429
    assert last.headers["retry-after"] == "60"


async def test_steps_are_kept_also_when_the_code_is_used_and_the_last_word_counts(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:

        async def tell(body: bytes) -> httpx2.Response:
            return await client.post(f"/i/{code}/step", content=body)

        assert (await tell(b"step=began")).status_code == 204
        await tell(b"step=chosen&lan=eth1&wan=eth0.7")
        await enrol(office.deps, code, a_csr())
        await tell(b"step=joined")
        await tell(b"step=checked&well=no")
        await tell(b"step=checked&well=yes")
        await tell(b"step=failed&at=started")

    assert await steps_of(office, code) == {
        "began": "",
        "chosen": "eth1 eth0.7",
        "joined": "",
        "checked": "yes",
        "failed": "started",
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "step"),
        (b"step=rooted", "step"),
        (b"step=chosen", "lan"),
        (b"step=chosen&lan=eth1&wan=%3Cscript%3E", "wan"),
        (b"step=chosen&lan=" + b"e" * 16 + b"&wan=eth0", "lan"),
        (b"step=checked&well=perhaps", "well"),
        (b"step=failed&at=nowhere", "at"),
        (b"step=began&" + b"&".join(b"a%d=1" % n for n in range(20)), "step"),
        (b"\xff\xfe\x00", "step"),
    ],
)
async def test_a_step_that_cannot_be_is_refused_by_its_field(
    office: Office, site: SiteId, body: bytes, field: str
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:
        answer = await client.post(f"/i/{code}/step", content=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert await steps_of(office, code) == {}


async def test_of_one_address_not_more_steps_are_taken_than_an_installation_has(
    office: Office, site: SiteId
) -> None:
    code = await new_code(office.deps, site)
    async with caller(office, None) as client:
        answers = [
            (await client.post(f"/i/{code}/step", content=b"step=began")).status_code
            for _ in range(STEPS_MAX + 1)
        ]

    assert answers == [204] * STEPS_MAX + [429]
    assert len(Step) < STEPS_MAX


async def test_the_command_can_be_had_by_the_api_and_ends_the_one_before(
    office: Office, site: SiteId
) -> None:
    async with caller(office) as client:
        first, second = [
            (await client.post(f"/api/v1/sites/{site}/join-commands")).json() for _ in range(2)
        ]
        gone, good = [
            (await client.get(re.findall(r"/i/[0-9A-Z-]+", one["careful_command"])[0])).content
            for one in (first, second)
        ]

    assert REFUSED in gone
    assert hashlib.sha256(good).hexdigest() == second["sha256"]
    assert second["sha256"] in second["command"], "without https the command looks at the sum"
    assert second["expires_at"].startswith("2026-11-23T10:00:00")
