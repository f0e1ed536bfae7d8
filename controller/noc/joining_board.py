"""How far a machine has come on its way to be a site's gateway. PURE.

Ticks follow from what the script told, what the controller did itself, and what the agent reports.
Of an agent that was there before the code was used nothing counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.noc.board import is_in_step, is_online
from controller.noc.words import word
from controller.usecases.joining import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from controller.store.series_rows import SiteVitalsRow
    from controller.store.site_rows import JoinStepRow, JoinTokenRow, SiteRow

SKEW_MAX_MS = 1_000
DIGEST_SHOWN = 8

GOOD, BUSY, BAD, QUIET = "good", "busy", "bad", "quiet"
SAID = {
    GOOD: word("done"),
    BUSY: word("waiting for it"),
    BAD: word("something is wrong"),
    QUIET: word("later"),
}
"""Each tone as a word."""

FAILED_AT: Mapping[str, str] = {
    Step.SYSTEM: word("It stopped while it set up the system. The terminal says why."),
    Step.INSTALLED: word("It stopped while it installed the agent. The terminal says why."),
    Step.CHOSEN: word("It stopped at the configuration. The terminal says why."),
    Step.JOINED: word("It could not join. Does the machine reach the controller's join port?"),
    Step.STARTED: word("The agent does not start. journalctl -u lango-agent says why."),
}
"""What is said of a script that stopped, by the step at which it did."""

STOPPED = word("It stopped. The terminal says why; the command can be run again.")


@dataclass(frozen=True, slots=True)
class Tick:
    """One thing that has to be so. ``told`` is a text with ``values``; "" when there is none."""

    key: str
    name: str
    tone: str
    at: datetime | None = None
    told: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a machine that joins; ``token`` None: there never was a code."""

    now: datetime
    site: SiteRow
    token: JoinTokenRow | None
    steps: Mapping[str, JoinStepRow]
    vitals: SiteVitalsRow | None

    @property
    def since(self) -> datetime | None:
        """From when on what an agent says is of this machine."""
        used_at = None if self.token is None else self.token.used_at
        again = self.steps.get(Step.JOINED)
        return used_at or (None if again is None else again.at)

    @property
    def is_connected(self) -> bool:
        """Whether its agent has reported."""
        seen, since = self.site.last_seen_at, self.since
        return seen is not None and since is not None and seen >= since

    @property
    def told(self) -> SiteVitalsRow | None:
        """How its box is, as far as its agent has said."""
        vitals, since = self.vitals, self.since
        return vitals if vitals is not None and since is not None and vitals.at >= since else None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The script stopped, and that is the last that it told."""

    at: datetime
    why: str


def ticks(known: Known) -> tuple[Tick, ...]:
    """All ticks in their order; the first that is not there yet is the one that is waited for."""
    made = [
        _step(known, Step.BEGAN, word("The command was started")),
        _step(known, Step.INSTALLED, word("The agent is installed")),
        _chosen(known),
        _joined(known),
        _connected(known),
        _interfaces(known),
        _clock(known),
        _policy(known),
        _portal(known),
        _online(known),
    ]
    return tuple(_with_one_awaited(_without_gaps(made)))


def stopped(known: Known) -> Stopped | None:
    """Where the script stopped; None when it did not, or was started again since."""
    failed = known.steps.get(Step.FAILED)
    if failed is None or any(one.at > failed.at for one in known.steps.values()):
        return None
    return Stopped(failed.at, FAILED_AT.get(failed.told, STOPPED))


def is_up(known: Known) -> bool:
    """Whether the machine is the site's gateway, and the site is online by it."""
    return known.is_connected and is_online(known.site, known.now) and is_in_step(known.site)


def _without_gaps(made: Sequence[Tick]) -> list[Tick]:
    """A machine that joined by hand tells no steps: it has joined, so they were done."""
    if not any(one.key == Step.JOINED and one.tone == GOOD for one in made):
        return list(made)
    return [Tick(one.key, one.name, GOOD) if _is_untold(one) else one for one in made]


def _is_untold(one: Tick) -> bool:
    return one.tone == QUIET and one.key in {Step.BEGAN, Step.INSTALLED, Step.CHOSEN}


def _with_one_awaited(made: Sequence[Tick]) -> list[Tick]:
    awaited = next((n for n, one in enumerate(made) if one.tone == QUIET), None)
    return [
        Tick(one.key, one.name, BUSY, told=one.told, values=one.values) if n == awaited else one
        for n, one in enumerate(made)
    ]


def _step(known: Known, step: Step, name: str) -> Tick:
    found = known.steps.get(step)
    return Tick(step, name, QUIET) if found is None else Tick(step, name, GOOD, found.at)


def _chosen(known: Known) -> Tick:
    name, found = word("LAN and WAN are chosen"), known.steps.get(Step.CHOSEN)
    if found is None:
        return Tick(Step.CHOSEN, name, QUIET)
    lan, _, wan = found.told.partition(" ")
    told = word("Devices on {lan}, internet on {wan}.")
    return Tick(Step.CHOSEN, name, GOOD, found.at, told, {"lan": lan, "wan": wan})


def _joined(known: Known) -> Tick:
    name, since = word("The code was used: the machine has joined"), known.since
    return Tick(Step.JOINED, name, QUIET if since is None else GOOD, since)


def _connected(known: Known) -> Tick:
    name = word("The agent is connected")
    if not known.is_connected:
        return Tick("connected", name, QUIET)
    told = word("Agent {version}.")
    return Tick("connected", name, GOOD, None, told, {"version": known.site.agent_version})


def _interfaces(known: Known) -> Tick:
    name, told = word("Both interfaces are there"), known.told
    if told is None:
        return Tick("interfaces", name, QUIET)
    lan, wan = told.lan_down_bytes is not None, told.wan_down_bytes is not None
    if lan and wan:
        return Tick("interfaces", name, GOOD)
    if not lan and not wan:
        none = word("The agent tells of none: beside a router it has none.")
        return Tick("interfaces", word("Interfaces"), GOOD, None, none)
    missing = word("The agent finds no LAN.") if wan else word("The agent finds no WAN.")
    return Tick("interfaces", name, BAD, None, missing)


def _clock(known: Known) -> Tick:
    name, told = word("Its clock is right"), known.told
    if told is None or told.clock_skew_ms is None:
        return Tick("clock", name, QUIET)
    skew_ms = told.clock_skew_ms
    if abs(skew_ms) <= SKEW_MAX_MS:
        return Tick("clock", name, GOOD)
    wrong = word("It is wrong by {n} s: run an NTP client on the machine.")
    return Tick("clock", name, BAD, None, wrong, {"n": f"{abs(skew_ms) // 1_000:,}"})


def _policy(known: Known) -> Tick:
    name, site = word("What the site sells and does is applied"), known.site
    if not known.is_connected or not is_in_step(site):
        return Tick("policy", name, QUIET)
    told = word("Generation {generation}, digest {digest}.")
    digest = bytes(site.applied_digest).hex()[:DIGEST_SHOWN]
    values = {"generation": site.applied_generation, "digest": digest}
    return Tick("policy", name, GOOD, None, told, values)


def _portal(known: Known) -> Tick:
    """An agent that does not say is older than the word, and what it has is not told apart."""
    name, told = word("The portal is open"), known.told
    if told is None:
        return Tick("portal", name, QUIET)
    if told.portal_open is None:
        return Tick("portal", name, GOOD, None, word("This agent does not say."))
    if told.portal_open:
        return Tick("portal", name, GOOD)
    return Tick("portal", name, BAD, None, word("It cannot be opened yet: is the LAN there?"))


def _online(known: Known) -> Tick:
    name = word("The site is online")
    if is_up(known):
        return Tick("online", name, GOOD)
    if known.is_connected and not is_online(known.site, known.now):
        return Tick("online", name, BAD, None, word("It was, and has gone silent."))
    return Tick("online", name, QUIET)
