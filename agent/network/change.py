"""Try a change of the LAN's numbers, confirm it, or take it back.

Each step may be cut off anywhere and be done again: the note of a trial is on disk before the first
address is put, and goes only after the last thing was taken back. One process at a time.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.network import dnsmasq, files, situation
from agent.network.dnsmasq import DnsmasqError
from agent.network.plan import Served, faults
from agent.network.trial import Trial, overlapping, preview

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv4Interface
    from pathlib import Path

    from agent.clock import Clock
    from agent.model import Instant
    from agent.network.plan import Network

TRY_S = 300
TRY_S_MIN, TRY_S_MAX = 5, 3_600


class ChangeRefused(Exception):  # noqa: N818 - sentences for people
    """The change is not made. ``faults`` say why, each with the option it is about."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Wish:
    """The numbers that are asked for; None stays as it is."""

    address: IPv4Interface | None = None
    first: IPv4Address | None = None
    last: IPv4Address | None = None
    seconds: int = TRY_S

    def of(self, network: Network) -> Network:
        """The network as it is asked for."""
        return replace(
            network,
            address=self.address or network.address,
            first=self.first or network.first,
            last=self.last or network.last,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the agent keeps its files, and the file of its configuration."""

    state_dir: Path
    config: Path


def previewed(place: Place, network: Network, wish: Wish, clock: Clock) -> tuple[str, ...]:
    """What a try would mean, as sentences; nothing is done. Raises `ChangeRefused`."""
    with _held(place) as folder:
        now = clock.now()
        _checked(folder, network, wish, now)
        return tuple(preview(network, wish.of(network), situation.leased(folder, now)))


def begin(place: Place, network: Network, wish: Wish, clock: Clock) -> Trial:
    """Make the change, for a while. Raises `ChangeRefused`; then all is as it was."""
    from agent.network import addresses

    with _held(place) as folder:
        now = clock.now()
        put = _checked(folder, network, wish, now)
        tried = wish.of(network)
        trial = Trial(
            id=secrets.token_hex(8),
            address=tried.address,
            first=tried.first,
            last=tried.last,
            put=put,
            until_ms=now.mono + wish.seconds * 1_000,
            boot=now.boot,
        )
        situation.note_trial(folder, trial)
        # Whatever happens to this process from here on, somebody takes the change back in time.
        _set_timer(place, trial)
        try:
            if put:
                addresses.put(network.lan, tried.address)
            _serve(folder, network, now)
        except (addresses.AddressError, DnsmasqError) as broken:
            _take_back(folder, network, trial, now)
            raise ChangeRefused(f"taken back at once: {broken}") from broken
        return trial


def confirmable(place: Place, clock: Clock) -> Trial:
    """The trial that can be confirmed. Raises `ChangeRefused` when there is none any more."""
    with _held(place) as folder:
        trial = situation.pending(folder)
        if trial is None:
            raise ChangeRefused("no change is being tried")
        if trial.over(clock.now()):
            raise ChangeRefused("too late: the change goes back, as nobody confirmed it in time")
        return trial


def settle(place: Place, trial: Trial, network: Network, clock: Clock) -> None:
    """The change stays: ``network`` is what the configuration says by now.

    Raises `ChangeRefused`.
    """
    with _held(place) as folder:
        now = clock.now()
        if situation.pending(folder) == trial:
            situation.forget_trial(folder)
        _serve_if_possible(folder, network, now)


def take_back(
    place: Place, network: Network, clock: Clock, *, only_due: str | None = None
) -> Trial | None:
    """Take the trial back; ``only_due`` only that one, and only when its time is over.

    Raises `ChangeRefused`.
    """
    with _held(place) as folder:
        now, trial = clock.now(), situation.pending(folder)
        if trial is None or (only_due is not None and not (_due(trial, only_due, now))):
            return None
        _take_back(folder, network, trial, now)
        return trial


def ensure(place: Place, network: Network) -> bool:
    """Put the LAN's address when it is missing; whether it was. Raises `ChangeRefused`."""
    from agent.network import addresses

    try:
        with _held(place):
            if (network.lan, network.address) in addresses.addresses():
                return False
            addresses.put(network.lan, network.address)
            return True
    except addresses.AddressError as broken:
        raise ChangeRefused(str(broken)) from broken


def _due(trial: Trial, id_: str, now: Instant) -> bool:
    return trial.id == id_ and trial.over(now)


def _checked(folder: Path, network: Network, wish: Wish, now: Instant) -> bool:
    """Whether the address has to be put there. Raises `ChangeRefused` for what cannot be."""
    from agent.network import addresses

    tried = wish.of(network)
    wrong = [f"{_OPTIONS.get(key, key)}: {why}" for key, why in faults(tried)]
    if not TRY_S_MIN <= wish.seconds <= TRY_S_MAX:
        wrong.append(f"--minutes: want {TRY_S_MIN} s to {TRY_S_MAX // 60} minutes")
    if tried == network:
        wrong.append("--address, --range: this is how it is already")
    try:
        there = addresses.addresses()
    except addresses.AddressError as broken:
        raise ChangeRefused(str(broken)) from broken
    strangers = [(name, one) for name, one in there if name != network.lan]
    if (met := overlapping(tried.address, strangers)) is not None:
        wrong.append(f"--address: {tried.address} overlaps {met[1]} of {met[0]}")
    pending = situation.pending(folder)
    if pending is not None:
        left = pending.left_s(now)
        wrong.append(f"{pending.address} is being tried, {left} s are left: confirm or revert it")
    if wrong:
        raise ChangeRefused(*wrong)
    try:
        dnsmasq.check(folder, Served(tried, before=network))
    except DnsmasqError as refused:
        raise ChangeRefused(str(refused)) from refused
    return (network.lan, tried.address) not in there


_OPTIONS = {"network.address": "--address", "network.range": "--range"}


def _take_back(folder: Path, network: Network, trial: Trial, now: Instant) -> None:
    """Take away what the trial put, then forget it.

    Invariant: the note of the trial goes last; cut off before that, this is done again.
    """
    from agent.network import addresses

    # The kernel forgets addresses with the life of the machine: what is there by now somebody else
    # has put. And a confirmation may have been cut off after it had written the configuration.
    ours = trial.put and trial.boot == now.boot and network.address != trial.address
    try:
        if ours:
            addresses.take(network.lan, trial.address)
    except addresses.AddressError as broken:
        raise ChangeRefused(str(broken)) from broken
    situation.forget_trial(folder)
    _serve_if_possible(folder, network, now)


def _serve(folder: Path, network: Network, now: Instant) -> None:
    by_name = "nftset" in dnsmasq.installed()
    dnsmasq.serve_locked(folder, situation.served(folder, network, now, by_name=by_name))


def _serve_if_possible(folder: Path, network: Network, now: Instant) -> None:
    """A running agent tries again, and says so, when this does not work."""
    with contextlib.suppress(DnsmasqError):
        _serve(folder, network, now)


def _set_timer(place: Place, trial: Trial) -> None:
    """A process of its own, which waits for the end of the trial whoever else lives."""
    argv = [sys.executable, "-m", "agent.network.timer", str(place.config), trial.id]
    subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.contextmanager
def _held(place: Place) -> Iterator[Path]:
    try:
        with files.locked(place.state_dir) as folder:
            yield folder
    except OSError as broken:
        raise ChangeRefused(f"{broken.filename or place.state_dir}: {broken.strerror}") from broken
