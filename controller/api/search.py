"""Search: whatever was typed, found in one look."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from controller.api.needs import Asking, Needed
from controller.api.shapes import MoneyShape
from controller.usecases import search as usecase
from controller.usecases.meant import TYPED_MAX

router = APIRouter(prefix="/search", tags=["search"])


class SearchAsked(BaseModel):
    """What was typed, and how many of each kind are wanted at most."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field("", max_length=TYPED_MAX)
    limit: int = Field(usecase.HITS_MAX, ge=1, le=usecase.HITS_MAX)


class HitOut(BaseModel):
    """Something that was found; ``phone`` is whose it is."""

    kind: usecase.HitKind
    id: str
    name: str
    phone: str | None
    more: str
    state: str
    site_id: str | None
    at: datetime | None
    amount: MoneyShape | None

    @classmethod
    def of(cls, hit: usecase.Hit) -> Self:
        """From what was found."""
        amount = hit.amount
        return cls(
            kind=hit.kind,
            id=hit.id,
            name=hit.name,
            phone=hit.msisdn or None,
            more=hit.more,
            state=hit.state,
            site_id=hit.site_id or None,
            at=hit.at,
            amount=None if amount is None else MoneyShape.of(amount.minor, amount.currency),
        )


class FoundOut(BaseModel):
    """What was found, by kind; likeliest first."""

    q: str
    hits: list[HitOut]


@router.get("")
async def search(deps: Needed, who: Asking, asked: Annotated[SearchAsked, Query()]) -> FoundOut:
    """By phone, name, account, receipt, voucher code, MAC, address, site, or document number.

    A phone by its beginning or its last four digits, a name by the beginnings of its words, a
    receipt by its beginning, a MAC address in any form, whole or by its end. At most 20 of a kind.
    """
    async with deps.db.read() as tx:
        found = await usecase.search(tx, deps, who, asked.q, limit=asked.limit)
    return FoundOut(q=found.asked.text, hits=[HitOut.of(hit) for hit in found.hits])
