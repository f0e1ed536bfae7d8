"""The table of rights: whole, without rows of nothing, and read as it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from controller.api.app import described_app
from controller.api.reach import needs_of
from controller.api.rights import BUSINESS, NAMED, PARAMETERS, PREFIX, RIGHTS_OF
from controller.rights import RIGHTS, Right, Role
from controller.store.scope import KINDS
from tests.support.office import caller
from tests.support.staff import a_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.office import Office

OF_NO_BRANCH = {
    "plan_id": "plans are sold by every branch",
    "promotion_id": "so are promotions",
    "pool_id": "a pool is found below its site",
    "parent_id": "the same",
    "id": "a new name that the caller chooses",
}
"""Fields that name something, and nothing that a branch has."""


def api_routes(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, route.path or "")
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if (route.path or "").startswith(f"{PREFIX}/")
    }


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(RIGHTS_OF) == api_routes(described_app())


def test_an_application_with_a_route_that_has_no_row_does_not_start() -> None:
    app = FastAPI()
    router = APIRouter(prefix=PREFIX)

    @router.get("/secrets")
    async def secrets() -> None: ...

    app.include_router(router)

    with pytest.raises(AssertionError, match="GET /api/v1/secrets"):
        needs_of(app.routes)


def test_what_a_path_names_is_looked_for_in_its_branch() -> None:
    parameters = {name: kind for kind, names in PARAMETERS.items() for name in names}
    guilty = [
        (method, path)
        for (method, path), need in RIGHTS_OF.items()
        for name in [part[1:-1] for part in path.split("/") if part.startswith("{")][:1]
        if name in parameters and need.of not in {parameters[name], BUSINESS}
        if not path.startswith((f"{PREFIX}/reports", f"{PREFIX}/statement-profiles"))
    ]

    assert guilty == []


def test_every_kind_of_the_table_can_be_looked_for() -> None:
    asked = {need.of for need in RIGHTS_OF.values()} | set(NAMED.values()) | set(PARAMETERS)

    assert asked - {"", BUSINESS} <= KINDS


def sent_fields() -> Iterator[tuple[str, str, str]]:
    described = described_app().openapi()
    shapes = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            asked = [p["name"] for p in route.get("parameters", ()) if p["in"] == "query"]
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
            shape = shapes.get(body.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
            for name in (*asked, *shape.get("properties", ())):
                yield method.upper(), path, name


def test_every_field_that_names_something_says_whose_it_is() -> None:
    guilty = [
        (method, path, name)
        for method, path, name in sent_fields()
        if path.startswith(PREFIX) and (name.endswith("_id") or name in {"subscriber", "branch"})
        if name not in NAMED and name not in OF_NO_BRANCH
    ]

    assert guilty == [], "name its kind in NAMED, or say here why a branch does not have it"


def test_what_changes_something_is_never_granted_by_a_right_to_see() -> None:
    guilty = [
        (method, path)
        for (method, path), need in RIGHTS_OF.items()
        if method != "GET" and "see_" in need.right
        if not path.startswith(f"{PREFIX}/api-tokens")  # anybody has keys of their own
    ]

    assert guilty == []


def test_every_role_sees_customers_so_that_this_right_can_stand_for_any_staff() -> None:
    assert all(Right.SEE_CUSTOMERS in RIGHTS[role] for role in Role)


RECORD = Path(__file__).parents[3] / "docs" / "decisions" / "0020-staff-and-rights.md"


def test_the_decision_record_says_what_each_role_may() -> None:
    lines = [line for line in RECORD.read_text().splitlines() if line.startswith("| ")]
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {
        Role(name): {Right(row[0]) for row in rows if row[n] == "yes"}
        for n, name in enumerate(head)
        if n
    }

    assert told == {role: set(rights) for role, rights in RIGHTS.items()}


MORE = [
    (method, path, field, right, nothing)
    for (method, path), need in sorted(RIGHTS_OF.items())
    for field, right in need.more
    for nothing in (0, False, 0.0)
]


@pytest.mark.parametrize(("method", "path", "field", "right", "nothing"), MORE)
async def test_a_field_that_wants_another_right_wants_it_also_with_zero(
    office: Office, method: str, path: str, field: str, *, right: Right, nothing: object
) -> None:
    need = RIGHTS_OF[method, path]
    without = [r for r in Role if need.right in RIGHTS[r] and right not in RIGHTS[r]]
    filled = re.sub(r"\{[^}]+\}", "x", path)
    answers = []
    for role in without:
        async with caller(office, await a_token(office, role)) as client:
            answers.append(await client.request(method, filled, json={field: nothing}))

    assert [(a.status_code, right.value in a.text) for a in answers] == [(403, True)] * len(without)
    assert without, "a role that lacks only the other right"
