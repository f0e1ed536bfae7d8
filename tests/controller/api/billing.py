"""What the tests of billing's routes share: asking, and counting what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.controller.api.test_bad_input import counted
from tests.support.office import Office, caller

if TYPE_CHECKING:
    import httpx2

KES = "KES"
CONTRACT: dict[str, Any] = {
    "id": "home-20",
    "name": "Home 20",
    "price": {"amount": "2999.50", "currency": KES},
    "down_bps": 20_000_000,
    "up_bps": 20_000_000,
    "validity_s": 366 * 86_400,
    "audience": "contract",
}
TARIFF: dict[str, Any] = {
    "formula": "graduated",
    "unit_bytes": 10**9,
    "tiers": [
        {"upto_units": 50, "price": {"amount": "20.00", "currency": KES}},
        {"upto_units": None, "price": {"amount": "15.00", "currency": KES}},
    ],
}


def money(amount: str, currency: str = KES) -> dict[str, str]:
    """An amount as it is written."""
    return {"amount": amount, "currency": currency}


async def got(office: Office, path: str, **query: str) -> dict[str, Any]:
    """What is there."""
    async with caller(office) as client:
        answer = await client.get(f"/api/v1/{path}", params=query)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def posted(
    office: Office, path: str, body: object = None, key: str = "key-00000001"
) -> httpx2.Response:
    """The answer to a request that is made once for each key."""
    async with caller(office) as client:
        return await client.post(
            f"/api/v1/{path}", json=body, headers={"Idempotency-Key": key} if key else {}
        )


async def made(
    office: Office, path: str, body: object = None, key: str = "key-00000001"
) -> dict[str, Any]:
    """What a request made, which went well."""
    answer = await posted(office, path, body, key)
    assert answer.is_success, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def refused(office: Office, path: str, body: object) -> httpx2.Response:
    """The answer to a request, after seeing that it changed nothing."""
    before = await counted(office)
    answer = await posted(office, path, body, "key-of-refusal")
    assert await counted(office) == before
    return answer
