"""Who is let in: FreeRADIUS's client asks a site that answers from its own journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.radius import NAME, SECRET, a_radius_site

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_subscriber_with_a_grant_dials_in_by_a_password(tmp_path: Path) -> None:
    async with a_radius_site(tmp_path) as site:
        await site.subscribe(validity=3600)

        answer = await site.dial(SECRET)

    assert answer is not None
    assert answer.kind == "Access-Accept"
    assert answer["Mikrotik-Rate-Limit"] == "2000000/4000000"
    assert int(answer["Session-Timeout"]) == 3600
    assert NAME not in answer.names
