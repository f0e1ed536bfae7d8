"""Whoever is held to one branch gets at nothing of another, by any page or form.

The API's routes are asked by every role in ``tests/controller/api/test_rights_matrix.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.attacks import doors
from tests.attacks.asking import application, asking, ids_for, went_well
from tests.attacks.business import ids_of
from tests.attacks.doors import filled
from tests.attacks.tables import Watcher, changed
from tests.support.two_branches import THERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.attacks.business import Business
    from tests.attacks.doors import Deed

NOT_FOUND, FORBIDDEN = 404, 403
OF_ALL = {
    "plan_id": "plans are of no branch",
    "once": "made anew",
    "batch": "a batch is sold by every branch",
    "section": "the set-up is of no branch",
    "ending": "the same",
    "promotion_id": "promotions are of no branch",
}
"""Names that stand for nothing a branch has."""

OWN = frozenset({"/noc/preferences", "/noc/me/tokens/{token_id}/revoke"})


def theirs(business: Business) -> dict[str, str]:
    """What the other branch has; somebody of the staff who has every branch."""
    return {**business.ids, **ids_of(THERE), "unplaced": business.ids["unplaced"]}


def aimed(deed: Deed, ours: Mapping[str, str], others: Mapping[str, str]) -> Iterator[Any]:
    """The deed with one name of another branch at a time: in its path, or in one field."""
    names = [name for name in ids_for(deed.path, {**others}) if f"{{{name}}}" in deed.path]
    if set(names) - set(OF_ALL):
        yield (
            filled(deed.path, ids_for(deed.path, {**others})),
            doors.filled_in(dict(deed.content or {}), {**ours, "once": "cd" * 16}),
        )
    for field, value in (deed.content or {}).items():
        for name in set(doors.NAMES.findall(value)) - set(OF_ALL):
            if field == "payer":
                continue  # any phone may pay
            told = doors.filled_in(dict(deed.content or {}), {**ours, "once": "cd" * 16})
            path = filled(deed.path, ids_for(deed.path, {**ours}))
            yield path, {**told, field: filled(value, {name: others[name]})}


async def test_a_form_does_nothing_to_what_another_branch_has(business: Business) -> None:
    app, watcher, guilty, tried = application(business), Watcher(business), [], 0
    others = theirs(business)
    async with asking(app, cookies=business.held_cookies) as client:
        for deed in doors.ACTS:
            if deed.path in OWN:
                continue
            for path, content in aimed(deed, business.ids, others):
                before = watcher.seen()
                answer = await client.post(path, data=content)
                left = changed(before, watcher.seen())
                tried += 1
                if went_well(business, answer) or left:
                    guilty.append((path, content, answer.status_code, left))
    await app.state.hub.close()
    watcher.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert tried > 30


async def test_a_form_says_of_anothers_what_it_says_of_nothing(business: Business) -> None:
    app, guilty = application(business), []
    others = theirs(business)
    nothing = {name: "f" * len(value) for name, value in others.items()}
    nothing |= {"site_id": "site-nowhere", "phone": "254799999999", "branch": "nowhere"}
    async with asking(app, cookies=business.held_cookies) as client:
        for deed in doors.ACTS:
            if deed.path in OWN or "{" not in deed.path:
                continue
            told = doors.filled_in(dict(deed.content or {}), {**business.ids, "once": "cd" * 16})
            answers = [
                await client.post(filled(deed.path, ids_for(deed.path, whose)), data=told)
                for whose in (others, nothing)
            ]
            if answers[0].status_code != answers[1].status_code:
                guilty.append((deed.path, [answer.status_code for answer in answers]))
    await app.state.hub.close()

    assert not guilty, "\n".join(map(str, guilty))


async def test_a_page_of_what_another_branch_has_is_not_found(business: Business) -> None:
    app, guilty, tried = application(business), [], 0
    others = theirs(business)
    async with asking(app, cookies=business.held_cookies) as client:
        for method, path in sorted(doors.routes()):
            if method != "GET" or not path.startswith("/noc/") or "{" not in path:
                continue
            names = [name for name in others if f"{{{name}}}" in path]
            if not set(names) - set(OF_ALL):
                continue
            mine = await client.get(filled(path, ids_for(path, business.ids)))
            answer = await client.get(filled(path, ids_for(path, others)))
            tried += 1
            if answer.status_code != NOT_FOUND:
                guilty.append((path, mine.status_code, answer.status_code))
    await app.state.hub.close()

    assert not guilty, "\n".join(map(str, guilty))
    assert tried > 5


async def test_no_list_holds_a_name_of_another_branch(business: Business) -> None:
    app, guilty = application(business), []
    signs = (f"site-{THERE}", f"R{THERE}", f"A{THERE}", f"INV-{THERE}", f"{THERE}@example.com")
    async with asking(app, cookies=business.held_cookies) as client:
        for method, path in sorted(doors.routes()):
            if method == "GET" and path.startswith("/noc") and "{" not in path:
                if path in {"/noc/events", "/noc/static"}:
                    continue
                answer = await client.get(path)
                found = [sign for sign in signs if sign in answer.text]
                if found:
                    guilty.append((path, found))
        searches = [await client.get("/noc/search", params={"q": sign}) for sign in signs]
    await app.state.hub.close()
    hrefs = [page.text.count(f'href="/noc/sites/site-{THERE}') for page in searches]

    assert not guilty, "\n".join(map(str, guilty))
    assert sum(hrefs) == 0
