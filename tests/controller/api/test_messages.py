"""What staff see of text messages: where each is, what became of it, what a month of them cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from controller.store.rows import SmsRow
from tests.controller.api.test_routes import got
from tests.support.office import NOON, Office, a_site, caller

if TYPE_CHECKING:
    from controller.store.rows import Row

NEW_YEAR = datetime(2026, 12, 31, 21, tzinfo=UTC)
"""Midnight in Nairobi."""


def an_sms(n: int, **fields: Any) -> SmsRow:
    """A message that was sent at noon for 80 cents, and has arrived."""
    usual: dict[str, Any] = {
        "site_id": None,
        "about": f"receipt {n}",
        "msisdn": "254712345678",
        "sealed": None,
        "state": "sent",
        "created_at": NOON + timedelta(seconds=n),
        "due_at": None,
        "good_until": None,
        "tries": 1,
        "problem": "",
        "provider_id": f"ATXid_{n}",
        "sent_at": NOON + timedelta(seconds=n),
        "delivery": "delivered",
        "told_at": NOON + timedelta(seconds=n + 4),
        "parts": 1,
        "cost_e4": 8_000,
    }
    return SmsRow(id=f"{n:032x}", **{**usual, **fields})


async def test_messages_are_listed_without_text_or_whole_number(office: Office) -> None:
    waiting: dict[str, Any] = {
        "state": "waiting",
        "sealed": b"words",
        "due_at": NOON,
        "sent_at": None,
        "cost_e4": None,
        "delivery": "",
        "told_at": None,
    }
    rows: list[Row] = [a_site(), an_sms(1, site_id="estate-1"), an_sms(2, **waiting)]
    await office.keep(*rows)
    newest, oldest = (await got(office, "messages"))["data"]

    assert (newest["state"], newest["cost"], newest["reported_at"]) == ("waiting", None, None)
    assert (oldest["delivery"], oldest["cost"], oldest["parts"]) == ("delivered", "0.8000", 1)
    assert oldest["phone"] == "2547••••678"
    assert "words" not in str(newest)


async def test_a_long_list_comes_in_pages(office: Office) -> None:
    await office.keep(*(an_sms(n) for n in range(5)))
    first = await got(office, "messages", limit="3")
    second = await got(office, "messages", limit="3", cursor=first["next_cursor"])

    assert [len(page["data"]) for page in (first, second)] == [3, 2]
    assert second["next_cursor"] is None


async def test_a_month_of_nairobi_sums_up_to_a_hundredth_of_a_cent(office: Office) -> None:
    await office.keep(
        an_sms(1),
        an_sms(2, delivery="failed", parts=2, cost_e4=16_001),
        an_sms(3, cost_e4=None, delivery=""),
        an_sms(4, sent_at=NEW_YEAR),
        an_sms(5, sent_at=NEW_YEAR - timedelta(seconds=1), cost_e4=1),
    )
    november = await got(office, "messages/costs")
    december = await got(office, "messages/costs", month="2026-12")
    january = await got(office, "messages/costs", month="2027-01")

    assert november == {
        "month": "2026-11",
        "sent": 3,
        "parts": 4,
        "delivered": 1,
        "failed": 1,
        "cost": "2.4001",
        "unpriced": 1,
    }
    assert (december["sent"], december["cost"]) == (1, "0.0001")
    assert (january["sent"], january["cost"]) == (1, "0.8000")


async def test_a_month_without_messages_cost_nothing(office: Office) -> None:
    told = await got(office, "messages/costs", month="2026-01")

    assert (told["sent"], told["cost"], told["unpriced"]) == (0, "0.0000", 0)


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "1999-01", "x"])
async def test_a_month_that_is_none_is_named(office: Office, month: str) -> None:
    async with caller(office) as client:
        answer = await client.get("/api/v1/messages/costs", params={"month": month})

    assert answer.status_code == 422
    assert "month" in answer.text
