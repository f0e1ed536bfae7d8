"""Composition root of the controller: what is real is decided here, and nowhere else.

Start: state directory, keys, migrations, `Deps`, then the gRPC doors, the HTTP door and the jobs,
all on one event loop. Stop: on SIGTERM or SIGINT, within three seconds. Nothing that matters is in
memory, so that kill -9 at any moment is only a shorter way to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import httpx2
import structlog
import uvicorn

from controller.api.app import create_app
from controller.api.auth import KEY_HOLDER
from controller.api.staff import WELCOME
from controller.backup.restore import controller_runs, is_cut_short
from controller.choices import Choices, at_start
from controller.config import CannotStart, ConfigFaults, address
from controller.deps import Deps
from controller.edge.authority import open_authority
from controller.edge.dispatch import Dispatch
from controller.edge.grpc import EdgeServers
from controller.jobs import Job, run_jobs
from controller.logs import set_up_logs
from controller.management import create_management
from controller.metrics import Metrics
from controller.notify.absent import NO_EMAIL, AbsentEmail, AbsentSms
from controller.notify.absent import SENTENCE as NO_SMS
from controller.notify.africas_talking import AfricasTalkingSms
from controller.notify.africas_talking_wire import AfricasTalkingSettings
from controller.notify.cost import cost_e4
from controller.notify.http_sms import HttpSms
from controller.notify.http_sms_wire import HttpSmsSettings
from controller.notify.http_webhook import HttpWebhooks
from controller.notify.outside import HttpOutside
from controller.notify.smtp import SmtpEmail, SmtpSettings
from controller.rails import open_rails
from controller.signals import Signals
from controller.store.chosen import ChoicesUnreadable
from controller.store.database import Database, DatabaseBusy
from controller.store.migrations import upgrade
from controller.store.staff import has_owner
from controller.systemd import Systemd
from controller.tls import trusted
from controller.usecases import faces
from controller.usecases.choosing import ChoiceWatch, began_anew
from controller.usecases.staff import invite_owner
from controller.vault import open_vault
from controller.version import version
from controller.work import VERBS, due_work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator

    from starlette.types import ASGIApp

    from controller.config import Settings
    from controller.config_sections import HttpSmsSection, SmsSection
    from controller.edge.authority import Authority
    from controller.notify.email import Email
    from controller.notify.sms import Sms
    from controller.vault import Vault

CHOICES_EVERY_S = 1.0
HTTP_CONNECTIONS_MAX = 1_000
HTTP_BACKLOG = 512
HTTP_STOP_S = 1
START_MAX_S = 30.0
STOP_MAX_S = 3.0
"""A stop that takes longer ends the process as it is: nothing in memory matters."""

STOP_WORK_S = 0.5
STOP_DATABASE_S = 0.5
ROOT_REST = timedelta(days=365)
"""With less life than this left, the authority's end is announced at each start."""

log = structlog.get_logger("controller")


@dataclass(frozen=True, slots=True)
class Running:
    """A controller that answers: where, and what it was built of."""

    deps: Deps
    http_port: int
    edge_port: int
    join_port: int
    over: asyncio.Task[None]
    """Ends only when the HTTP door broke; then the process is of no use."""
    changed: asyncio.Event
    """Set when other settings were chosen: the controller is to begin anew."""
    management_port: int | None = None


def run_controller(settings: Settings, choices: Choices) -> int:
    """Be a controller until told to stop; the exit code (1: could not start, the log says why).

    When other settings are chosen it stops in order, and begins anew with them.
    """
    set_up_logs()
    last_resort = LastResort()
    try:
        while asyncio.run(serve(settings, choices=choices, stopping=last_resort.begin)):
            last_resort.over()
            settings, choices = at_start(choices.fixed)
    except (CannotStart, ConfigFaults, ChoicesUnreadable) as error:
        log.error("cannot_start", reason=str(error))  # noqa: TRY400 - the sentence says it all
        return 1
    return 0


class LastResort:
    """Ends the process, or has it begin anew, when an orderly stop takes too long."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def begin(self, *, again: bool) -> None:
        """The stop begins."""
        self._timer = threading.Timer(STOP_MAX_S, _begin_anew if again else _end)
        self._timer.daemon = True
        self._timer.start()

    def over(self) -> None:
        """It went in order, and there is more to do."""
        if self._timer is not None:
            self._timer.cancel()


def _begin_anew() -> None:
    """Become what this process was when it was started: same number, same command."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own words


def _end() -> None:
    os._exit(0)


class Stopping(Protocol):
    """Is told that the stop begins, and whether the process begins anew after it."""

    def __call__(self, *, again: bool) -> object:
        """It begins."""


def _in_peace(*, again: bool) -> None:
    """However long the stop takes."""


async def serve(
    settings: Settings, *, choices: Choices | None = None, stopping: Stopping = _in_peace
) -> bool:
    """Answer until SIGTERM or SIGINT, or until other settings are chosen: then True.

    ``stopping`` is called when the stop begins. Raises `CannotStart`.
    """
    systemd = Systemd(os.environ)
    with _told_to_stop() as stop:
        async with (
            open_controller(settings, choices=choices) as running,
            _cancelled_after(systemd.stay_alive()),
        ):
            systemd.ready()
            asked = asyncio.create_task(stop.wait())
            changed = asyncio.create_task(running.changed.wait())
            await asyncio.wait({asked, changed, running.over}, return_when=asyncio.FIRST_COMPLETED)
            again = running.changed.is_set() and not stop.is_set()
            for one in (asked, changed):
                one.cancel()
            stopping(again=again)
            if not again:
                systemd.stopping()
            log.info("controller_stopping", asked=stop.is_set(), again=again)
            if not stop.is_set() and not again:
                await running.over
                raise CannotStart("http: the door closed by itself; the log says why")
    log.info("controller_stopped")
    return again and not stop.is_set()


def wall_clock() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_controller(
    settings: Settings,
    *,
    choices: Choices | None = None,
    now: Callable[[], datetime] = wall_clock,
) -> AsyncIterator[Running]:
    """A controller that answers while the block lasts. Raises `CannotStart`."""
    vault, authority = _opened_state(settings, now())
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_nobody_restores(settings))
        await _migrated(settings)
        db = Database(settings.database_url)
        stack.push_async_callback(_closed, db)
        http = await stack.enter_async_context(httpx2.AsyncClient(follow_redirects=False))
        rails = open_rails(settings, db=db, vault=vault, http=http)
        carrier = HttpWebhooks(allowed=settings.alerts.webhook_networks)
        stack.push_async_callback(carrier.close)
        outside = HttpOutside(verify=trusted())
        stack.push_async_callback(outside.close)
        deps = Deps(
            settings=settings,
            db=db,
            now=now,
            signals=Signals(),
            vault=vault,
            authority=authority,
            gateway=rails.gateway,
            more_gateways=rails.more,
            mpesa=rails.mpesa,
            cards=rails.cards,
            bank=rails.bank,
            sms=_sms(settings, http),
            email=_email(settings, now),
            webhooks=carrier,
            outside=outside,
            choices=choices or Choices(),
        )
        await _told(deps)
        metrics = Metrics()
        listening = _listening("http.port", settings.http.host, settings.http.port)
        stack.callback(listening.close)
        edge = EdgeServers(deps, Dispatch(deps, VERBS))
        stack.push_async_callback(edge.stop)
        ports = await edge.open()
        door = await stack.enter_async_context(_answering(deps, listening, metrics))
        managing = await stack.enter_async_context(_managing(deps, metrics))
        changed = asyncio.Event()
        watch = ChoiceWatch(changed.set, holder=_this_process())
        look = Job("choices", CHOICES_EVERY_S, watch.look, worth_telling=False)
        jobs = run_jobs((*due_work(), look), deps)
        await stack.enter_async_context(_cancelled_after(jobs))
        http_port = listening.getsockname()[1]
        running = Running(deps, http_port, ports.edge, ports.join, door, changed, managing)
        _announce(running)
        with contextlib.suppress(DatabaseBusy):  # then the turn ends by itself
            await began_anew(deps, holder=_this_process())
        await _ask_for_owner(deps)
        yield running


def _this_process() -> str:
    """What tells this controller from others of its database, also after it began anew."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextlib.contextmanager
def _nobody_restores(settings: Settings) -> Iterator[None]:
    """Raise `CannotStart` while a backup is being restored here, or after that was cut short."""
    try:
        with controller_runs(settings.state_dir):
            if is_cut_short(settings.state_dir):
                raise CannotStart(
                    "state_dir: a restore was cut short: `lango backup restore` again"
                )
            yield
    except BlockingIOError as error:
        raise CannotStart("state_dir: a backup is being restored here") from error


def _opened_state(settings: Settings, now: datetime) -> tuple[Vault, Authority]:
    folder = settings.state_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return open_vault(folder), open_authority(folder, now)
    except (OSError, ValueError) as error:
        raise CannotStart(f"state_dir: {error}") from error


async def _migrated(settings: Settings) -> None:
    try:
        await asyncio.to_thread(upgrade, settings.database_url)
    except Exception as error:
        # Only the driver's own words: the library's repeat the statement and its values.
        cause = str(getattr(error, "orig", None) or type(error).__name__)
        raise CannotStart(f"database.url: {cause.splitlines()[0]}") from error


async def _told(deps: Deps) -> None:
    """Tell the sites what of our settings concerns them."""
    try:
        told = await faces.tell_all(deps)
    except DatabaseBusy as error:
        raise CannotStart("database.url: the database is too busy") from error
    if told:
        log.info("faces_told", sites=told, wallets=" ".join(deps.wallets))


def _sms(settings: Settings, http: httpx2.AsyncClient) -> Sms:
    told = settings.sms
    if told is None:
        log.warning("sms_absent", reason=NO_SMS)
        return AbsentSms()
    if told.http is not None:
        return HttpSms(_http_carrier(told, told.http), http=http)
    account = AfricasTalkingSettings(
        base_url=told.base_url.rstrip("/"),
        username=told.username or "",
        api_key=told.api_key.get_secret_value(),
        sender_id=told.sender_id,
    )
    return AfricasTalkingSms(account, http=http)


def _http_carrier(told: SmsSection, part: HttpSmsSection) -> HttpSmsSettings:
    return HttpSmsSettings(
        url=part.url,
        method=part.method,
        form=part.form,
        fields=part.fields,
        headers=part.headers,
        api_key=told.api_key.get_secret_value(),
        sender_id=told.sender_id,
        code_at=part.code_at,
        name_at=part.name_at,
        taken=frozenset(part.taken),
        refused=frozenset(part.refused),
        later=frozenset(part.later),
        part_cost_e4=cost_e4(f"KES {part.part_cost}"),
    )


def _email(settings: Settings, now: Callable[[], datetime]) -> Email:
    told = settings.email
    if told is None:
        log.warning("email_absent", reason=NO_EMAIL)
        return AbsentEmail()
    account = SmtpSettings(
        host=told.host,
        port=told.port,
        security=told.security,
        sender=told.sender,
        sender_name=settings.operator.name,
        username=told.username or "",
        password="" if told.password is None else told.password.get_secret_value(),
    )
    return SmtpEmail(account, now=now)


def _listening(key: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=HTTP_BACKLOG)
    except OSError as error:
        where = address(host, port)
        raise CannotStart(f"{key}: cannot listen on {where}: {error.strerror}") from error


class _HttpServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.opened = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door, and say so."""
        await super().startup(sockets=sockets)
        self.opened.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: `serve` has them."""
        yield


@asynccontextmanager
async def _answering(
    deps: Deps, listening: socket.socket, metrics: Metrics
) -> AsyncIterator[asyncio.Task[None]]:
    app = create_app(deps, metrics=metrics)
    async with _serving(app, listening, name="http", stopping=app.state.hub.close) as door:
        yield door


@asynccontextmanager
async def _managing(deps: Deps, metrics: Metrics) -> AsyncIterator[int | None]:
    """The management door, where there is to be one; its port."""
    told = deps.settings.management
    if told.port is None:
        yield None
        return
    with contextlib.closing(_listening("management.port", told.host, told.port)) as listening:
        app = create_management(deps, metrics)
        async with _serving(app, listening, name="management", stopping=_nothing):
            yield listening.getsockname()[1]


async def _nothing() -> None:
    """What a door without open pages does before it shuts."""


@asynccontextmanager
async def _serving(
    app: ASGIApp, listening: socket.socket, *, name: str, stopping: Callable[[], Awaitable[None]]
) -> AsyncIterator[asyncio.Task[None]]:
    server = _HttpServer(
        uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # anybody can write them
            limit_concurrency=HTTP_CONNECTIONS_MAX,
            timeout_graceful_shutdown=HTTP_STOP_S,
        )
    )
    door = asyncio.create_task(server.serve(sockets=[listening]), name=name)
    opened = asyncio.create_task(server.opened.wait())
    try:
        await asyncio.wait({door, opened}, timeout=START_MAX_S, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            raise CannotStart(f"{name}: the door did not open; the log says why")
        yield door
    finally:
        opened.cancel()
        server.should_exit = True
        await stopping()  # the streams of open live pages end, and the door can shut
        await asyncio.wait({door}, timeout=2 * HTTP_STOP_S)


@asynccontextmanager
async def _cancelled_after(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Let ``work`` run beside the block, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=STOP_WORK_S)


async def _closed(db: Database) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_DATABASE_S):
            await db.close()


def _announce(running: Running) -> None:
    told = running.deps.settings
    log.info(
        "controller_started",
        version=version(),
        http=address(told.http.host, running.http_port),
        management=running.management_port,
        edge=address(told.edge.host, running.edge_port),
        join=address(told.edge.host, running.join_port),
        state_dir=str(told.state_dir),
        database=running.deps.db.engine.dialect.name,
        payments=running.deps.gateway.rail,
    )
    ends = running.deps.authority.expires_at
    if ends - running.deps.now() < ROOT_REST:
        log.warning("authority_ends_soon", expires_at=ends.isoformat())


async def _ask_for_owner(deps: Deps) -> None:
    """Say how somebody becomes the owner, as long as nobody is.

    The link itself goes to a terminal only: a log is read by others, and kept.
    """
    async with deps.db.read() as tx:
        if await has_owner(tx):
            return
    log.warning("no_owner", next_step="lango setup-url")
    if sys.stdout.isatty():
        invited = await invite_owner(deps, KEY_HOLDER)
        link = f"{deps.settings.public_url}{WELCOME}{invited.token}"
        sys.stdout.write(f"\nBecome the owner (30 minutes, once): {link}\n\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
