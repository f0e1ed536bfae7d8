"""``lango doctor``: what is wrong on this machine, and what to do about it."""

import asyncio
import sqlite3
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from controller.cli.desk import Config, Desk, Json, desk_of
from controller.cli.examples import taught
from controller.cli.faults import Degraded, Fault
from controller.cli.here import settings_from
from controller.cli.screen import toned

if TYPE_CHECKING:
    from controller.config import Settings

app = typer.Typer()

PYTHON_WANTED = (3, 11)
SQLITE_WANTED = (3, 35, 0)
PRIVATE = 0o077
VENDOR = Path(__file__).resolve().parents[1] / "noc" / "static" / "vendor"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; ``verdict`` is ok, warning or fault."""

    look: str
    verdict: str
    found: str
    next_step: str = ""


@taught(
    app,
    "doctor",
    "lango doctor",
    "lango doctor --config /etc/lango/controller.toml --json",
)
def examine(ctx: typer.Context, config_file: Config = None, *, json: Json = False) -> None:
    """Look for what is wrong on this machine and say what to do. Exit code 7 when something is."""
    desk = desk_of(ctx)
    findings = list(_looked(desk, config_file))
    if json:
        desk.screen.json("doctor", {"findings": [asdict(finding) for finding in findings]})
    else:
        tones = {"ok": "good", "warning": "busy", "fault": "bad"}
        desk.screen.table(
            ("LOOK", "VERDICT", "FOUND"),
            [
                (
                    finding.look,
                    toned(finding.verdict, tones[finding.verdict]),
                    finding.found + (f" → {finding.next_step}" if finding.next_step else ""),
                )
                for finding in findings
            ],
        )
    faults = [finding for finding in findings if finding.verdict == "fault"]
    if faults:
        raise Degraded(
            f"{len(faults)} fault(s): {', '.join(finding.look for finding in faults)}",
            why=faults[0].found,
            next_step=faults[0].next_step,
        )


def _looked(desk: Desk, config_file: Path | None) -> Iterator[Finding]:
    yield _python()
    yield _sqlite()
    yield _front_end()
    try:
        settings = settings_from(config_file)
    except Fault as fault:
        yield Finding("configuration", "fault", fault.why, "lango config check")
        return
    yield Finding("configuration", "ok", str(config_file or "defaults and environment"))
    yield _state_dir(settings)
    yield _database(settings)
    yield _mpesa(settings)
    yield from _rails(settings)
    yield _callbacks(settings)
    yield _sms(settings)
    yield _email(settings)
    yield _controller(desk)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_WANTED:
        return Finding("python", "fault", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def _sqlite() -> Finding:
    if sqlite3.sqlite_version_info < SQLITE_WANTED:
        return Finding("sqlite", "fault", sqlite3.sqlite_version, "install SQLite 3.35 or newer")
    return Finding("sqlite", "ok", sqlite3.sqlite_version)


def _front_end() -> Finding:
    if not (VENDOR / "htmx.min.js").exists():
        found = "the live page reloads instead of streaming"
        return Finding("front end", "warning", found, "make setup")
    return Finding("front end", "ok", "vendored")


def _state_dir(settings: "Settings") -> Finding:
    folder = settings.state_dir
    keys = folder / "keys.json"
    if not folder.exists():
        return Finding("state", "warning", f"{folder} is not there yet", "lango run makes it")
    if not keys.exists():
        return Finding("state", "warning", "no keys yet", "lango run makes them")
    if keys.stat().st_mode & PRIVATE:
        mode = stat.filemode(keys.stat().st_mode)
        return Finding("state", "fault", f"{keys} is {mode}", f"chmod 600 {keys}")
    return Finding("state", "ok", str(folder))


def _database(settings: "Settings") -> Finding:
    from alembic.script import ScriptDirectory

    from controller.noc import views
    from controller.store import migrations
    from controller.store.database import Database

    if settings.database.url is None and not (settings.state_dir / "lango.db").exists():
        return Finding("database", "warning", "not made yet", "lango run makes it")

    async def revision() -> str:
        db = Database(settings.database_url)
        try:
            async with db.read() as tx:
                return await views.schema_revision(tx)
        finally:
            await db.close()

    head = ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()
    try:
        at = asyncio.run(revision())
    except views.UNREADABLE as error:
        return Finding("database", "fault", str(error).splitlines()[0], "lango db upgrade")
    if at != head:
        return Finding("database", "fault", f"at {at}, wanted {head}", "lango db upgrade")
    return Finding("database", "ok", f"at {at}")


def _mpesa(settings: "Settings") -> Finding:
    told = settings.mpesa
    if told is None:
        found = "no M-PESA account: vouchers only"
        return Finding("M-PESA", "warning", found, "add [mpesa] to the configuration")
    parts = {
        "PayBill from the menu": (told.c2b, "mpesa.c2b"),
        "Pull": (told.nominated_number, "mpesa.nominated_number"),
        "look-ups and refunds": (told.initiator, "mpesa.initiator"),
    }
    known = [name for name, (is_set, _) in parts.items() if is_set]
    missing = [key for is_set, key in parts.values() if not is_set]
    found = f"shortcode {told.shortcode}: {', '.join(['prompts', *known])}"
    if missing:
        return Finding("M-PESA", "warning", found, f"more by {', '.join(missing)}")
    return Finding("M-PESA", "ok", found)


def _rails(settings: "Settings") -> "Iterator[Finding]":
    """The others: whoever has none lacks nothing."""
    for look, section, place in (
        ("Airtel Money", "airtel", "merchant"),
        ("cards", "card", "merchant"),
        ("bank", "bank", "account"),
    ):
        told = getattr(settings, section)
        if told is None:
            yield Finding(look, "ok", f"not set up; [{section}] in the configuration adds it")
        else:
            yield Finding(look, "ok", f"{section}.{place} {getattr(told, place)}")


def _callbacks(settings: "Settings") -> Finding:
    """Whether those who have to tell us can reach us; all but M-PESA's prompts need a door told."""
    told = (settings.mpesa, settings.airtel, settings.card, settings.bank)
    if not any(told):
        return Finding("callbacks", "ok", "nobody calls back")
    if settings.http.public_url is None:
        found = f"no provider can reach {settings.public_url}"
        return Finding("callbacks", "warning", found, "set http.public_url")
    step = "`lango payment doors` shows what to register" if any(told[1:]) else ""
    return Finding("callbacks", "ok", f"at {settings.public_url}", step)


def _sms(settings: "Settings") -> Finding:
    if settings.sms is None:
        found = "no SMS account: no tokens by phone, no codes to phones"
        return Finding("sms", "warning", found, "add [sms] to the configuration")
    sender = settings.sms.sender_id or "a shared sender"
    carrier = f"Africa's Talking as {settings.sms.username}"
    if settings.sms.http is not None:
        carrier = f"the carrier at {urlsplit(settings.sms.http.url).hostname}"
    return Finding("sms", "ok", f"{carrier}, from {sender}")


def _email(settings: "Settings") -> Finding:
    if settings.email is None:
        found = "no e-mail account: no receipts by e-mail"
        return Finding("email", "warning", found, "add [email] to the configuration")
    return Finding("email", "ok", f"{settings.email.sender} by {settings.email.host}")


def _controller(desk: Desk) -> Finding:
    try:
        return Finding("controller", "ok", f"{desk.api.get('/version')['version']} at {desk.url}")
    except Fault as fault:
        return Finding("controller", "fault", fault.what, fault.next_step)
