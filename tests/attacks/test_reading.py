"""Reading changes nothing, whatever is asked and however it is asked."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING

from controller.api.app import described_app
from controller.api.rights import PREFIX
from controller.noc.pages.every import PAGES
from tests.attacks import doors
from tests.attacks.asking import application, asking, ids_for
from tests.attacks.doors import filled
from tests.attacks.hostile import DAYS, EACH_EVERYWHERE, FORMULA, MOMENTS, PRINTABLE, SCRIPT
from tests.attacks.tables import Watcher, changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.attacks.business import Business

NOTED = frozenset({"audit"})
"""Who takes a list away in a file is in the log."""

BROKEN, SIGNED_OUT = 500, 401
ODD = ("nul\0here", "\u202e", "x" * 150, "//[", "-1", "9" * 30, FORMULA, DAYS[1], MOMENTS[1])
IN_PATHS = ("nul\0here", "x" * 150, PRINTABLE[:60])
STREAMS = {"/noc/events": "it does not end; what it asks for is tried by its page"}
ASKED = re.compile(r'(?:query(?:_params)?|sent)(?:\.get\(|\[)"(\w+)"|\(query, "(\w+)"')


def readable() -> list[str]:
    """Every path that is read by GET."""
    paths = {path for method, path in doors.routes() if method == "GET"}
    return sorted(paths - set(STREAMS) - {"/noc/static"})


def names_asked() -> dict[str, set[str]]:
    """What each path looks for in its query, by what the API says and the pages' code reads."""
    described = described_app().openapi()["paths"]
    names = {
        path: {p["name"] for p in methods["get"].get("parameters", ()) if p["in"] == "query"}
        for path, methods in described.items()
        if "get" in methods
    }
    for part in PAGES:
        source = inspect.getsource(sys.modules[part.__name__])
        found = {one or other for one, other in ASKED.findall(source)}
        for route in part.router.routes:
            names[getattr(route, "path", "")] = found
    return names


def questions(business: Business) -> Iterator[tuple[str, dict[str, str]]]:
    """Each path as it is meant, then with a script in each question, then with other bad values.

    Those take turns from path to path, and are all sent in each with ``ATTACK_ALL=1``.
    """
    names, turn = names_asked(), 0
    for path in readable():
        real = filled(path, ids_for(path, {**business.ids, "key": "ab" * 16, "batch": "none"}))
        yield real, {}
        asked_for = sorted(names.get(path, ()))
        for name in asked_for:
            yield real, {name: PRINTABLE[:150]}
        for name in asked_for if EACH_EVERYWHERE else asked_for[turn % 3 :: 3]:
            turn += 1
            yield real, {name: ODD[turn % len(ODD)]}
        if "{" in path:
            turn += 1
            odd = IN_PATHS[turn % len(IN_PATHS)]
            yield filled(path, dict.fromkeys(business.ids, odd.replace("/", "%2f"))), {"q": odd}


async def test_no_get_changes_anything_or_breaks_or_lets_a_script_in(business: Business) -> None:
    app, watcher, guilty, tried = application(business), Watcher(business), [], 0
    key = {"Authorization": f"Bearer {business.owner_key}"}
    async with asking(app, cookies=business.owner_cookies) as client:
        for path, query in questions(business):
            before = watcher.seen()
            business.office.clock.forward(seconds=2)
            headers = key if path.startswith(PREFIX) else {}
            answer = await client.get(path.replace("\0", "%00"), params=query, headers=headers)
            tried += 1
            left = changed(before, watcher.seen())
            if set(left) - (NOTED if path.endswith(".csv") else set()):
                guilty.append((path, query, f"changed {left}"))
            if answer.status_code >= BROKEN or answer.status_code == SIGNED_OUT:
                guilty.append((path, query, str(answer.status_code)))
            if SCRIPT in answer.text and "html" in answer.headers.get("content-type", ""):
                guilty.append((path, query, "a script in the page"))
    await app.state.hub.close()
    watcher.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert tried > 400
