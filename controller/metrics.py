"""What Prometheus is told: a registry of this controller's own, and nothing of anybody.

No label ever holds a phone, a MAC, a name or an id but that of a site, and labels are few: routes
by their template, sites up to a bound. What the database knows every controller tells alike: of
several on one database, read one, or the greatest; never their sum. Requests are each one's own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from billing.payment import PaymentState
from controller.noc.views import UNREADABLE
from controller.store import gauges
from controller.store.database import DatabaseBusy
from controller.store.series import METRICS
from controller.usecases.outages import is_down
from controller.version import version

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from controller.deps import Deps
    from controller.store.gauges import Looked, PaymentSeen

CONTENT_TYPE = CONTENT_TYPE_LATEST
LOOK_EVERY = timedelta(seconds=5)
"""However many ask, the database is read no more often."""

LOOK_MAX_S = 10.0
REQUEST_BUCKETS_S = (0.01, 0.05, 0.15, 0.5, 1.5, 5.0)
PAYMENT_BUCKETS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 90.0, 300.0)
ELSEWHERE = "elsewhere"
"""The route of what has none: strangers may ask for any path, and must not make labels."""

PREFIXES = ("/api/v1", "/buy")
"""Under which routes are included, or applications mounted."""

RESULTS = {
    PaymentState.SETTLED: "settled",
    PaymentState.REFUSED: "refused",
    PaymentState.EXPIRED: "expired",
    PaymentState.UNKNOWN: "unknown",
}
"""How payments end, as labels."""

OF_SITE = tuple(name for name in METRICS if name != "sessions")


@dataclass(slots=True)
class _Stages:
    """What of a payment was counted already."""

    ended: bool = False
    pushed: bool = False
    settled: bool = False
    online: bool = False


class Metrics:
    """The metrics of one controller. `look` reads the database, `text` is what a scrape gets."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._payments_seen: dict[str, _Stages] | None = None
        self._tried_at: datetime | None = None
        self._looking = asyncio.Lock()
        made = self._gauge
        self._build = made("lango_build_info", "Which version this is; always 1.", "version")
        self._build.labels(version()).set(1)
        self._requests = Counter(
            "lango_http_requests",
            "HTTP requests answered, by the first digit of the status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "lango_http_request_seconds",
            "Time until the answer began.",
            ("route",),
            buckets=REQUEST_BUCKETS_S,
            registry=self.registry,
        )
        self._sessions = made("lango_sessions", "Open sessions, as was reported.", "site")
        self._up = made("lango_agent_up", "1 while the site is heard.", "site")
        self._heard = made("lango_agent_heard_seconds", "Time since it was heard.", "site")
        self._of_site = {
            name: made(f"lango_site_{name}", f"Newest sample of {name}.", "site")
            for name in OF_SITE
        }
        self._payments = Counter(
            "lango_payment",
            "Payments that ended within a quarter of an hour of their creation.",
            ("method", "result"),
            registry=self.registry,
        )
        self._payment_seconds = Histogram(
            "lango_payment_seconds",
            "stk_ack: created to pushed; callback: pushed to settled; online: settled to access.",
            ("stage",),
            buckets=PAYMENT_BUCKETS_S,
            registry=self.registry,
        )
        self._lag = made("lango_queue_lag", "Seconds that the oldest entry is overdue.", "queue")
        self._pool = made("lango_db_pool", "Connections to the database.", "state")
        self._database = made("lango_db_up", "1 when the last look at the database succeeded.")

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def answered(self, *, method: str, route: str, status: int, took_s: float) -> None:
        """A request was answered."""
        self._requests.labels(method, route, f"{status // 100}xx").inc()
        self._seconds.labels(route).observe(took_s)

    async def look(self, deps: Deps) -> None:
        """Read how everything stands, unless that was done just now; a failure is a metric."""
        async with self._looking:
            now = deps.now()
            if self._tried_at is not None and now - self._tried_at < LOOK_EVERY:
                return
            self._tried_at = now
            pool = deps.db.connections()
            for state, count in pool.items():
                self._pool.labels(state).set(count)
            try:
                async with asyncio.timeout(LOOK_MAX_S), deps.db.read() as tx:
                    looked = await gauges.look(tx, now)
            except (TimeoutError, DatabaseBusy, *UNREADABLE):
                self._database.set(0)
                return
            self._database.set(1)
            self._show(looked)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _show(self, looked: Looked) -> None:
        for gauge in (self._sessions, self._up, self._heard, *self._of_site.values()):
            gauge.clear()  # a site that is gone, or says nothing any more, keeps no old value
        for site_id, heard_at in looked.heard.items():
            self._up.labels(site_id).set(not is_down(heard_at, looked.at))
            if heard_at is not None:
                self._heard.labels(site_id).set((looked.at - heard_at).total_seconds())
        for site_id, sample in looked.samples.items():
            self._sessions.labels(site_id).set(sample.sessions or 0)
            for name, gauge in self._of_site.items():
                value = getattr(sample, name)
                if value is not None:
                    gauge.labels(site_id).set(value)
        for queue, since in looked.oldest.items():
            late = timedelta() if since is None else max(timedelta(), looked.at - since)
            self._lag.labels(queue).set(late.total_seconds())
        self._count(looked)

    def _count(self, looked: Looked) -> None:
        """Count what became of payments since the last look; at the first only note it."""
        before, first = self._payments_seen or {}, self._payments_seen is None
        seen: dict[str, _Stages] = {}
        for payment in looked.payments:
            stages = before.get(payment.order_id, _Stages())
            seen[payment.order_id] = stages
            self._stage(payment, stages, silent=first)
        self._payments_seen = seen

    def _stage(self, payment: PaymentSeen, stages: _Stages, *, silent: bool) -> None:
        result = RESULTS.get(PaymentState(payment.state))
        if result is not None and not stages.ended:
            stages.ended = True
            if not silent:
                self._payments.labels(payment.rail, result).inc()
        moments = (payment.created_at, payment.pushed_at, payment.settled_at, payment.online_at)
        names = (("stk_ack", "pushed"), ("callback", "settled"), ("online", "online"))
        for place, (stage, mark) in enumerate(names):
            since, until = moments[place], moments[place + 1]
            if since is None or until is None or getattr(stages, mark):
                continue
            setattr(stages, mark, True)
            if not silent:
                took_s = max(0, (until - since) / timedelta(seconds=1))
                self._payment_seconds.labels(stage).observe(took_s)


class Measured:
    """ASGI middleware that counts each request and how long its answer took to begin.

    An answer that streams for hours would say nothing by its end.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now: Callable[[], float] = asyncio.get_running_loop().time
        began = now()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(
                    method=_method(scope),
                    route=route_of(scope),
                    status=int(message["status"]),
                    took_s=now() - began,
                )
            await send(message)

        await self._app(scope, receive, send_counted)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "OTHER"


def route_of(scope: Scope) -> str:
    """The template of the route that a request has found; `ELSEWHERE` without one.

    A route knows its own path, not the prefix under which it was included: that is what the path of
    the request has in front of it, if it is one of ours.
    """
    template = getattr(scope.get("route"), "path_format", None)
    if not isinstance(template, str):
        return ELSEWHERE
    own = template.format_map({**scope.get("path_params", {})})
    prefix = scope["path"].removesuffix(own)
    return prefix + template if prefix in PREFIXES else template
