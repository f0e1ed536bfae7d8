"""Fills the shop of a trial through the controller's own HTTP interface, as staff would."""

from __future__ import annotations

from typing import Any

import httpx2
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from controller.tls import trusted

SUBSCRIBER = {
    "phone": "0712345678",
    "name": "Wanjiku Kamau",
    "email": "wanjiku@lango.example",
}
"""Whose account is paid into: the number that the trial's pages suggest."""

READY_WAIT_S = 90.0
"""A controller that ends instead is noticed at once; this is for machines that are busy."""
CALL_WAIT_S = 10.0
CREATED_OR_THERE = frozenset({200, 201, 409})

PLANS: tuple[dict[str, Any], ...] = (
    {
        "id": "taster-2min",
        "name": "2 minutes, to watch it end",
        "price": "1.00",
        "validity_s": 120,
        "mbps": 2,
    },
    {"id": "quick-40min", "name": "40 minutes", "price": "5.00", "validity_s": 2_400, "mbps": 2},
    {"id": "hours-2", "name": "2 hours", "price": "10.00", "validity_s": 7_200, "mbps": 3},
    {"id": "hour-online", "name": "1 hour online", "price": "15.00", "uptime_s": 3_600, "mbps": 3},
    {
        "id": "bundle-500mb",
        "name": "500 MB, 24 hours",
        "price": "20.00",
        "validity_s": 86_400,
        "quota_bytes": 500_000_000,
        "mbps": 5,
    },
    {
        "id": "day-2-devices",
        "name": "24 hours, 2 devices",
        "price": "50.00",
        "validity_s": 86_400,
        "devices_max": 2,
        "mbps": 5,
    },
)
"""What a trial sells. ``mbps`` is the speed both ways; prices are in KES."""


class StallError(Exception):
    """The controller did not become ready, or refused what a trial needs; the message says what."""


class Stall:
    """The controller's HTTP interface with the staff key, for the few calls of a trial."""

    def __init__(self, *, url: str, staff_key: str) -> None:
        self.client = httpx2.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {staff_key}"},
            timeout=CALL_WAIT_S,
            trust_env=False,
            verify=trusted(),
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self.client.aclose()

    async def ready(self, *, wait_s: float = READY_WAIT_S) -> None:
        """Wait until the controller can work. Raises `StallError`."""
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_delay(wait_s),
                wait=wait_fixed(0.1),
                retry=retry_if_exception_type(httpx2.HTTPError),
                reraise=True,
            ):
                with attempt:
                    (await self.client.get("/readyz")).raise_for_status()
        except httpx2.HTTPError as fault:
            raise StallError(f"the controller is not ready after {wait_s:g} s: {fault}") from fault

    async def fill(self, *, site_id: str, site_name: str) -> None:
        """A site, demo plans, a subscriber; what is there already stays. Raises `StallError`."""
        await self.add("/api/v1/sites", {"id": site_id, "name": site_name, "language": "en"})
        for rank, plan in enumerate(PLANS):
            await self.add("/api/v1/plans", _body(plan, rank=rank))
        await self.add("/api/v1/subscribers", SUBSCRIBER, key="trial-subscriber")

    async def join_token(self, site_id: str) -> str:
        """A one-use token with which the site's agent joins. Raises `StallError`."""
        answer = await self.add(f"/api/v1/sites/{site_id}/join-tokens", {})
        return str(answer["token"])

    async def add(self, path: str, body: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """POST something that may be there already; ``key`` says that it is the same.

        Raises `StallError`.
        """
        headers = {"Idempotency-Key": key} if key else {}
        try:
            answer = await self.client.post(path, json=body, headers=headers)
        except httpx2.HTTPError as fault:
            raise StallError(f"POST {path}: {fault}") from fault
        if answer.status_code not in CREATED_OR_THERE:
            raise StallError(f"POST {path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found

    async def balances(self) -> list[dict[str, Any]]:
        """Every ledger account and what it holds. Raises `StallError`."""
        return await self.list("ledger/balances")

    async def list(self, noun: str) -> list[dict[str, Any]]:
        """The first page of a list (``sites``, ``payments``, …), as JSON. Raises `StallError`."""
        try:
            answer = await self.client.get(f"/api/v1/{noun}")
            answer.raise_for_status()
        except httpx2.HTTPError as fault:
            raise StallError(f"GET /api/v1/{noun}: {fault}") from fault
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


def _body(plan: dict[str, Any], *, rank: int) -> dict[str, Any]:
    body = {key: value for key, value in plan.items() if key not in {"price", "mbps"}}
    bps = plan["mbps"] * 1_000_000
    price = {"amount": plan["price"], "currency": "KES"}
    return {**body, "price": price, "down_bps": bps, "up_bps": bps, "rank": rank}
