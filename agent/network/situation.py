"""What is to be served at this moment, put together from what is on disk.

The configuration says the network; the note of a trial says other numbers for a while; the agent
notes the garden's names and whether the upstreams answer, so that a command which changes the
network while no agent runs serves the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.network import files
from agent.network.leases import FILE_BYTES_MAX, leases
from agent.network.plan import Served, garden_names
from agent.network.trial import Trial, TrialDamaged, decoded, encoded

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Instant
    from agent.network.leases import Lease
    from agent.network.plan import Network

TRIAL = "trial.json"
SITUATION = "situation.json"
NOTE_BYTES_MAX = 256 << 10


@dataclass(frozen=True, slots=True)
class Situation:
    """What the agent knows beyond the configuration: names of the garden, and the uplink."""

    garden: tuple[str, ...] = ()
    link_up: bool = True


def served(folder: Path, network: Network, now: Instant, *, by_name: bool) -> Served:
    """What is to be served: the network as configured, or as tried. Raises `OSError`."""
    trial, known = pending(folder), situation(folder)
    configured = replace(network, garden=known.garden)
    if trial is None or trial.over(now):
        return Served(configured, link_up=known.link_up, by_name=by_name)
    tried = trial.of(configured)
    return Served(tried, before=configured, link_up=known.link_up, by_name=by_name)


def pending(folder: Path) -> Trial | None:
    """The trial that is not yet confirmed or taken back; a damaged note is none.

    Raises `OSError`.
    """
    try:
        text = _read(folder / TRIAL, NOTE_BYTES_MAX)
        return None if text is None else decoded(text)
    except TrialDamaged:
        return None


def note_trial(folder: Path, trial: Trial) -> None:
    """Write a trial down before anything is done. Raises `OSError`."""
    files.write(folder / TRIAL, encoded(trial))


def forget_trial(folder: Path) -> None:
    """The trial is over, one way or the other. Raises `OSError`."""
    files.remove(folder / TRIAL)


def situation(folder: Path) -> Situation:
    """What the agent noted last; what cannot be read is as if it had noted nothing."""
    try:
        raw = json.loads(_read(folder / SITUATION, NOTE_BYTES_MAX) or "{}")
        garden, _ = garden_names(map(str, raw.get("garden", ())))
        return Situation(garden=garden, link_up=raw.get("link_up") is not False)
    except (OSError, ValueError, TypeError, AttributeError):
        return Situation()


def note_situation(folder: Path, known: Situation) -> None:
    """Note it, when it is not what was noted last. Raises `OSError`."""
    if known != situation(folder) or not (folder / SITUATION).exists():
        text = json.dumps({"garden": known.garden, "link_up": known.link_up})
        files.write(folder / SITUATION, text)


def leased(folder: Path, now: Instant) -> tuple[Lease, ...]:
    """Who has an address now. Raises `OSError`."""
    text = _read(folder / "leases", FILE_BYTES_MAX) or ""
    return leases(text, now_s=int(now.wall.timestamp()))


def pool_use(folder: Path, network: Network, now: Instant) -> tuple[int, int]:
    """How many addresses of the range that is served devices have, and how many there are.

    Raises `OSError`.
    """
    trial = pending(folder)
    wanted = network if trial is None or trial.over(now) else trial.of(network)
    taken = sum(wanted.first <= one.address <= wanted.last for one in leased(folder, now))
    return taken, int(wanted.last) - int(wanted.first) + 1


def _read(path: Path, bytes_max: int) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(bytes_max).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
