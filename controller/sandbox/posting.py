"""Posts what a simulated provider has to tell, and remembers what was answered.

It never leaves this machine: an address that is not loopback is refused.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

TIMEOUT_S = 10.0
DELIVERIES_MAX = 5_000
"""How many deliveries are remembered; older ones are forgotten first."""
URL_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to post. ``status`` is None when nobody answered or none was sent."""

    at: datetime
    kind: str
    about: str
    url: str
    body: str
    status: int | None
    answer: str

    def shown(self) -> dict[str, object]:
        """As JSON."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class _Told:
    kind: str
    about: str
    url: str
    body: bytes


class Postman:
    """Carries the posts of one simulated provider."""

    def __init__(self, *, http: httpx2.AsyncClient, now: Callable[[], datetime]) -> None:
        self._http = http
        self._now = now
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_MAX)

    async def post(
        self, url: str, body: bytes, *, kind: str, about: str, headers: Mapping[str, str]
    ) -> int | None:
        """Post once; the status that was answered, None for none (or for no address at all)."""
        told = _Told(kind, about, url, body)
        if not url:
            return self._remember(told, None, "no address is set")
        assert is_loopback(url), "a simulated provider stays on this machine"
        try:
            response = await self._http.post(
                url,
                content=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=TIMEOUT_S,
            )
        except httpx2.HTTPError as error:
            return self._remember(told, None, type(error).__name__)
        return self._remember(told, response.status_code, response.text[:200])

    def lose(self, url: str, body: bytes, *, about: str) -> None:
        """Remember what was lost on purpose."""
        self._remember(_Told("lost", about, url, body), None, "never sent")

    def _remember(self, told: _Told, status: int | None, answer: str) -> int | None:
        self.deliveries.append(
            Delivery(
                at=self._now(),
                kind=told.kind,
                about=told.about,
                url=told.url,
                body=told.body.decode(errors="replace"),
                status=status,
                answer=answer,
            )
        )
        return status


def is_loopback(url: str) -> bool:
    """Whether ``url`` is an address of this very machine."""
    try:
        parts = urlsplit(url)
        host, port_ok = parts.hostname or "", parts.port != 0
        near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    shape_ok = parts.scheme in ("http", "https") and len(url) <= URL_CHARS_MAX and url.isascii()
    return near and shape_ok and port_ok
