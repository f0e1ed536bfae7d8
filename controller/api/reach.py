"""Whether who asks may ask this: the right of the route, and the branch of what it is about.

The check stands before every route (`controller.api.needs.only_staff`). Somebody held to some
branches gets the same answer for what is not there and for what belongs to another branch.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.routing import iter_route_contexts

from billing.errors import InvalidField
from controller.api.errors import NotFound, Refused
from controller.api.rights import BUSINESS, NAMED, PARAMETERS, PREFIX, RIGHTS_OF
from controller.store.scope import belongs
from controller.usecases.subscribers import normal_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fastapi import Request
    from starlette.routing import BaseRoute

    from controller.api.rights import Need
    from controller.deps import Deps
    from controller.rights import Right, Who

    Needs = Mapping[int, Need]
    """What each route wants, by the route's identity."""


class Forbidden(Refused):
    """Somebody of the staff asks for what their role, or their branches, do not let them."""

    def __init__(self, detail: str) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, "forbidden", detail)


def needs_of(routes: Sequence[BaseRoute]) -> Needs:
    """What routes and those in them want; a route without a row in the table is a bug."""
    needs, without = {}, []
    for route in iter_route_contexts(routes):
        if route.path is None or not route.path.startswith(f"{PREFIX}/"):
            continue
        for method in route.methods or ():
            row = RIGHTS_OF.get((method, route.path))
            if row is None:
                without.append(f"{method} {route.path}")
            else:
                needs[id(route.original_route)] = row
    assert not without, f"routes without a row in controller/api/rights.py: {without}"
    return needs


def must_have(who: Who, right: Right) -> None:
    """Raise `Forbidden` unless their role has the right."""
    if not who.may(right):
        raise Forbidden(f"a {who.role.value.replace('_', '-')} may not: {right.value} is wanted")


async def must_reach(request: Request, who: Who, need: Need, deps: Deps) -> None:
    """Raise `Forbidden`, `NotFound` or `InvalidField` unless they may ask this."""
    must_have(who, need.right)
    fields = await _fields(request)
    for name, right in need.more:
        if fields.get(name):
            must_have(who, right)
    if who.branches is None:
        return
    if need.of == BUSINESS:
        raise Forbidden("this concerns every branch, and you are held to some")
    if need.naming and not fields.get(need.naming):
        raise InvalidField(need.naming, "say which: you are held to some branches")
    for kind, name in (*_in_path(request, need), *_in_fields(fields, need)):
        await _must_belong(deps, who, kind, name)


async def _must_belong(deps: Deps, who: Who, kind: str, name: str) -> None:
    if kind == "branch":
        if not who.reaches(name):
            raise NotFound(kind, name[:_SHOWN])
        return
    wanted = normal_name(name) if kind == "subscriber" else name
    async with deps.db.read() as tx:
        if not await belongs(tx, kind, wanted, who.branches):
            raise NotFound(kind, name[:_SHOWN])


_SHOWN = 64
"""Of a name that is not found, in characters."""


def _in_path(request: Request, need: Need) -> Iterator[tuple[str, str]]:
    for parameter in PARAMETERS.get(need.of, ()):
        if parameter in request.path_params:
            yield need.of, _text(parameter, request.path_params[parameter])


def _in_fields(fields: Mapping[str, list[Any]], need: Need) -> Iterator[tuple[str, str]]:
    for field, kind in (*NAMED.items(), *need.names):
        for name in fields.get(field, ()):
            # Anything else than a text is refused by the route itself.
            if isinstance(name, str) and name:
                yield kind, _text(field, name)


def _text(field: str, name: str) -> str:
    """A name, if databases and answers can hold it. Raises `InvalidField`."""
    if _NO_TEXT.search(name):
        raise InvalidField(field, "holds a character that is none")
    return name


_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""PostgreSQL keeps no NUL; half a character is what JSON can write and UTF-8 cannot."""


async def _fields(request: Request) -> Mapping[str, list[Any]]:
    """What query and body hold at their first level, by name; empty values are left out."""
    pairs: list[tuple[str, Any]] = list(request.query_params.multi_items())
    pairs += (await _body(request)).items()
    fields: dict[str, list[Any]] = {}
    for name, value in pairs:
        values = value if isinstance(value, list) else [value]
        # Zero and false are values: by `in` they would be taken for one another, and for nothing.
        fields.setdefault(name, []).extend(one for one in values if one is not None and one != "")
    return fields


async def _body(request: Request) -> Mapping[str, Any]:
    if request.method in _BODILESS:
        return {}
    try:
        found = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return {}  # the route says what is wrong with it
    return found if isinstance(found, dict) else {}


_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
