"""``lango trial``: the whole product on this machine, for a stranger to see."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from controller.sandbox.children import ChildFailed
from controller.sandbox.lab import traffic
from controller.sandbox.lab.namespace import NamespaceError
from controller.sandbox.rig import PHONE_DEVICE, PHONE_SOURCE, PortTaken, Rig, RigPlan, lab_obstacle
from controller.sandbox.stall import StallError

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class TrialFailed(Exception):  # noqa: N818 - a sentence for the screen
    """The trial could not start or could not go on; the message says why and what to do."""


async def trial(plan: RigPlan, *, console: Console | None = None) -> None:
    """Run until Ctrl-C or SIGTERM. Raises `TrialFailed`."""
    shown = console or Console()
    if plan.lab and (obstacle := lab_obstacle()):
        raise TrialFailed(f"{obstacle}; leave out --lab to run without it")
    plan.state_dir.mkdir(parents=True, exist_ok=True)
    shown.print("Starting …", style="dim")
    with _asked_to_end() as ending:
        try:
            await _run(plan, ending, shown)
        except (ChildFailed, NamespaceError, PortTaken, StallError) as fault:
            raise TrialFailed(str(fault)) from fault
    shown.print("Everything is stopped.", style="dim")


async def _run(plan: RigPlan, ending: asyncio.Event, shown: Console) -> None:
    starting = asyncio.ensure_future(_until_ended(plan, ending, shown))
    waiting = asyncio.ensure_future(ending.wait())
    either: set[asyncio.Future[Any]] = {starting, waiting}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not starting.done() and ending.is_set():
        starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting


async def _until_ended(plan: RigPlan, ending: asyncio.Event, shown: Console) -> None:
    async with Rig(plan) as rig:
        _show(rig, shown)
        shoppers = asyncio.create_task(_background(rig))
        ended: asyncio.Future[bool] = asyncio.create_task(ending.wait())
        try:
            await asyncio.wait([ended, rig.failed], return_when=asyncio.FIRST_COMPLETED)
            if rig.failed.done():
                rig.failed.result()
        finally:
            shoppers.cancel()
            ended.cancel()
            await asyncio.gather(shoppers, ended, return_exceptions=True)


async def _background(rig: Rig) -> None:
    if rig.site is not None:
        url = f"http://127.0.0.1:{rig.plan.ports.daraja}"
        await traffic.live(rig.site.devices[PHONE_DEVICE:], simulator_url=url)


@contextlib.contextmanager
def _asked_to_end() -> Iterator[asyncio.Event]:
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()
    for number in ENDINGS:
        loop.add_signal_handler(number, ending.set)
    try:
        yield ending
    finally:
        for number in ENDINGS:
            loop.remove_signal_handler(number)


def _show(rig: Rig, shown: Console) -> None:
    ports = rig.plan.ports
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Start here: phone and M-PESA", f"http://127.0.0.1:{ports.daraja}/trial")
    table.add_row("The phone alone", f"http://127.0.0.1:{ports.phone}/")
    table.add_row("Staff: sites, sessions, payments", f"http://127.0.0.1:{ports.http}/noc")
    table.add_row("Staff key", rig.staff_key)
    table.add_row("State and logs", str(rig.plan.state_dir.absolute()))
    shown.print()
    shown.print(table)
    shown.print()
    if rig.has_lab:
        shown.print("A lab site runs in network namespaces: real packets, real kernel.")
    else:
        reason = "as asked" if rig.plan.lab is False else lab_obstacle()
        shown.print(
            f"No lab ({reason}): the agent runs on the memory plane, which moves no packets. "
            f"The phone is {PHONE_SOURCE}, and what it may reach is only shown, not enforced.",
        )
    shown.print("Ctrl-C stops everything.", style="dim")
