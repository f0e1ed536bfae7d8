"""Ends that hang loose: rows that name another which is not there, where no foreign key would tell.

See decision 0017. Every test that has a database asks this when it ends, and so do the simulated
year and the benchmark of billing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Column, exists, func, literal, select, union_all

from controller.store.billing_rows import Row
from controller.store.rows import REFERS_TO

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import CompoundSelect, Select

    from controller.store.database import Tx


async def loose(tx: Tx) -> dict[str, int]:
    """How many rows name one that is not there, by column (``posting.transaction_id``)."""
    found = await tx.execute(_query())
    return {name: count for name, count in found if count}


@cache
def _query() -> CompoundSelect[str, int]:
    columns = [c for table in Row.metadata.tables.values() for c in table.c if REFERS_TO in c.info]
    return union_all(*map(_of, columns))


def _of(column: Column[Any]) -> Select[str, int]:
    table, _, name = column.info[REFERS_TO].partition(".")
    there = Row.metadata.tables[table].c[name]
    is_there = exists().where(there == column)
    query = select(literal(f"{column.table.name}.{column.name}"), func.count())
    return query.select_from(column.table).where(column.is_not(None), ~is_there)
