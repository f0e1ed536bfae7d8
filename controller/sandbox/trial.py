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
    """The trial could not start or could not go on: why, and the ``next_step`` to try."""

    def __init__(self, why: str, *, next_step: str = "lango doctor") -> None:
        super().__init__(why)
        self.next_step = next_step


async def trial(plan: RigPlan, *, console: Console | None = None) -> None:
    """Run until Ctrl-C or SIGTERM. Raises `TrialFailed`."""
    shown = console or Console()
    if plan.lab and (obstacle := lab_obstacle()):
        raise TrialFailed(obstacle, next_step="leave out --lab to run without it")
    plan.state_dir.mkdir(parents=True, exist_ok=True)
    shown.print("Starting …", style="dim")
    work = asyncio.create_task(_shown_until_cancelled(plan, shown))
    with _cancelled_by_signals(work):
        try:
            await work
        except PortTaken as fault:
            step = "end what listens there; `ss -ltnp` shows what it is"
            raise TrialFailed(str(fault), next_step=step) from fault
        except (ChildFailed, NamespaceError, StallError) as fault:
            raise TrialFailed(str(fault)) from fault
        except asyncio.CancelledError:
            if not work.cancelled():
                raise
    shown.print("Everything is stopped.", style="dim")


async def _shown_until_cancelled(plan: RigPlan, shown: Console) -> None:
    async with Rig(plan) as rig:
        _show(rig, shown)
        background = asyncio.create_task(_background(rig))
        try:
            await asyncio.gather(rig.failed, background)
        finally:
            background.cancel()
            await asyncio.wait({background})


async def _background(rig: Rig) -> None:
    if rig.site is not None:
        url = f"http://127.0.0.1:{rig.plan.ports.daraja}"
        await traffic.live(rig.site.devices[PHONE_DEVICE:], simulator_url=url)


@contextlib.contextmanager
def _cancelled_by_signals(work: asyncio.Task[None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def end() -> None:
        if not asked.is_set():  # a second Ctrl-C must not cut the cleaning up short
            asked.set()
            work.cancel()

    for number in ENDINGS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in ENDINGS:
            loop.remove_signal_handler(number)


def _show(rig: Rig, shown: Console) -> None:
    ports = rig.plan.ports
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Start here: phone and M-PESA", f"http://127.0.0.1:{ports.daraja}/trial")
    table.add_row("The phone alone", f"http://127.0.0.1:{ports.phone}/")
    table.add_row("Buy a code for the site", f"http://127.0.0.1:{ports.http}/buy/{rig.site_id}")
    table.add_row("Other money: Airtel", f"http://127.0.0.1:{ports.airtel}/")
    table.add_row("Other money: cards", f"http://127.0.0.1:{ports.paystack}/")
    table.add_row("Other money: a bank", f"http://127.0.0.1:{ports.bank}/")
    table.add_row("Letters that were sent", f"http://127.0.0.1:{ports.mail}/mail")
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
