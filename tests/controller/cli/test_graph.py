"""A site's graph in a terminal, of a real controller."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from controller.cli.chart import COLUMNS, ROWS, drawn
from controller.store import series
from tests.controller.cli.lango import lango_here
from tests.support.office import NOON, a_site, opened

if TYPE_CHECKING:
    import pytest

    from tests.support.office import Office


async def measured(office: Office, *, hours: int) -> None:
    await office.keep(a_site())
    samples: list[dict[str, int | str | None]] = [
        {
            "site_id": "estate-1",
            "at_s": series.second(NOON - timedelta(minutes=minute)),
            "down_bps": 1_000_000 * (minute % 60),
        }
        for minute in range(0, 60 * hours, 10)
    ]
    async with office.deps.db.begin() as tx:
        await series.keep(tx, samples)


async def test_a_graph_is_eight_lines_of_blocks_within_eighty_columns(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await measured(office, hours=12)
    async with opened(office) as url:
        monkeypatch.setenv("LANGO_URL", url)
        monkeypatch.setenv("LANGO_KEY", office.key)
        ran = await lango_here("site", "graph", "estate-1", "--metric", "down_bps")
        none = await lango_here("site", "graph", "estate-1", "--metric", "rtt_ms")
        wrong = await lango_here("site", "graph", "estate-1", "--metric", "colour")
        told = await lango_here("site", "graph", "estate-1", "--metric", "down_bps", "--json")
    lines = ran.out.splitlines()

    assert ran.code == 0
    assert len(lines) == ROWS
    assert max(map(len, lines)) <= 80
    assert "█" in lines[-1]
    assert "·" in lines[-1]
    assert "least 0, most 50 Mb/s" in " ".join(ran.err.split())
    assert (none.code, none.out) == (0, "")
    assert wrong.code == 2
    assert told.json["schema"] == "lango.series/v1"
    assert told.json["step_s"] == 300
    assert max(one["high"] for one in told.json["data"]) == 50_000_000


def test_a_graph_reaches_from_nothing_to_the_most() -> None:
    lines = drawn([0, 5, 10, None], shown=str)

    assert [line[12:] for line in lines] == [*["  █"] * 4, *[" ██"] * 3, "▁██·"]
    assert (lines[0][:11].strip(), lines[-1][:11].strip()) == ("10", "0")


def test_values_below_zero_have_room() -> None:
    lines = drawn([-8, 8], shown=str)

    assert [line[12:] for line in lines][-1] == "▁█"
    assert lines[-1].split()[0] == "-8"


def test_only_the_last_columns_are_drawn() -> None:
    lines = drawn(list(range(200)), shown=str)

    assert len(lines[-1]) == 12 + COLUMNS
