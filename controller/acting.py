"""Who acts: the member of staff on whose behalf the present piece of work is done, if anybody's.

The application's door (`controller.api.door`) says of each request where to look (`asking`):
whoever lets staff in puts a `Who` on ``request.state``, and from then on every transaction of that
request is theirs, and `controller.store.collecting` writes down what it changed. Work that staff
only set off, and that is done by itself all the same (a billing run, a provider's word booked for
many at once), is done `aside`. For billing runs, sites and providers `actor` is None.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from controller.api.source import client_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from datetime import datetime

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Requests that change nothing that anybody could be asked about."""

HERE = "this machine"
"""The address of who sits at the controller's own machine."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A member of staff at work: who, from where, by which route or command, since when.

    ``staff_id`` is the account, or "key" for the controller's own key; the name is that of now.
    """

    staff_id: str
    name: str
    address: str
    route: str
    request_id: str
    at: datetime
    about: tuple[str, str] | None = None
    """Kind and id of the one object that the route names, if it names one."""


def _nobody() -> Actor | None:
    return None


_WHO: ContextVar[Callable[[], Actor | None]] = ContextVar("acting", default=_nobody)


def actor() -> Actor | None:
    """Who acts in this task; None: nobody of the staff."""
    return _WHO.get()()


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """What is done in the block is done by somebody: a command on this machine, a test."""
    with _found_by(lambda: who):
        yield


@contextmanager
def aside() -> Iterator[None]:
    """What is done in the block would have been done by itself: it is nobody's of the staff."""
    with _found_by(_nobody):
        yield


@contextmanager
def asking(scope: MutableMapping[str, Any]) -> Iterator[None]:
    """A request's work: whoever it is let in as (``state["who"]``) acts from that moment on."""
    with _found_by(lambda: _of_request(scope)):
        yield


@contextmanager
def telling(scope: MutableMapping[str, Any]) -> Iterator[None]:
    """What is done in the block is told of whoever asks, though the request only reads: a file."""
    with _found_by(lambda: _of_any(scope)):
        yield


@contextmanager
def _found_by(find: Callable[[], Actor | None]) -> Iterator[None]:
    was = _WHO.set(find)
    try:
        yield
    finally:
        _WHO.reset(was)


def _of_request(scope: MutableMapping[str, Any]) -> Actor | None:
    return None if scope["method"] in SAFE_METHODS else _of_any(scope)


def _of_any(scope: MutableMapping[str, Any]) -> Actor | None:
    who = scope["state"].get("who")
    if who is None:
        return None
    path = _template(scope)
    return Actor(
        staff_id=who.id,
        name=who.name,
        address=client_address(HTTPConnection(scope)),
        route=f"{scope['method']} {path}",
        request_id=scope["state"].get("request_id", ""),
        at=scope["app"].state.deps.now(),
        about=_named(path, scope.get("path_params", {})),
    )


def _template(scope: MutableMapping[str, Any]) -> str:
    """The path with the names of its parameters: a route knows only what its own router adds."""
    segments: list[str] = scope["path"].split("/")
    own: list[str] = getattr(scope.get("route"), "path", scope["path"]).split("/")[1:]
    return "/".join([*segments[: max(1, len(segments) - len(own))], *own])


def _named(path: str, params: MutableMapping[str, Any]) -> tuple[str, str] | None:
    """The innermost object that a path names: ``/sites/{site_id}/pools/{pool_id}`` a pool."""
    named = [name for name in params if f"{{{name}" in path]
    if not named:
        return None
    last = named[-1]
    return last.removesuffix("_id"), str(params[last])
