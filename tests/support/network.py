"""A network as it is at noon: sites in towns, people online, an hour of measurements."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from controller.store.alert_rows import AlertRow
from controller.store.backup_rows import BackupRow
from controller.store.series_rows import SiteSampleRow, SiteVitalsRow
from controller.store.site_rows import CertificateRow, OutageRow, ProbeResultRow, ProbeRow, SiteRow
from tests.support.office import (
    NOON,
    a_grant,
    a_notice,
    a_payment,
    a_plan,
    a_session,
    a_site,
    a_subscriber,
)

if TYPE_CHECKING:
    from controller.store.rows import Row
    from tests.support.office import Office

TOWNS = (
    ("ruiru", "Ruiru Kimbo", -1_148_900, 36_960_600),
    ("kasarani", "Kasarani Mwiki", -1_218_500, 36_918_200),
    ("rongai", "Ongata Rongai", -1_395_800, 36_744_700),
    ("kitengela", "Kitengela Milimani", -1_476_200, 36_958_700),
    ("kisumu", "Kisumu Nyalenda", -118_300, 34_760_500),
    ("nakuru", "Nakuru Pipeline", -330_200, 36_110_800),
    ("mombasa", "Mombasa Likoni", -4_085_600, 39_658_100),
    ("eldoret", "Eldoret Langas", 480_700, 35_269_800),
    ("lamu", "Lamu Old Town", -2_271_000, 40_902_000),
)
REASONS = ("cancelled", "wrong_pin", "no_balance")


def a_network() -> list[Row]:
    """Nine sites in towns and one that is nowhere; one is silent, one behind, one never seen."""
    rows: list[Row] = [a_plan(), a_plan("day", name="1 day", price_minor=5_000), a_subscriber()]
    for n, (site_id, name, latitude, longitude) in enumerate(TOWNS):
        rows.append(_site(n, site_id, name, latitude, longitude))
    rows.append(a_site("estate-1", name="Estate 1"))
    for n, (site_id, *_) in enumerate(TOWNS):
        rows += _measured(n, site_id)
    rows.append(a_grant(site_id="ruiru"))
    rows += [_session(n) for n in range(14)]
    rows += [_payment(n) for n in range(24)]
    rows += [
        a_notice(site_id="ruiru", code="clock_jumped", text="the clock of the box jumped by 41 s"),
        a_notice("d" * 32, site_id="nakuru", code="amount_differs", text="KES 20 came for KES 50"),
        OutageRow(
            site_id="ruiru",
            began_at=NOON - timedelta(minutes=47),
            ended_at=NOON - timedelta(minutes=41),
        ),
        OutageRow(
            site_id="ruiru",
            began_at=NOON - timedelta(minutes=19),
            ended_at=NOON - timedelta(minutes=18),
        ),
        _alert("1", "kisumu", "critical", "Kisumu Nyalenda has been silent for 22 minutes"),
        _alert("2", "nakuru", "warn", "Nakuru Pipeline: the disk is 91 % full"),
        CertificateRow(
            serial="1", site_id="ruiru", issued_at=NOON, expires_at=NOON + timedelta(days=24)
        ),
        BackupRow(
            name="lango-1",
            began_at=NOON - timedelta(hours=10),
            ended_at=NOON - timedelta(hours=10),
            state="done",
            size_bytes=48_000_000,
            tried_at=NOON - timedelta(hours=9),
        ),
        BackupRow(
            name="lango-2",
            began_at=NOON - timedelta(hours=34),
            ended_at=NOON - timedelta(hours=34),
            state="failed",
            problem="the disk is full",
        ),
        ProbeRow(
            id="e" * 32,
            site_id="ruiru",
            kind="arp",
            target="",
            asked_at=NOON - timedelta(minutes=3),
            ended_at=NOON - timedelta(minutes=3),
        ),
        ProbeResultRow(
            site_id="ruiru",
            probe_id="e" * 32,
            at=NOON - timedelta(minutes=3),
            body='{"devices": [{"address": "10.77.0.10", "mac": "02:00:00:00:00:01"},'
            ' {"address": "10.77.0.11", "mac": "02:00:00:00:00:02"}], "took_ms": 812}',
        ),
    ]
    return rows


async def keep_network(office: Office) -> None:
    """Write it all."""
    await office.keep(*a_network())


def _site(n: int, site_id: str, name: str, latitude: int, longitude: int) -> SiteRow:
    more: dict[str, object] = {}
    if site_id == "kisumu":
        more = {"last_seen_at": NOON - timedelta(minutes=22)}
    if site_id == "nakuru":
        more = {"generation": 31 + n}
    if site_id == "lamu":
        more = {"last_seen_at": None, "agent_version": ""}
    return a_site(site_id, name=name, latitude_e6=latitude, longitude_e6=longitude, **more)


def _measured(n: int, site_id: str) -> list[Row]:
    if site_id in {"kisumu", "lamu"}:
        return []
    begin = int((NOON - timedelta(hours=1)).timestamp())
    rows: list[Row] = [
        SiteVitalsRow(
            site_id=site_id,
            at=NOON,
            boot="b",
            uptime_s=86_400 * (n + 2) + 4_000,
            cpu_pct=18 + n,
            memory_pct=41,
            disk_pct=22,
            temperature_c=51,
            rtt_ms=38,
            loss_ppm=1_200,
            clock_skew_ms=7_200 if site_id == "rongai" else 40,
            dhcp_leases=171,
            dhcp_addresses=200,
        )
    ]
    for step in range(180):
        at_s = begin + 20 * step
        if site_id == "ruiru" and 39 <= step <= 57:
            continue
        wave = (step * 7 + n * 13) % 40
        rows.append(
            SiteSampleRow(
                site_id=site_id,
                at_s=at_s,
                down_bps=(30 - 3 * n) * 1_000_000 + wave * 600_000,
                up_bps=4_000_000 + wave * 90_000,
                sessions=24 - n + wave // 8,
                outbox=wave,
                rtt_ms=34 + wave // 4,
                loss_ppm=wave * 90,
                cpu_pct=14 + wave // 2,
                memory_pct=41 + wave // 20,
                disk_pct=22,
                temperature_c=49 + wave // 10,
                clock_skew_ms=40,
            )
        )
    return rows


def _session(n: int) -> Row:
    return a_session(
        f"{n:032x}",
        site_id=TOWNS[n % 4][0],
        mac=f"02:00:00:00:00:{n:02x}",
        opened_at=NOON - timedelta(minutes=7 * n + 3),
        down_bytes=210_000_000 + 31_000_000 * n,
        up_bytes=20_000_000 + n,
    )


def _payment(n: int) -> Row:
    state = "refused" if n % 7 == 3 else "pending" if n % 9 == 1 else "settled"
    at = NOON - timedelta(minutes=2 * n, seconds=11 * n)
    return a_payment(
        f"{n:032x}",
        site_id=TOWNS[n % 6][0],
        plan_id="day" if n % 3 == 0 else "hours-2",
        amount_minor=5_000 if n % 3 == 0 else 1_000,
        msisdn=f"2547{n:02d}345{600 + n}",
        state=state,
        reason=REASONS[n % 3] if state == "refused" else None,
        receipt=f"SKQ{n:02d}X7PLM" if state == "settled" else None,
        created_at=at,
        settled_at=at if state == "settled" else None,
    )


def _alert(alert_id: str, site_id: str, severity: str, text: str) -> Row:
    return AlertRow(
        id=alert_id,
        rule="agent_silent" if alert_id == "1" else "disk_full",
        subject=site_id,
        site_id=site_id,
        state="raised",
        severity=severity,
        text=text,
        told='{"value": "22 min"}',
        bad_at=NOON - timedelta(minutes=20),
        raised_at=NOON - timedelta(minutes=19),
    )
