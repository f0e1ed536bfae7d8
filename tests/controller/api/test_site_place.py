"""Where a site is, by the HTTP API and by the command."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.controller.cli.lango import lango
from tests.support.office import Office, a_site, caller, opened

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/api/v1/sites/estate-1"


async def test_a_site_is_placed_and_taken_off_the_map(office: Office) -> None:
    await office.keep(a_site())
    async with caller(office) as client:
        placed = await client.patch(PATH, json={"place": "-1.2921, 36.8219"})
        shown = await client.get(PATH)
        gone = await client.patch(PATH, json={"place": None})

    assert placed.status_code == 200
    assert shown.json()["latitude_e6"] == -1_292_100
    assert shown.json()["longitude_e6"] == 36_821_900
    assert (gone.json()["latitude_e6"], gone.json()["longitude_e6"]) == (None, None)


@pytest.mark.parametrize(
    "body", [{"place": "over there"}, {"place": "91, 0"}, {}, {"place": 5}, {"name": "X"}]
)
async def test_what_is_no_place_is_refused(office: Office, body: dict[str, object]) -> None:
    await office.keep(a_site())
    async with caller(office) as client:
        answer = await client.patch(PATH, json=body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in {"place", "name"}


async def test_a_site_that_is_not_there_is_not_placed(office: Office) -> None:
    async with caller(office) as client:
        answer = await client.patch(PATH, json={"place": "0, 0"})

    assert answer.status_code == 404


async def test_the_command_places_a_site(office: Office, tmp_path: Path) -> None:
    await office.keep(a_site())
    async with opened(office) as url:
        run = partial(lango, "site", cwd=tmp_path, LANGO_URL=url, LANGO_KEY=office.key)
        placed = await run("place", "estate-1", "0.5143, 35.2698")
        shown = await run("show", "estate-1")
        gone = await run("place", "estate-1", "--nowhere")

    assert (placed.code, placed.out.strip()) == (0, "0.514300, 35.269800")
    assert "0.514300, 35.269800" in shown.out
    assert gone.code == 0
