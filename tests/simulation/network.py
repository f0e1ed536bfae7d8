"""A link that is cut, loses, doubles, delays and reorders; and the agent's uplink over it.

The uplink is the real one down to its calls: only the stub below them is pretended. What a call
carries is serialised and read again, so nothing reaches the other side that could not.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from wirepb.v1 import desired_pb2, edge_pb2

from agent.uplink.grpc import Credentials, GrpcUplink
from agent.uplink.seam import UplinkError
from controller.edge.grpc import refusal
from tests.simulation.virtual import virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable

    from billing.ids import SiteId
    from tests.simulation.office import Office

CALLS = ("Report", "Purchase", "Redeem", "SendCode")
NOTHING = grpc.aio.Metadata()


@dataclass(slots=True)
class Weather:
    """How bad a link is: chances out of one, and the longest delay of a message."""

    lose: float = 0.0
    double: float = 0.0
    delay_s: float = 0.05


class Link:
    """The road between one site and the controller."""

    def __init__(self, chance: random.Random) -> None:
        self.weather = Weather()
        self.down = False
        self._chance = chance
        self._cut = asyncio.Event()

    def cut(self) -> None:
        """Nothing gets through any more; streams end."""
        self.down = True
        self._cut.set()

    def mend(self) -> None:
        """It works again, as well as ever."""
        self.down = False
        self.weather = Weather()
        self._cut = asyncio.Event()

    def lost(self) -> bool:
        """Whether the next message gets lost."""
        return self.down or self._chance.random() < self.weather.lose

    def doubled(self) -> bool:
        """Whether the next message comes a second time, later."""
        return self._chance.random() < self.weather.double

    def late_s(self) -> float:
        """How much later a second copy comes."""
        return self._chance.choice((0.0, self._chance.random() * self.weather.delay_s * 100))

    async def travel(self) -> None:
        """As long as a message takes."""
        await asyncio.sleep(self._chance.random() * self.weather.delay_s)

    async def until_cut(self) -> None:
        """Until the link is cut."""
        await self._cut.wait()


class _Stream:
    """A follow call, as the library would hand it out."""

    def __init__(self, changes: AsyncIterator[desired_pb2.DesiredChange]) -> None:
        self._changes = changes

    def __aiter__(self) -> AsyncIterator[desired_pb2.DesiredChange]:
        return self._changes

    def cancel(self) -> None:
        """The generator closes by itself when nobody reads it."""


class Stub:
    """What the uplink calls in place of gRPC."""

    def __init__(self, office: Office, site_id: SiteId, link: Link) -> None:
        self._office, self._site_id, self._link = office, site_id, link
        for name in CALLS:
            setattr(self, name, self._caller(name))

    def Follow(self, request: edge_pb2.FollowRequest) -> _Stream:  # noqa: N802 - in the contract
        """The changes of the site."""
        return _Stream(self._follow(request))

    def sent_report(self, report: bytes, *, timeout: float) -> Awaitable[Any]:
        """The one call whose message comes in its bytes."""
        return self._caller("Report")(edge_pb2.ReportRequest.FromString(report), timeout=timeout)

    def _caller(self, name: str) -> Callable[..., Awaitable[Any]]:
        verb = "send_code" if name == "SendCode" else name.lower()

        async def call(request: Any, *, timeout: float) -> Any:  # noqa: ASYNC109 - the library's
            try:
                async with asyncio.timeout(timeout):
                    return await self._call(verb, request)
            except TimeoutError as late:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "too late") from late

        return call

    async def _call(self, verb: str, request: Any) -> Any:
        told = type(request).FromString(request.SerializeToString())
        if self._link.lost():
            await self._never()
        await self._link.travel()
        if self._link.doubled():
            virtual_loop().spawn("network", self._again(verb, told))
        try:
            answer = await self._office.answer(verb, self._site_id, told)
        except Exception as error:
            said = refusal(error, verb=verb)
            raise _error(said.code, said.sentence) from error
        await self._link.travel()
        if self._link.lost():
            await self._never()
        return type(answer).FromString(answer.SerializeToString())

    async def _again(self, verb: str, told: Any) -> None:
        """The network's own copy of a message: at the same moment, or long after the next ones."""
        await asyncio.sleep(self._link.late_s())
        with suppress(Exception):  # nobody is there to hear the answer
            await self._office.answer(verb, self._site_id, told)

    async def _never(self) -> None:
        """No answer comes; a dead link is noticed before the deadline."""
        await self._link.travel()
        if self._link.down:
            raise _error(grpc.StatusCode.UNAVAILABLE, "the link is cut")
        await asyncio.Event().wait()

    async def _follow(
        self, request: edge_pb2.FollowRequest
    ) -> AsyncIterator[desired_pb2.DesiredChange]:
        await self._link.travel()
        changes = self._office.follow(self._site_id, request)
        broken = asyncio.ensure_future(self._link.until_cut())
        try:
            while True:
                nearest = asyncio.ensure_future(anext(changes))
                await asyncio.wait({nearest, broken}, return_when=asyncio.FIRST_COMPLETED)
                if not nearest.done() or self._link.lost():
                    nearest.cancel()
                    await asyncio.gather(nearest, return_exceptions=True)
                    raise _error(grpc.StatusCode.UNAVAILABLE, "the stream broke")
                try:
                    change = nearest.result()
                except (StopAsyncIteration, asyncio.CancelledError) as ended:
                    raise _error(grpc.StatusCode.UNAVAILABLE, "the controller ended") from ended
                except Exception as error:
                    said = refusal(error, verb="follow")
                    raise _error(said.code, said.sentence) from error
                await self._link.travel()
                if change is not None:
                    yield desired_pb2.DesiredChange.FromString(change.SerializeToString())
        finally:
            broken.cancel()
            await changes.aclose()


class SimulatedUplink(GrpcUplink):
    """The agent's real uplink over a pretended link."""

    def __init__(self, office: Office, site_id: SiteId, link: Link) -> None:
        self._office, self._site_id, self._link = office, site_id, link
        super().__init__(Credentials("office", b"", b"", b""), version="simulated")

    def _open(self, credentials: Credentials) -> None:
        assert credentials.edge_address == "office"
        stub = Stub(self._office, self._site_id, self._link)
        self._edge = stub  # type: ignore[assignment]  # called alike

        self._send_report = stub.sent_report  # type: ignore[assignment]  # called alike

    async def ready(self) -> None:
        """As the real one, without its patience."""
        if self._link.down:
            await self._link.travel()
            raise UplinkError("the controller cannot be reached", sent=False)

    async def close(self) -> None:
        """There is no channel."""


def _error(code: grpc.StatusCode, text: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, NOTHING, NOTHING, details=text)
