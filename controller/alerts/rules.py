"""The rules of alerts: which facts are bad, how bad, and for how long they must be so. PURE.

A fact that is None is not known, and neither raises nor recovers: a site that is silent does not
become cool by it. Between the threshold that raises and the one that recovers lies a band in which
everything stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY_S = 86_400
PER_MILLION = 1_000_000
Facts_ = TypeVar("Facts_")


class Severity(StrEnum):
    """How bad: something to look at today, or something to get up for."""

    WARN = "warn"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Grows with how bad it is."""
        return 1 if self is Severity.WARN else 2


class Mood(StrEnum):
    """What a look at the facts says of one rule."""

    WELL = "well"
    BETWEEN = "between"  # neither, or not known: everything stays as it is
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Seen:
    """One judgement. ``values`` are what the alert's sentence names, beside the site."""

    mood: Mood
    severity: Severity = Severity.WARN
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers of the default set, with their units; settings may have others.

    An upstream that was not heard for ``suspect_s`` may be why those behind it are silent.
    """

    silent_warn_s: int = 60
    silent_critical_s: int = 180
    suspect_s: int = 20
    loss_ppm: int = 50_000
    loss_well_ppm: int = 20_000
    users_left_pct: int = 30
    users_well_pct: int = 50
    users_min: int = 10
    disk_pct: int = 85
    disk_critical_pct: int = 95
    disk_well_pct: int = 80
    temperature_c: int = 80
    temperature_critical_c: int = 90
    temperature_well_c: int = 75
    clock_skew_ms: int = 5_000
    clock_well_ms: int = 2_000
    dhcp_pct: int = 90
    dhcp_well_pct: int = 85
    outbox_pct: int = 80
    outbox_well_pct: int = 50
    certificate_s: int = 14 * DAY_S
    certificate_critical_s: int = 2 * DAY_S
    voucher_tries: int = 30
    voucher_tries_well: int = 10
    volume_times: int = 5
    volume_min_bps: int = 20_000_000
    payments_min: int = 10
    payments_pct: int = 80
    payments_well_pct: int = 90
    not_connected_s: int = 10
    unmatched_s: int = 1_800
    callback_silence_s: int = 600
    callback_prompts_min: int = 3
    busy_from_hour: int = 7
    busy_until_hour: int = 22
    backup_s: int = 26 * 3_600
    backup_critical_s: int = 7 * DAY_S
    sms_balance: int = 200
    sms_balance_critical: int = 50
    free_grants: int = 10
    cloned_devices: int = 1
    double_redemptions: int = 3
    sign_in_tries: int = 10
    sign_in_host_tries: int = 30

    @classmethod
    def of(cls, told: Mapping[str, int]) -> Thresholds:
        """The default set, with other numbers where somebody said so. Raises KeyError: unknown."""
        known = {field.name for field in fields(cls)}
        for name in told:
            if name not in known:
                raise KeyError(name)
        return cls(**told)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What is known of one site at a moment; None where it is not known.

    ``silent_s`` is how long we have listened and heard nothing, ``unheard_s`` how long ago the site
    was last heard, whether or not we listened. ``users_then`` were there at the same hour before,
    ``down_then_bps`` came down then. ``certificate_s`` is the life left of its newest certificate.
    """

    silent_s: int | None = None
    unheard_s: int | None = None
    last_seen: str = ""
    loss_ppm: int | None = None
    users_now: int | None = None
    users_then: int | None = None
    disk_pct: int | None = None
    temperature_c: int | None = None
    clock_skew_ms: int | None = None
    dhcp_pct: int | None = None
    outbox_pct: int | None = None
    certificate_s: int | None = None
    voucher_tries: int | None = None
    down_bps: int | None = None
    down_then_bps: int | None = None


@dataclass(frozen=True, slots=True)
class OfficeFacts:
    """What is known of the operator's business at a moment; None where it is not known.

    Payments are those of the last 15 minutes that came to an end. ``not_connected_s`` and
    ``unmatched_s`` are the age of the oldest of each, 0 where there is none. ``prompts`` were sent
    to phones within the time of ``callback_silence_s``; ``hour`` is Nairobi's. ``sign_in_tries``
    wrong passwords were tried for one person lately, ``host_tries`` from one address for anybody.
    """

    hour: int = 0
    payments_tried: int | None = None
    payments_settled: int | None = None
    not_connected: int = 0
    not_connected_s: int | None = None
    unmatched: int = 0
    unmatched_s: int | None = None
    prompts: int | None = None
    callbacks: int | None = None
    backup_s: int | None = None
    sms_balance: int | None = None
    free_grants: int | None = None
    cloned_devices: int | None = None
    double_redemptions: int | None = None
    sign_in_tries: int | None = None
    sign_in_who: str = ""
    sign_in_where: str = ""
    host_tries: int | None = None
    host: str = ""


@dataclass(frozen=True, slots=True)
class Rule(Generic[Facts_]):
    """What is looked at: for how long a trouble must last to be an alert, and be gone to be over.

    ``is_upstream``: it says that nothing reaches the site, nor any behind it.
    """

    name: str
    judge: Callable[[Facts_, Thresholds], Seen]
    holds_s: int = 0
    clears_s: int = 60
    is_upstream: bool = False


def _over(
    value: int | None, *, warn: int, well: int, critical: int | None = None, unit: str = ""
) -> Seen:
    """More than ``warn`` is bad, up to ``well`` is well."""
    if value is None:
        return Seen(Mood.BETWEEN)
    if value > warn:
        worse = critical is not None and value > critical
        severity = Severity.CRITICAL if worse else Severity.WARN
        return Seen(Mood.BAD, severity, (("value", f"{value}{unit}"),))
    return Seen(Mood.WELL if value <= well else Mood.BETWEEN)


def _agent_silent(facts: SiteFacts, at: Thresholds) -> Seen:
    if facts.silent_s is None or facts.unheard_s is None:
        return Seen(Mood.BETWEEN)
    if facts.silent_s >= at.silent_warn_s:
        worse = facts.silent_s >= at.silent_critical_s
        severity = Severity.CRITICAL if worse else Severity.WARN
        return Seen(Mood.BAD, severity, (("value", facts.last_seen),))
    return Seen(Mood.WELL if facts.unheard_s < at.silent_warn_s else Mood.BETWEEN)


def _wan_loss(facts: SiteFacts, at: Thresholds) -> Seen:
    seen = _over(facts.loss_ppm, warn=at.loss_ppm, well=at.loss_well_ppm)
    if seen.mood is not Mood.BAD or facts.loss_ppm is None:
        return seen
    tenths = facts.loss_ppm * 1_000 // PER_MILLION
    return Seen(Mood.BAD, seen.severity, (("value", f"{tenths // 10}.{tenths % 10} %"),))


def _users_drop(facts: SiteFacts, at: Thresholds) -> Seen:
    now, then = facts.users_now, facts.users_then
    if now is None or then is None:
        return Seen(Mood.BETWEEN)
    if then < at.users_min:
        return Seen(Mood.WELL)
    if now * 100 < then * at.users_left_pct:
        return Seen(Mood.BAD, Severity.WARN, (("value", str(now)), ("usual", str(then))))
    return Seen(Mood.WELL if now * 100 >= then * at.users_well_pct else Mood.BETWEEN)


def _disk_full(facts: SiteFacts, at: Thresholds) -> Seen:
    return _over(
        facts.disk_pct,
        warn=at.disk_pct,
        well=at.disk_well_pct,
        critical=at.disk_critical_pct,
        unit=" %",
    )


def _hot(facts: SiteFacts, at: Thresholds) -> Seen:
    return _over(
        facts.temperature_c,
        warn=at.temperature_c,
        well=at.temperature_well_c,
        critical=at.temperature_critical_c,
        unit=" °C",
    )


def _clock_skew(facts: SiteFacts, at: Thresholds) -> Seen:
    skew = None if facts.clock_skew_ms is None else abs(facts.clock_skew_ms)
    seen = _over(skew, warn=at.clock_skew_ms, well=at.clock_well_ms)
    if seen.mood is not Mood.BAD or skew is None:
        return seen
    return Seen(Mood.BAD, seen.severity, (("value", f"{skew // 1_000} s"),))


def _dhcp_pool(facts: SiteFacts, at: Thresholds) -> Seen:
    return _over(facts.dhcp_pct, warn=at.dhcp_pct, well=at.dhcp_well_pct, unit=" %")


def _outbox_filling(facts: SiteFacts, at: Thresholds) -> Seen:
    return _over(facts.outbox_pct, warn=at.outbox_pct, well=at.outbox_well_pct, unit=" %")


def _certificate_ends(facts: SiteFacts, at: Thresholds) -> Seen:
    left = facts.certificate_s
    if left is None:
        return Seen(Mood.BETWEEN)
    if left >= at.certificate_s:
        return Seen(Mood.WELL)
    severity = Severity.CRITICAL if left < at.certificate_critical_s else Severity.WARN
    return Seen(Mood.BAD, severity, (("value", str(max(left, 0) // DAY_S)),))


def _voucher_guessing(facts: SiteFacts, at: Thresholds) -> Seen:
    return _over(facts.voucher_tries, warn=at.voucher_tries, well=at.voucher_tries_well)


def _sudden_volume(facts: SiteFacts, at: Thresholds) -> Seen:
    now, then = facts.down_bps, facts.down_then_bps
    if now is None or then is None:
        return Seen(Mood.BETWEEN)
    if now >= at.volume_min_bps and now > then * at.volume_times:
        said = (("value", str(now // PER_MILLION)), ("usual", str(then // PER_MILLION)))
        return Seen(Mood.BAD, Severity.WARN, said)
    return Seen(Mood.WELL)


def _payments_failing(facts: OfficeFacts, at: Thresholds) -> Seen:
    tried, settled = facts.payments_tried, facts.payments_settled
    if tried is None or settled is None or 0 < tried < at.payments_min:
        return Seen(Mood.BETWEEN)
    if settled * 100 < tried * at.payments_pct:
        severity = Severity.WARN if settled * 2 > tried else Severity.CRITICAL
        return Seen(Mood.BAD, severity, (("value", str(settled)), ("usual", str(tried))))
    return Seen(Mood.WELL if settled * 100 >= tried * at.payments_well_pct else Mood.BETWEEN)


def _not_connected(facts: OfficeFacts, at: Thresholds) -> Seen:
    if facts.not_connected_s is None:
        return Seen(Mood.BETWEEN)
    if facts.not_connected_s > at.not_connected_s:
        return Seen(Mood.BAD, Severity.CRITICAL, (("value", str(facts.not_connected)),))
    return Seen(Mood.WELL if facts.not_connected == 0 else Mood.BETWEEN)


def _unmatched(facts: OfficeFacts, at: Thresholds) -> Seen:
    if facts.unmatched_s is None:
        return Seen(Mood.BETWEEN)
    if facts.unmatched_s > at.unmatched_s:
        return Seen(Mood.BAD, Severity.WARN, (("value", str(facts.unmatched)),))
    return Seen(Mood.WELL)


def _callbacks_silent(facts: OfficeFacts, at: Thresholds) -> Seen:
    if facts.callbacks is None or facts.prompts is None:
        return Seen(Mood.BETWEEN)
    if facts.callbacks:
        return Seen(Mood.WELL)
    is_busy = at.busy_from_hour <= facts.hour < at.busy_until_hour
    if not is_busy or facts.prompts < at.callback_prompts_min:
        return Seen(Mood.BETWEEN)
    return Seen(Mood.BAD, Severity.CRITICAL, (("value", str(facts.prompts)),))


def _backup_old(facts: OfficeFacts, at: Thresholds) -> Seen:
    if facts.backup_s is None:
        return Seen(Mood.BETWEEN)
    if facts.backup_s <= at.backup_s:
        return Seen(Mood.WELL)
    severity = Severity.CRITICAL if facts.backup_s > at.backup_critical_s else Severity.WARN
    return Seen(Mood.BAD, severity, (("value", str(facts.backup_s // 3_600)),))


def _sms_balance(facts: OfficeFacts, at: Thresholds) -> Seen:
    if facts.sms_balance is None:
        return Seen(Mood.BETWEEN)
    if facts.sms_balance >= at.sms_balance:
        return Seen(Mood.WELL)
    severity = Severity.CRITICAL if facts.sms_balance < at.sms_balance_critical else Severity.WARN
    return Seen(Mood.BAD, severity, (("value", str(facts.sms_balance)),))


def _free_access(facts: OfficeFacts, at: Thresholds) -> Seen:
    return _over(facts.free_grants, warn=at.free_grants, well=at.free_grants)


def _cloned_devices(facts: OfficeFacts, at: Thresholds) -> Seen:
    return _over(facts.cloned_devices, warn=at.cloned_devices - 1, well=at.cloned_devices - 1)


def _double_redemptions(facts: OfficeFacts, at: Thresholds) -> Seen:
    many = at.double_redemptions - 1
    return _over(facts.double_redemptions, warn=many, well=many)


def _guessed_at(facts: OfficeFacts, at: Thresholds) -> Seen:
    many = at.sign_in_tries - 1
    seen = _over(facts.sign_in_tries, warn=many, well=many)
    said = (("who", facts.sign_in_who), ("where", facts.sign_in_where))
    return replace(seen, values=(*seen.values, *said)) if seen.mood is Mood.BAD else seen


def _guessing(facts: OfficeFacts, at: Thresholds) -> Seen:
    many = at.sign_in_host_tries - 1
    seen = _over(facts.host_tries, warn=many, well=many)
    said = (("where", facts.host),)
    return replace(seen, values=(*seen.values, *said)) if seen.mood is Mood.BAD else seen


SITE_RULES: tuple[Rule[SiteFacts], ...] = (
    Rule("agent_silent", _agent_silent, is_upstream=True),
    Rule("wan_loss", _wan_loss, holds_s=300, clears_s=300),
    Rule("users_drop", _users_drop, holds_s=300, clears_s=300),
    Rule("disk_full", _disk_full, holds_s=60, clears_s=300),
    Rule("hot", _hot, holds_s=120, clears_s=300),
    Rule("clock_skew", _clock_skew, holds_s=60),
    Rule("dhcp_pool", _dhcp_pool, holds_s=60, clears_s=300),
    Rule("outbox_filling", _outbox_filling, holds_s=60, clears_s=300),
    Rule("certificate_ends", _certificate_ends),
    Rule("voucher_guessing", _voucher_guessing, clears_s=600),
    Rule("sudden_volume", _sudden_volume, holds_s=900, clears_s=900),
)
"""What is looked at for each site."""

OFFICE_RULES: tuple[Rule[OfficeFacts], ...] = (
    Rule("payments_failing", _payments_failing, clears_s=300),
    Rule("not_connected", _not_connected, clears_s=30),
    Rule("unmatched", _unmatched),
    Rule("callbacks_silent", _callbacks_silent),
    Rule("backup_old", _backup_old),
    Rule("sms_balance", _sms_balance, clears_s=300),
    Rule("free_access", _free_access, clears_s=600),
    Rule("cloned_devices", _cloned_devices, holds_s=60, clears_s=600),
    Rule("double_redemptions", _double_redemptions),
    Rule("sign_in_person", _guessed_at, clears_s=600),
    Rule("sign_in_address", _guessing, clears_s=600),
)
"""What is looked at for the operator as a whole."""

RULE_NAMES = frozenset({*(rule.name for rule in SITE_RULES), *(rule.name for rule in OFFICE_RULES)})
