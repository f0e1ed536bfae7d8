"""What goes out and comes in about sites' networks: pools, the garden, probes."""

import json
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from controller.api.shapes import Words
from controller.noc.views import ProbeView
from controller.store.site_rows import GardenRow, PoolRow
from controller.usecases.pools import PORTS_MAX, SharedRate, as_pool


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PoolSetIn(_In):
    """A shared rate; ``parent_id`` is the pool that it is part of, "" for none.

    Devices seen at the bridge ports in ``ports`` share it, where their plan names no other.
    """

    name: Words
    down_bps: StrictInt
    up_bps: StrictInt
    parent_id: Words = ""
    ports: Annotated[list[Words], Field(max_length=PORTS_MAX)] = []

    def pool(self, pool_id: str) -> SharedRate:
        """As the pool of that id, unchecked."""
        fields = self.model_dump(exclude={"id", "ports"})
        return SharedRate(id=pool_id, ports=tuple(self.ports), **fields)


class PoolIn(PoolSetIn):
    """A new shared rate of a site."""

    id: Words


class PoolOut(BaseModel):
    """A shared rate of a site."""

    site_id: str
    id: str
    name: str
    parent_id: str | None
    down_bps: int
    up_bps: int
    ports: list[str]

    @classmethod
    def of(cls, row: PoolRow) -> Self:
        """From its row."""
        pool = as_pool(row)
        return cls(
            site_id=row.site_id,
            id=pool.id,
            name=pool.name,
            parent_id=row.parent_id,
            down_bps=pool.down_bps,
            up_bps=pool.up_bps,
            ports=list(pool.ports),
        )


class GardenIn(_In):
    """A host name (with every name below it) or a network, at one site or (null) at all."""

    entry: Words
    site_id: Words | None = None


class GardenOut(BaseModel):
    """Something that everybody may reach; ``site_id`` is null where it is so at every site."""

    site_id: str | None
    entry: str
    kind: str

    @classmethod
    def of(cls, row: GardenRow) -> Self:
        """From its row."""
        return cls(site_id=row.site_id or None, entry=row.entry, kind=row.kind)


class ProbeIn(_In):
    """A look at a site's network: ``arp``, ``dhcp``, ``trace``, ``dns`` or ``mtu``."""

    kind: Words
    target: Annotated[Words, Field(max_length=253)] = ""


class ProbeOut(BaseModel):
    """A probe; ``state`` is ``under_way``, ``answered``, or ``given_up`` without a result."""

    id: str
    site_id: str
    kind: str
    target: str
    state: str
    asked_at: datetime
    ended_at: datetime | None
    result: dict[str, Any] | None

    @classmethod
    def of(cls, view: ProbeView) -> Self:
        """From a view. What a site said that is no JSON object is shown as an error."""
        row, kept = view.row, view.result
        state = "under_way" if row.ended_at is None else "given_up"
        return cls(
            id=row.id,
            site_id=row.site_id,
            kind=row.kind,
            target=row.target,
            state=state if kept is None else "answered",
            asked_at=row.asked_at,
            ended_at=row.ended_at,
            result=None if kept is None else _read(kept.body),
        )


def _read(body: str) -> dict[str, Any]:
    try:
        result = json.loads(body)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        return {"outcome": "failed", "error": "the site's answer cannot be read"}
    return result
