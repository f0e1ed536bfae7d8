"""The HTTP API as the ``lango`` command sees it: ask, and get JSON or a `Fault`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import httpx2

from controller.cli.faults import BY_STATUS, Fault, NotAllowed, Unreachable
from controller.tls import trusted

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 15.0
PAGE_LINES = 200
"""As many as the API gives at once."""


class Api:
    """A controller at ``url``. Every method raises `Fault` or one of its kinds."""

    def __init__(self, *, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._key = key

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What is there."""
        return self._ask("GET", path, query=query)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> dict[str, Any]:
        """Make something. Carries a fresh ``Idempotency-Key``."""
        return self._ask("POST", path, body=body, timeout_s=timeout_s)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put something in the place of what was there."""
        return self._ask("PUT", path, body=body)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change a part of something."""
        return self._ask("PATCH", path, body=body)

    def file(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> bytes:
        """A file as it is; with a ``body`` it is made of that."""
        method = "GET" if body is None else "POST"
        return self._answer(method, path, query=query, body=body, timeout_s=timeout_s).content

    def lines(
        self, path: str, *, limit: int, query: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The first ``limit`` lines of a list, however many pages that takes."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None and len(found) < limit:
            ask = {**(query or {}), "limit": min(PAGE_LINES, limit - len(found))}
            page = self.get(path, {**ask, "cursor": cursor} if cursor else ask)
            found += page["data"]
            cursor = page["next_cursor"]
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> dict[str, Any]:
        return self._json(self._answer(method, path, query=query, body=body, timeout_s=timeout_s))

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
        timeout_s: float,
    ) -> httpx2.Response:
        headers = {"Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(16)
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            # No proxy of the environment: a controller is near, and its key is for it alone.
            with httpx2.Client(timeout=timeout_s, trust_env=False, verify=trusted()) as client:
                answer = client.request(
                    method, f"{self.url}{path}", params=asked, json=body, headers=headers
                )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
        if answer.is_success:
            return answer
        raise self._fault(answer)

    def _json(self, answer: httpx2.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError as error:
            raise self._stranger(answer) from error
        if not isinstance(content, dict):
            raise self._stranger(answer)
        return content

    def _fault(self, answer: httpx2.Response) -> Fault:
        kind = BY_STATUS.get(answer.status_code, Fault)
        try:
            problem = answer.json()
            what, request_id = str(problem["detail"]), str(problem["request_id"])
        except (ValueError, KeyError, TypeError):
            return self._stranger(answer)
        next_step = "set LANGO_KEY or pass --key" if kind is NotAllowed else ""
        why = f"{self.url} answered {answer.status_code} (request {request_id})"
        return kind(what, why=why, next_step=next_step)

    def _stranger(self, answer: httpx2.Response) -> Fault:
        return Unreachable(
            f"{self.url} is not a Lango controller",
            why=f"it answered {answer.status_code} in a form that is not ours",
            next_step="check --url or LANGO_URL",
        )

    def _unreachable(self, error: Exception) -> Fault:
        return Unreachable(
            f"no controller answers at {self.url}",
            why=str(error) or type(error).__name__,
            next_step="start one with `lango run`, or check --url or LANGO_URL",
        )
