"""Where sites stand on the map."""

from __future__ import annotations

import pytest

from billing.errors import InvalidField
from controller.geography import Place
from controller.noc import charts, kenya
from controller.noc.lines import SiteLine, site_line
from controller.noc.networks import SiteNow
from tests.support.office import NOON, a_site


def a_line(site_id: str, place: tuple[int, int] | None, *, behind: bool = False) -> SiteLine:
    latitude, longitude = place or (None, None)
    row = a_site(
        site_id, latitude_e6=latitude, longitude_e6=longitude, generation=13 if behind else 12
    )
    return site_line(SiteNow(row, 0, None, None, 0), NOON)


NAIROBI = (-1_292_100, 36_821_900)
RUIRU = (-1_148_900, 36_960_600)
MOMBASA = (-4_043_000, 39_668_000)


def test_sites_too_near_to_each_other_are_one_marker_and_come_apart_nearer() -> None:
    sites = [a_line("a", NAIROBI), a_line("b", RUIRU), a_line("c", MOMBASA)]

    assert [len(one.sites) for one in charts.markers(sites, 1)] == [2, 1]
    assert [len(one.sites) for one in charts.markers(sites, 16)] == [1, 1, 1]


def test_sites_on_two_sides_of_a_cell_are_one_marker_too() -> None:
    cell = charts.APART * charts.SCALE
    edge = kenya.WEST * 1_000 + cell * 10 * charts.E6_PER_UNIT // charts.SCALE
    sites = [a_line("a", (0, edge - 10_000)), a_line("b", (0, edge + 10_000))]

    assert [len(one.sites) for one in charts.markers(sites, 1)] == [2]


def test_a_marker_of_many_shows_the_worst_of_them() -> None:
    (marker,) = charts.markers([a_line("a", NAIROBI), a_line("b", NAIROBI, behind=True)], 64)

    assert marker.tone == "busy"


def test_a_site_without_a_place_is_on_no_map() -> None:
    assert charts.markers([a_line("a", None)], 1) == ()


def test_every_town_lies_within_the_drawing_and_is_where_a_site_there_would_be() -> None:
    for town in kenya.TOWNS:
        x, y = charts.point_of(Place(town.latitude * 1_000, town.longitude * 1_000))

        assert 0 < x < kenya.WIDTH * charts.SCALE
        assert 0 < y < kenya.HEIGHT * charts.SCALE
        assert abs(x - kenya.x_of(town.longitude) * charts.SCALE) <= charts.SCALE
        assert abs(y - kenya.y_of(town.latitude) * charts.SCALE) <= charts.SCALE


def test_every_town_lies_within_the_border() -> None:
    outside = [town.name for town in kenya.TOWNS if not _within(town.longitude, town.latitude)]

    assert outside == []


def _within(x: int, y: int) -> bool:
    """Whether a line from the point to the east crosses the border an odd number of times."""
    crossed = False
    for (x1, y1), (x2, y2) in zip(kenya.BORDER, (*kenya.BORDER[1:], kenya.BORDER[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossed = not crossed
    return crossed


@pytest.mark.parametrize(
    "query", [{"z": "3"}, {"x": "a"}, {"y": "1.5"}, {"z": "99999999"}, {"x": "\u0661"}]
)
def test_a_part_that_is_none_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(InvalidField):
        charts.part_of(query)


def test_a_part_stays_within_the_map() -> None:
    assert charts.part_of({"x": "-50", "y": "9999999", "z": "4"}).box[:2] == (
        -(kenya.WIDTH * charts.SCALE // 8),
        kenya.HEIGHT * charts.SCALE - kenya.HEIGHT * charts.SCALE // 8,
    )
