"""Who gets in: every route, without a key and with a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute

from controller.api.app import described_app
from controller.api.attempts import FAILURES_MAX
from controller.usecases.asking import CALLBACK_PATH
from tests.support.office import Office, caller

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN_TO_ALL = {
    "/": "it only says where the live page is",
    "/healthz": "whoever watches the process has no key",
    "/readyz": "the same",
    "/version": "the same",
    f"{CALLBACK_PATH}{{token}}": "providers have no key; the token is the secret",
    "/noc/login": "here one becomes staff",
    "/api/sign-in": "and here, at a command line",
    "/api/sign-in/code": "the same",
    "/noc/logout": "it takes a right away, and gives none",
}


def closed_routes() -> Iterator[tuple[str, str]]:
    found = described_app().openapi()["paths"]
    for path, methods in found.items():
        for method in methods:
            if path not in OPEN_TO_ALL:
                yield method.upper(), path
    yield "GET", "/noc"
    yield "GET", "/noc/events"
    yield "GET", "/api/v1/openapi.json"


CLOSED = sorted(closed_routes())


def addressed(path: str) -> str:
    return path.replace("{", "").replace("}", "").replace("_", "-")


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize("key", [None, "wrong", ""], ids=["none", "wrong", "empty"])
async def test_a_closed_route_wants_the_key(
    office: Office, method: str, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async with caller(office, None) as client:
        answer = await client.request(method, addressed(path), headers=headers, json={})

    assert answer.status_code == 401


def test_no_route_is_forgotten() -> None:
    named = {path for _, path in CLOSED} | set(OPEN_TO_ALL)
    every = {r.path for r in described_app().routes if isinstance(r, APIRoute)}

    assert every <= named


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
