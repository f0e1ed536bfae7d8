"""The controller, which can be killed; and M-PESA with its payers, who outlive it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import SecretStr

from controller.config import Settings
from controller.config_sections import MpesaSection
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.edge.dispatch import Dispatch
from controller.jobs import Job, run_jobs
from controller.payments.memory import MemoryGateway
from controller.signals import Signals
from controller.store.database import Database, DatabaseBusy
from controller.usecases.settle import take_callback
from controller.vault import open_vault
from controller.work import VERBS, due_work
from tests.simulation.inline import connecting
from tests.simulation.virtual import START, true_wall, virtual_loop

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncGenerator, Awaitable, Coroutine
    from pathlib import Path

    from wirepb.v1 import desired_pb2, edge_pb2

    from billing.ids import SiteId

ACCOUNT = MpesaSection(
    base_url="http://127.0.0.1:8090",
    shortcode="600111",
    consumer_key="key",
    consumer_secret=SecretStr("secret"),
    passkey=SecretStr("passkey"),
)
T = TypeVar("T")


class Killed(Exception):  # noqa: N818 - a sentence
    """The controller was killed while it worked on this."""


class Office:
    """The controller on one database file in ``folder``, which is migrated already."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.gateway = MemoryGateway()
        self.kills = 0
        self.faults: list[str] = []
        self._sent: dict[str, int] = {}
        self._vault = open_vault(folder)
        self._authority = open_authority(folder, START)
        self._open()

    async def kill(self) -> None:
        """As kill -9, and started again: what was under way is undone, who waits hears nothing."""
        await self.close()
        self.kills += 1
        self._open()

    async def close(self) -> None:
        """Stop everything that is under way."""
        await virtual_loop().end_life(self._life)
        await self.db.close()

    async def answer(self, verb: str, site_id: SiteId, request: Any) -> Any:
        """What the controller answers. Raises `Killed`, and whatever the verb refuses with."""
        answer = await self._heard(getattr(self.dispatch, verb)(site_id, request))
        if verb == "report":
            self._must_be_sent(request, answer.acked_seq)
        return answer

    def _must_be_sent(self, request: Any, acked_seq: int) -> None:
        """Invariant 7: an ack never speaks of records that nobody sent."""
        seqs = [record.seq for record in request.records]
        last = self._sent[request.journal] = max(self._sent.get(request.journal, 0), *seqs, 0)
        if acked_seq > last:
            self.faults.append(f"7: record {acked_seq} was acknowledged, {last} was the last sent")
            raise Killed  # whoever believes it would ask again without end

    async def follow(
        self, site_id: SiteId, request: edge_pb2.FollowRequest
    ) -> AsyncGenerator[desired_pb2.DesiredChange | None]:
        """The stream of a site's changes; ends when the controller is killed."""
        life = self._life
        stream = self.dispatch.follow(site_id, request, uncut=_within)
        while self._life == life:
            try:
                change = await self._heard(_next(stream))
            except (Killed, StopAsyncIteration):
                return
            yield change

    async def callback(self, url: str, body: bytes) -> bool:
        """M-PESA posts to us, and tries a few times when it gets no answer; whether it got one."""
        for _ in range(3):
            work = take_callback(
                self.deps, token=url.rsplit("/", 1)[1], body=body, source="196.201.214.200"
            )
            with suppress(Killed, DatabaseBusy):
                await self._heard(work)
                return True
            await asyncio.sleep(5)
        return False

    def _open(self) -> None:
        path = str(self.folder / "lango.db")
        self.db = Database(f"sqlite+aiosqlite:///{path}", connect=connecting(path, self.chance))
        self.deps = Deps(
            settings=Settings(state_dir=self.folder, mpesa=ACCOUNT),
            db=self.db,
            now=true_wall,
            signals=Signals(),
            vault=self._vault,
            authority=self._authority,
            gateway=self.gateway,
        )
        self.dispatch = Dispatch(self.deps, VERBS)
        jobs = [_seldom(job) for job in due_work()]
        virtual_loop().spawn(self._life, run_jobs(jobs, self.deps))

    @property
    def _life(self) -> str:
        return f"office-{self.kills}"

    async def _heard(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work``, done in the controller's life, comes to. Raises `Killed`."""
        task = virtual_loop().spawn(self._life, work)
        await asyncio.wait({task})
        if task.cancelled():
            raise Killed
        return task.result()


async def _within(work: Awaitable[T]) -> T:
    return await work


async def _next(stream: AsyncGenerator[T]) -> T:
    return await anext(stream)


def _seldom(job: Job) -> Job:
    """Virtual time passes fast: jobs that look again and again would be most of what is done."""
    return Job(job.name, max(60.0, job.every_s), job.work, job.round_max_s, job.worth_telling)
