"""Coordinates as people paste them."""

from __future__ import annotations

import pytest

from billing.errors import InvalidField
from controller.geography import Place, degrees, read_place

NAIROBI = Place(-1_292_100, 36_821_900)


@pytest.mark.parametrize(
    "pasted",
    [
        "-1.2921, 36.8219",
        "-1.2921,36.8219",
        "  -1.2921 36.8219 ",
        "-1.2921; 36.8219",
        "geo:-1.2921,36.8219?z=12",
        "https://maps.google.com/?q=-1.2921,36.8219",
        "https://www.google.com/maps/@-1.2921,36.8219,15z",
        "https://www.google.com/maps/place/X/@-1.3,36.9,17z/data=!3d-1.2921!4d36.8219",
        "https://www.google.com/maps/search/?api=1&query=-1.2921%2C36.8219",
        "https://www.openstreetmap.org/?mlat=-1.2921&mlon=36.8219#map=15/-1.3/36.8",
        "https://www.openstreetmap.org/#map=15/-1.2921/36.8219",
    ],
)
def test_a_pasted_place_is_read(pasted: str) -> None:
    assert read_place(pasted) == NAIROBI


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "Nairobi",
        "-1.2921",
        "91, 36",
        "-1.2, 181",
        "https://maps.app.goo.gl/x7",
        "1e3, 4",
        "\u0661, \u0662",
        "-1.2921, 36.8219<script>",
    ],
)
def test_what_is_no_place_is_refused_by_the_name_of_its_field(pasted: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_place(pasted)

    assert refused.value.field == "place"


@pytest.mark.parametrize(
    ("e6", "shown"),
    [(0, "0.000000"), (-1, "-0.000001"), (36_821_900, "36.821900"), (-4_085_600, "-4.085600")],
)
def test_degrees_are_written_with_all_their_digits(e6: int, shown: str) -> None:
    assert degrees(e6) == shown


def test_what_is_written_is_read_again() -> None:
    assert read_place(str(NAIROBI)) == NAIROBI
