"""Every route by every role by own branch, other branch, none: asked of the real application.

The cases come from the table of rights, so a route without a row is missing here too, and fails
`test_rights_table`. What each answer should be is worked out here from the roles and from what each
object's branch is, not from the code that decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from controller.api.rights import BUSINESS, NAMED, PARAMETERS, PREFIX, RIGHTS_OF, Need
from controller.rights import RIGHTS, Role
from tests.support.office import Office, caller
from tests.support.staff import a_token
from tests.support.two_branches import HERE, IDS, THERE, two_branches

if TYPE_CHECKING:
    import httpx2

ALL_BRANCHES = "all"
FORBIDDEN, NOT_FOUND, UNNAMED, BAD = 403, 404, 422, 400
REFUSED = frozenset({"not_staff", "forbidden"})
"""How the table refuses; a route may have reasons of its own."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question: who is held to what, and whose object is asked for."""

    role: Role
    held: str
    branch: str


CASES = [
    Case(role, held, branch)
    for role in Role
    for held in (ALL_BRANCHES, HERE)
    for branch in (HERE, THERE)
    if not (role is Role.OWNER and held != ALL_BRANCHES)
]


def path_of(path: str, need: Need, branch: str) -> str:
    """The path with the ids of a branch's own objects."""
    parts = []
    for part in path.split("/"):
        name = part.strip("{}")
        if part == name:
            parts.append(part)
        elif need.of and name in PARAMETERS.get(need.of, ()):
            parts.append(IDS[branch][need.of])
        else:
            parts.append(IDS[branch].get(name, "none"))
    return "/".join(parts)


def fields_of(need: Need, branch: str) -> dict[str, Any]:
    """What a request says by itself when it must say for whom it asks."""
    kinds = {**NAMED, **dict(need.names)}
    return {need.naming: IDS[branch][kinds[need.naming]]} if need.naming else {}


def refusal(case: Case, need: Need) -> int | None:
    """With what a request must be refused; None: it comes through to the route itself."""
    if need.right not in RIGHTS[case.role]:
        return FORBIDDEN
    if case.held == ALL_BRANCHES:
        return None
    if need.of == BUSINESS:
        return FORBIDDEN
    names_something = bool(need.of or need.naming)
    return NOT_FOUND if names_something and case.branch != case.held else None


async def answered(
    office: Office, client: httpx2.AsyncClient, method: str, path: str, case: Case
) -> httpx2.Response:
    need = RIGHTS_OF[method, path]
    held = None if case.held == ALL_BRANCHES else frozenset({case.held})
    client.headers["Authorization"] = f"Bearer {await a_token(office, case.role, held)}"
    fields = fields_of(need, case.branch)
    return await asked(client, method, path_of(path, need, case.branch), fields)


async def asked(
    client: httpx2.AsyncClient, method: str, path: str, fields: dict[str, Any]
) -> httpx2.Response:
    if method == "GET":
        return await client.get(path, params=fields)
    return await client.request(method, path, json=fields)


@pytest.mark.parametrize(("method", "path"), sorted(RIGHTS_OF), ids=lambda one: one)
async def test_a_route_lets_in_whom_its_row_lets_in(office: Office, method: str, path: str) -> None:
    await two_branches(office)
    need = RIGHTS_OF[method, path]
    guilty = []
    async with caller(office, None) as client:
        answers = [(case, await answered(office, client, method, path, case)) for case in CASES]
    for case, answer in answers:
        wanted = refusal(case, need)
        was_refused = answer.status_code >= BAD and answer.json()["code"] in REFUSED
        if wanted is None:
            good = not was_refused and not (need.of in IDS[HERE] and _is_missing(answer, need))
        else:
            good = answer.status_code == wanted
        if not good:
            guilty.append((case, answer.status_code, wanted, answer.text[:160]))

    assert guilty == []


def _is_missing(answer: httpx2.Response, need: Need) -> bool:
    """Whether the very object of the path was not found, although it is there."""
    if answer.status_code != NOT_FOUND:
        return False
    return f"there is no {need.of} " in answer.json()["detail"]


NAMING = sorted(key for key, need in RIGHTS_OF.items() if need.naming)


@pytest.mark.parametrize(("method", "path"), NAMING, ids=lambda one: one)
async def test_who_is_held_to_a_branch_must_say_for_which(
    office: Office, method: str, path: str
) -> None:
    await two_branches(office)
    need = RIGHTS_OF[method, path]
    async with caller(office, await a_token(office, Role.ADMIN, frozenset({HERE}))) as client:
        answer = await asked(client, method, path_of(path, need, HERE), {})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (UNNAMED, need.naming)


@pytest.mark.parametrize("field", sorted(NAMED))
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_another_branch_has_is_not_found_by_any_field(
    office: Office, method: str, field: str
) -> None:
    await two_branches(office)
    theirs = IDS[THERE][NAMED[field]]
    token = await a_token(office, Role.ADMIN, frozenset({HERE}))
    path = f"{PREFIX}/subscribers" if method == "POST" else f"{PREFIX}/sessions"
    async with caller(office, token) as client:
        sent = {"branch_id": HERE, field: [theirs] if field == "sites" else theirs}
        answer = await asked(client, method, path, sent)

    assert answer.status_code == NOT_FOUND, answer.text


LISTS = (
    ("/sites", "id"),
    ("/sessions", "id"),
    ("/subscribers", "id"),
    ("/subscriptions", "id"),
    ("/payments", "order_id"),
    ("/grants", "id"),
    ("/tokens", "id"),
    ("/notices", "id"),
    ("/documents", "id"),
    ("/debts", "document_id"),
    ("/received", "id"),
    ("/arrivals", "id"),
    ("/refunds", "id"),
    ("/branches", "id"),
    ("/messages", "id"),
    ("/alerts", "id"),
    ("/maintenance", "id"),
    ("/area-notices", "id"),
)


@pytest.mark.parametrize(("path", "key"), LISTS)
async def test_a_list_holds_what_is_of_ones_own_branches(
    office: Office, path: str, key: str
) -> None:
    await two_branches(office)
    found = {}
    for held in (None, frozenset({HERE}), frozenset({THERE})):
        async with caller(office, await a_token(office, Role.ADMIN, held)) as client:
            answer = await client.get(f"{PREFIX}{path}")
        assert answer.status_code == 200, answer.text
        found[held] = {line[key] for line in answer.json()["data"]}
    here, there = found[frozenset({HERE})], found[frozenset({THERE})]

    assert here
    assert there
    assert here.isdisjoint(there)
    assert here | there <= found[None]


async def test_prices_of_another_branch_are_not_listed(office: Office) -> None:
    await two_branches(office)
    async with caller(office, await a_token(office, Role.ADMIN, frozenset({HERE}))) as client:
        listed = await client.get(f"{PREFIX}/plans/hours-2/prices")
        holding = await client.get(f"{PREFIX}/plans/hours-2/prices/holding")

    assert {one["branch_id"] for one in listed.json()["data"]} == {HERE}
    assert {one["branch_id"] for one in holding.json()["data"]} == {HERE}


async def test_a_phone_of_another_branch_is_not_found_however_it_is_written(
    office: Office,
) -> None:
    await two_branches(office)
    phone = IDS[THERE]["msisdn"]
    async with caller(office, await a_token(office, Role.ADMIN, frozenset({HERE}))) as client:
        answers = [
            await client.get(f"{PREFIX}/subscribers/{named}")
            for named in (phone, f"0{phone[3:]}", IDS[THERE]["subscriber"])
        ]

    assert [answer.status_code for answer in answers] == [NOT_FOUND] * 3


async def test_what_is_not_there_and_what_is_anothers_are_answered_alike(office: Office) -> None:
    await two_branches(office)
    async with caller(office, await a_token(office, Role.ADMIN, frozenset({HERE}))) as client:
        there = await client.get(f"{PREFIX}/sites/{IDS[THERE]['site']}")
        nowhere = await client.get(f"{PREFIX}/sites/nowhere")
    texts = [one.json()["detail"].rpartition(" ")[0] for one in (there, nowhere)]

    assert (there.status_code, nowhere.status_code) == (NOT_FOUND, NOT_FOUND)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
async def test_a_price_of_ones_own_choosing_wants_the_right_to_price(
    office: Office, role: Role
) -> None:
    await two_branches(office)
    path = f"{PREFIX}/subscriptions/{IDS[HERE]['subscription']}/change"
    async with caller(office, await a_token(office, role)) as client:
        answer = await client.post(path, json={"plan_id": "none", "price": "1"})
    may = {"edit_customers", "edit_plans"} <= {right.value for right in RIGHTS[role]}

    assert (answer.status_code != FORBIDDEN) is may


@pytest.mark.parametrize(
    ("sent", "wants"),
    [
        ({"rail": "cash"}, "take_money"),
        ({"rail": "cheque", "receipt": "000123"}, "take_money"),
        ({"rail": "cash", "at": "2026-11-01T09:00:00Z"}, "book_money"),
        ({"rail": "mpesa", "receipt": "TKQ1"}, "book_money"),
        ({"rail": "bank", "receipt": "FT1"}, "book_money"),
        ({"rail": "withheld-vat", "receipt": "KRA1"}, "book_money"),
        ({"rail": "made-up", "receipt": "X1"}, "book_money"),
    ],
)
@pytest.mark.parametrize("role", [Role.CASHIER, Role.SUPPORT, Role.BILLING])
async def test_money_that_does_not_lie_on_the_counter_wants_the_right_to_book(
    office: Office, role: Role, sent: dict[str, str], wants: str
) -> None:
    await two_branches(office)
    body = {
        "subscriber": IDS[HERE]["subscriber"],
        "amount": {"amount": "10.00", "currency": "KES"},
        **sent,
    }
    async with caller(office, await a_token(office, role)) as client:
        headers = {"Idempotency-Key": "key-00000001"}
        answer = await client.post(f"{PREFIX}/received", json=body, headers=headers)

    assert answer.status_code == (201 if wants in RIGHTS[role] else FORBIDDEN), answer.text


@pytest.mark.parametrize("role", [Role.CASHIER, Role.SUPPORT, Role.BILLING])
async def test_a_share_for_the_seller_wants_the_right_to_book(office: Office, role: Role) -> None:
    await two_branches(office)
    sale = {"id": "1" * 32, "batch": "none", "count": 1, "seller": "me"}
    async with caller(office, await a_token(office, role)) as client:
        answers = [
            await client.post(f"{PREFIX}/vouchers/sales", json=sale | share)
            for share in ({}, {"commission_bp": 10_000})
        ]
    to_book = NOT_FOUND if "book_money" in RIGHTS[role] else FORBIDDEN

    assert [answer.status_code for answer in answers] == [NOT_FOUND, to_book]
