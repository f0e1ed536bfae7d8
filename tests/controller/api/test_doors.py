"""Who gets in: every route, without a key and with a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.routing import iter_route_contexts

from controller.api.app import described_app
from controller.api.attempts import FAILURES_MAX
from tests.support.office import Office, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN_TO_ALL = {
    "/": "it only says where the live page is",
    "/healthz": "whoever watches the process has no key",
    "/readyz": "the same",
    "/version": "the same",
    "/noc/login": "here one becomes staff",
    "/api/sign-in": "and here, at a command line",
    "/api/sign-in/code": "the same",
    "/noc/logout": "it takes a right away, and gives none",
    "/noc/second": "the second step of becoming staff; the first one is proved",
    "/noc/passkey/ask": "the same in one step",
    "/noc/passkey/answer": "the same",
    "/noc/welcome": "who was invited has a secret in the address",
    "/noc/preferences": "a language and a colour, kept by the browser",
    "/noc/static": "style and script",
    "/noc/brand.css": "a colour as a style sheet; the page to sign in on wears it",
    "/d/{document_id}": "the address of a document is its secret",
    "/i/{code}": "so is that of an install script",
    "/i/{code}/agent.tar.gz": "the same",
    "/i/{code}/step": "the same",
}
PROVIDERS = "/callbacks/"
"""Providers have no key: their addresses are the secret."""


def every_route() -> set[tuple[str, str]]:
    found = iter_route_contexts(described_app().routes)
    return {(method, r.path) for r in found if r.path for method in r.methods or {"GET"}}


def closed_routes() -> Iterator[tuple[str, str]]:
    for method, path in every_route():
        if path not in OPEN_TO_ALL and not path.startswith(PROVIDERS) and method != "HEAD":
            yield method, path


CLOSED = sorted(closed_routes())
PAGES = [one for one in CLOSED if one[1].startswith("/noc")]


def addressed(path: str) -> str:
    return path.replace("{", "").replace("}", "").replace("_", "-")


@pytest.mark.parametrize(("method", "path"), [one for one in CLOSED if one not in PAGES])
async def test_a_closed_route_wants_the_key(office: Office, method: str, path: str) -> None:
    bearers = ("Bearer wrong", "Bearer ")
    wrong = [{}, *({"Authorization": bearer} for bearer in bearers)]

    async with caller(office, None) as client:
        answers = [
            await client.request(method, addressed(path), headers=headers, json={})
            for headers in wrong
        ]

    assert [answer.status_code for answer in answers] == [401] * len(wrong)


@pytest.mark.parametrize(("method", "path"), PAGES)
async def test_a_page_wants_somebody_signed_in(office: Office, method: str, path: str) -> None:
    async with caller(office, None) as client:
        answer = await client.request(
            method, addressed(path), headers={"Origin": str(client.base_url)}
        )

    assert answer.status_code == 401


def test_what_is_open_is_there() -> None:
    assert set(OPEN_TO_ALL) <= {path for _, path in every_route()}


async def test_a_refusal_is_a_problem_that_says_how_to_enter(office: Office) -> None:
    async with caller(office, None) as client:
        answer = await client.get("/api/v1/sites")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_staff"


async def test_after_many_wrong_keys_further_ones_wait(office: Office) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    async with caller(office, None) as client:
        for _ in range(FAILURES_MAX):
            await client.get("/api/v1/sites", headers=wrong)
        refused = await client.get("/api/v1/sites", headers=wrong)
        office.clock.forward(minutes=1)
        later = await client.get("/api/v1/sites", headers=wrong)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert later.status_code == 401


async def test_wrong_keys_of_a_stranger_do_not_keep_staff_out(office: Office) -> None:
    async with caller(office, None) as client:
        for _ in range(FAILURES_MAX):
            await client.get("/api/v1/sites", headers={"Authorization": "Bearer wrong"})
        right = {"Authorization": f"Bearer {office.key}"}
        answer = await client.get("/api/v1/sites", headers=right)

    assert answer.status_code == 200


async def test_every_answer_forbids_what_is_inline_or_from_elsewhere(office: Office) -> None:
    async with caller(office) as client:
        answers = [await client.get(path) for path in ("/noc", "/healthz", "/nowhere")]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("client-id-0001", True), ("short", False), ("a\tb\tc\td\te", False), ("x" * 65, False)],
)
async def test_a_proper_request_id_is_kept(office: Office, *, sent: str, kept: bool) -> None:
    async with caller(office) as client:
        answer = await client.get("/healthz", headers={"X-Request-Id": sent})

    assert (answer.headers["x-request-id"] == sent) is kept
