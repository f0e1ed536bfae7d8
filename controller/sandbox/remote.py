"""JSON doors that every simulated provider has for tests, under ``/sim``."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.sandbox.posting import is_loopback
from controller.sandbox.switches import BadSwitches, switched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance
    from starlette.requests import Request

    from controller.sandbox.posting import Postman
    from controller.sandbox.switches import Switch

    F = TypeVar("F", bound=DataclassInstance)
else:
    F = TypeVar("F")

BYTES_MAX = 65_536
SILENCE_MAX_S = 120
TOP_UP_MAX = 100_000


class Setting(Generic[F]):
    """What tests may change of a running simulator: its faults, and where its callbacks go."""

    def __init__(self, good_day: F, callback_url: str) -> None:
        self._good_day = good_day
        self.faults = good_day
        self.callback_url = callback_url

    def change(self, wanted: Mapping[str, object]) -> None:
        """Turn faults on or off. Raises `BadSwitches`."""
        self.faults = switched(self.faults, wanted)

    def clear(self) -> None:
        """Turn every fault off."""
        self.faults = self._good_day


def setting_routes(
    setting: Setting[Any], postman: Postman, switches: Sequence[Switch]
) -> list[Route]:
    """Faults (and what they mean), the callbacks that were posted, and where they go."""

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            told = await object_of(request)
            if told is None:
                return wrong({"body": "want a JSON object"})
            try:
                setting.change(told)
            except BadSwitches as bad:
                return wrong(bad.faults)
        return JSONResponse(asdict(setting.faults))

    async def clear(_request: Request) -> Response:
        setting.clear()
        return JSONResponse(asdict(setting.faults))

    async def explained(_request: Request) -> Response:
        return JSONResponse([asdict(switch) for switch in switches])

    async def callbacks(_request: Request) -> Response:
        return JSONResponse([delivery.shown() for delivery in postman.deliveries])

    async def callback_url(request: Request) -> Response:
        told = await object_of(request) or {}
        url = told.get("url")
        if not isinstance(url, str) or not is_loopback(url):
            return wrong({"url": "want an address on this machine"})
        setting.callback_url = url
        return JSONResponse({"url": url})

    return [
        Route("/sim/faults", faults, methods=["GET", "POST"]),
        Route("/sim/faults/clear", clear, methods=["POST"]),
        Route("/sim/switches", explained),
        Route("/sim/callbacks", callbacks),
        Route("/sim/callback-url", callback_url, methods=["POST"]),
    ]


async def object_of(request: Request) -> dict[str, Any] | None:
    """The JSON object in a request; None for anything else."""
    return object_in(await request.body())


def object_in(body: bytes) -> dict[str, Any] | None:
    """The JSON object in some bytes; None for anything else."""
    try:
        parsed = json.loads(body[: BYTES_MAX + 1])
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and len(body) <= BYTES_MAX else None


def wrong(faults: Mapping[str, str]) -> Response:
    """The answer to a field that cannot be."""
    return JSONResponse({"faults": dict(faults)}, status_code=422)


def whole(value: object, *, most: int) -> int | None:
    """A whole number from 1 to ``most``; None for anything else."""
    fine = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most
    return value if fine and isinstance(value, int) else None


async def silence(request: Request) -> None:
    """Say nothing until the other side has hung up."""
    try:
        async with asyncio.timeout(SILENCE_MAX_S):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


class Chores:
    """What is under way in the background of a simulator; all of it ends with `stop`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], Any]) -> None:
        """Begin one piece of work."""
        task: asyncio.Task[None] = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
