"""What PostgreSQL takes in no text, in every path, question and field: refused, and not broken.

SQLite takes both, so the other attacks would not see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.api.rights import PREFIX
from tests.attacks import doors
from tests.attacks.asking import application, asked, asking, bearer, ids_for, is_form
from tests.attacks.business import a_business
from tests.attacks.doors import Deed, filled, filled_in
from tests.attacks.hostile import HALF, places, with_at
from tests.attacks.test_injection import DEEDS, OWN, attacked
from tests.attacks.test_reading import names_asked, readable
from tests.support.office import an_office

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from controller.store.database import Database

pytestmark = pytest.mark.postgres

BROKEN = 500
NUL = "a\0b"


def questions(ids: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Every path that is read, with the bad text in one place at a time."""
    names = names_asked()
    for path in readable():
        for name in doors.NAMES.findall(path):
            yield filled(path, {**ids_for(path, ids), name: "a%00b"}), {}
        for name in sorted(names.get(path, ())):
            yield filled(path, ids_for(path, ids)), {name: NUL}


def deeds(ids: Mapping[str, str]) -> Iterator[tuple[Deed, object]]:
    """Every deed, with the bad text in one name of its path or in one field."""
    for deed in DEEDS:
        good = filled_in(deed.content, {**ids, "once": "ab" * 16})
        for name in doors.NAMES.findall(deed.path):
            path = deed.path.replace(f"{{{name}}}", "a%00b")
            yield Deed(deed.method, path, deed.content, files=deed.files), good
        texts = [at for at, value in places(good) if isinstance(value, str) and at[0] != "sure"]
        if is_form(deed.path):  # all its fields are looked at in one place
            yield from ((deed, with_at(good, at, NUL)) for at in texts[:1] if deed.path not in OWN)
            continue
        yield from ((deed, with_at(good, at, bad)) for at in texts for bad in (NUL, HALF))


async def test_no_text_breaks_a_page_or_a_deed(postgres_db: Database, tmp_path: Path) -> None:
    business = await a_business(an_office(tmp_path, postgres_db))
    app, tried = application(business), 0
    guilty: list[object] = []
    key = bearer(business, Deed("GET", PREFIX))
    async with asking(app, cookies=business.owner_cookies) as client:
        for path, query in questions(business.ids):
            headers = key if path.startswith(PREFIX) else {}
            answer = await client.get(path, params=query, headers=headers)
            tried += 1
            if answer.status_code >= BROKEN:
                guilty.append((path, query, answer.status_code))
        for deed, body in deeds(business.ids):
            how = asked if body is None or deed.files else attacked
            answer = await how(client, deed, business.ids, body)
            tried += 1
            if answer.status_code >= BROKEN:
                guilty.append((deed.path, str(body)[:200], answer.status_code))
    await app.state.hub.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert tried > 800
