"""Bad input gets a 4xx that names the field, and changes nothing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from controller.api.door import BODY_BYTES_MAX
from controller.store.rows import Row
from tests.support.office import Office, a_day, caller

if TYPE_CHECKING:
    import httpx2

SITE = {"id": "estate-2", "name": "Estate 2"}
PLAN = {
    "id": "hours-3",
    "name": "3 hours",
    "price": {"amount": "30.00", "currency": "KES"},
    "down_bps": 3_000_000,
    "up_bps": 1_000_000,
    "validity_s": 10_800,
}
VOUCHERS = {"plan_id": "hours-2", "count": 3}
GRANT = {"site_id": "estate-1", "plan_id": "hours-2", "device_mac": "02:00:00:00:00:02"}
KEY = {"Idempotency-Key": "key-00000001"}

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "site": ("/api/v1/sites", SITE),
    "plan": ("/api/v1/plans", PLAN),
    "vouchers": ("/api/v1/vouchers", VOUCHERS),
    "grant": ("/api/v1/grants", GRANT),
}

BAD: list[tuple[str, str, Any]] = [
    ("site", "id", ""),
    ("site", "id", "Estate 2"),
    ("site", "id", "../etc"),
    ("site", "id", "x" * 33),
    ("site", "id", 7),
    ("site", "id", None),
    ("site", "name", ""),
    ("site", "name", "x" * 81),
    ("site", "name", "two\nlines"),
    ("site", "name", "nul\0"),
    ("site", "name", ["Estate"]),
    ("site", "help_phone", "0" * 21),
    ("site", "language", "fr"),
    ("site", "colour", "red"),
    ("plan", "id", "Hours"),
    ("plan", "name", ""),
    ("plan", "name", "x" * 41),
    ("plan", "price", {"amount": "-5.00", "currency": "KES"}),
    ("plan", "price", {"amount": "5.50", "currency": "KES"}),
    ("plan", "price", {"amount": "9999999", "currency": "KES"}),
    ("plan", "amount", {"amount": "1e3", "currency": "KES"}),
    ("plan", "amount", {"amount": "", "currency": "KES"}),
    ("plan", "currency", {"amount": "5.00", "currency": "XXX"}),
    ("plan", "price.amount", {"amount": 5, "currency": "KES"}),
    ("plan", "price.tax", {"amount": "5.00", "currency": "KES", "tax": "1"}),
    ("plan", "price", 30),
    ("plan", "down_bps", 0),
    ("plan", "down_bps", -3_000_000),
    ("plan", "down_bps", 10**30),
    ("plan", "down_bps", 2.5),
    ("plan", "down_bps", "3M"),
    ("plan", "down_bps", True),
    ("plan", "up_bps", None),
    ("plan", "validity_s", 0),
    ("plan", "validity_s", 10**9),
    ("plan", "validity_s", None),
    ("plan", "quota_bytes", 1),
    ("plan", "devices_max", 0),
    ("plan", "rank", -1),
    ("plan", "rank", 10**12),
    ("plan", "cents", 1),
    ("vouchers", "count", 0),
    ("vouchers", "count", -1),
    ("vouchers", "count", 10**9),
    ("vouchers", "count", "3"),
    ("vouchers", "expires_at", "2020-01-01T00:00:00Z"),
    ("vouchers", "expires_at", "2099-01-01T00:00:00"),
    ("vouchers", "expires_at", "tomorrow"),
    ("vouchers", "colour", "red"),
    ("grant", "device_mac", "02:00:00:00:00"),
    ("grant", "device_mac", ""),
    ("grant", "device_mac", "02:00:00:00:00:zz"),
    ("grant", "device_mac", "ff:ff:ff:ff:ff:ff"),
    ("grant", "device_mac", "01:00:5e:00:00:01"),
    ("grant", "phone", "12345"),
    ("grant", "site_id", "nowhere"),
    ("grant", "plan_id", "nothing"),
    ("grant", "colour", "red"),
]


async def counted(office: Office) -> dict[str, int]:
    """How many rows each table has; what was asked is kept also when it is refused."""
    tables = [t for t in Row.metadata.sorted_tables if t.name != "inbox"]
    async with office.deps.db.read() as tx:
        return {
            t.name: (await tx.execute(select(func.count()).select_from(t))).scalar_one()
            for t in tables
        }


async def refused(office: Office, what: str, content: dict[str, Any]) -> httpx2.Response:
    """The answer, after seeing that it changed nothing."""
    path, _ = PATHS[what]
    await office.keep(*a_day())
    before = await counted(office)
    async with caller(office) as client:
        answer = await client.post(path, json=content, headers=KEY)
    assert await counted(office) == before
    return answer


@pytest.mark.parametrize(("what", "field", "value"), BAD)
async def test_a_bad_field_is_named_and_nothing_changes(
    office: Office, what: str, field: str, value: Any
) -> None:
    sent = field.split(".", maxsplit=1)[0] if field not in {"amount", "currency"} else "price"
    answer = await refused(office, what, {**PATHS[what][1], sent: value})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("what", PATHS)
async def test_good_input_is_taken(office: Office, what: str) -> None:
    path, content = PATHS[what]
    await office.keep(*a_day())

    async with caller(office) as client:
        answer = await client.post(path, json=content, headers=KEY)

    assert answer.status_code == 201


async def test_a_refusal_speaks_no_language_of_libraries(office: Office) -> None:
    answer = await refused(office, "site", {**SITE, "name": "two\nlines"})

    assert answer.json()["detail"] == "name: want printable characters only"


async def test_a_missing_field_is_named(office: Office) -> None:
    answer = await refused(office, "plan", {k: v for k, v in PLAN.items() if k != "name"})

    assert [fault["field"] for fault in answer.json()["errors"]] == ["name"]


async def test_all_faults_are_named_at_once(office: Office) -> None:
    answer = await refused(office, "plan", {**PLAN, "down_bps": "x", "up_bps": "y", "z": 1})

    assert [fault["field"] for fault in answer.json()["errors"]] == ["down_bps", "up_bps", "z"]


async def test_a_plan_without_any_limit_is_refused(office: Office) -> None:
    answer = await refused(office, "plan", {**PLAN, "validity_s": None})

    assert answer.json()["errors"][0]["field"] == "validity_s"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"id": NaN}',
        b'{"id": ' + b"9" * 5_000 + b"}",
        b'{"id": "\\ud800", "name": "x"}',
        b"[" * 20_000,
    ],
)
@pytest.mark.parametrize("path", [path for path, _ in PATHS.values()])
async def test_what_is_not_our_json_is_refused(office: Office, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json", **KEY}

    async with caller(office) as client:
        answer = await client.post(path, content=body, headers=headers)

    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_was_sent_is_never_repeated_in_a_refusal(office: Office) -> None:
    answer = await refused(office, "site", {**SITE, "name": {"secret": "hunter2"}})

    assert "hunter2" not in answer.text


async def test_a_body_that_is_too_long_is_refused(office: Office) -> None:
    async with caller(office) as client:
        answer = await client.post("/api/v1/sites", content=b" " * (BODY_BYTES_MAX + 1))

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "W10"}, "cursor"),
        ({"cursor": "eyJhIjoxfQ"}, "cursor"),
        ({"cursor": "WzEsMl0"}, "cursor"),
        ({"cursor": "WyIyMDI2LTExLTIzVDA5OjAwOjAwIiwiYSJd"}, "cursor"),
        ({"colour": "red"}, "colour"),
    ],
)
@pytest.mark.parametrize(
    "path", ["sites", "plans", "vouchers", "payments", "sessions", "grants", "notices"]
)
async def test_a_bad_page_is_refused(
    office: Office, path: str, query: dict[str, str], field: str
) -> None:
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("parts", [["0001-01-01T00:00:00+14:00", "a"], ["\0"], ["\ud800"]])
@pytest.mark.parametrize("path", ["payments", "sites"])
async def test_a_forged_cursor_is_refused(office: Office, path: str, parts: list[str]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()

    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params={"cursor": cursor})

    assert answer.status_code == 422


@pytest.mark.parametrize("site_id", ["\0", "Estate", "x" * 33])
async def test_a_site_that_cannot_be_is_no_filter(office: Office, site_id: str) -> None:
    async with caller(office) as client:
        answer = await client.get("/api/v1/payments", params={"site_id": site_id})

    assert answer.json()["errors"][0]["field"] == "site_id"


async def test_a_payment_state_that_does_not_exist_is_refused(office: Office) -> None:
    async with caller(office) as client:
        answer = await client.get("/api/v1/payments", params={"state": "lost"})

    assert answer.json()["errors"][0]["field"] == "state"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/sites/nowhere"),
        ("POST", "/api/v1/sites/nowhere/join-tokens"),
        ("GET", "/api/v1/plans/nothing"),
        ("POST", "/api/v1/plans/nothing/withdraw"),
        ("GET", "/api/v1/payments/none"),
        ("GET", "/api/v1/grants/none"),
        ("POST", "/api/v1/grants/none/revoke"),
        ("GET", "/api/v1/nothing"),
        ("GET", "/nowhere"),
    ],
)
async def test_what_is_not_there_is_not_found(office: Office, method: str, path: str) -> None:
    async with caller(office) as client:
        answer = await client.request(method, path)

    assert (answer.status_code, answer.json()["status"]) == (404, 404)


async def test_the_wrong_method_is_a_problem_too(office: Office) -> None:
    async with caller(office) as client:
        answer = await client.delete("/api/v1/sites")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
