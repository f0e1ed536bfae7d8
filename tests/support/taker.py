"""A process of its own that takes turns: ``python -m tests.support.taker URL PER_S COUNT``.

Prints how long each of its turns must wait, as JSON. What time it is for all of them is `NOON`.
"""

from __future__ import annotations

import asyncio
import json
import sys

from controller.payments.bucket_rows import BucketRows
from controller.store.database import Database
from tests.support.daraja import NOON


async def take(url: str, per_s: int, count: int) -> list[float]:
    """``count`` turns of one bucket, one after another."""
    db = Database(url)
    bucket = BucketRows(db, per_s)
    waits = [await bucket.take("mpesa:600111", NOON) for _ in range(count)]
    await db.close()
    return waits


if __name__ == "__main__":
    print(json.dumps(asyncio.run(take(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
