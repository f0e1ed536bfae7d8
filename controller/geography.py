"""Where things are: coordinates as people paste them, in millionths of a degree. PURE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from billing.errors import InvalidField

E6 = 1_000_000
LATITUDE_MAX_E6 = 90 * E6
LONGITUDE_MAX_E6 = 180 * E6
PASTED_MAX = 2_000

_NUMBER = r"(-?\d{1,3}(?:\.\d{1,18})?)"
_PAIR = re.compile(rf"^\s*(?:geo:)?{_NUMBER}\s*[,; ]\s*{_NUMBER}\s*(?:[,;?].*)?$", re.ASCII)
_IN_LINK = (
    re.compile(rf"!3d{_NUMBER}!4d{_NUMBER}", re.ASCII),  # the marked place of a Google Maps link
    re.compile(rf"[?&](?:q|ll|query|destination|daddr|center)=(?:loc:)?{_NUMBER},\s*{_NUMBER}"),
    re.compile(rf"[?&]mlat={_NUMBER}&mlon={_NUMBER}", re.ASCII),  # OpenStreetMap
    re.compile(rf"/@{_NUMBER},{_NUMBER}", re.ASCII),  # what a Google Maps link looks at
    re.compile(rf"#map=\d+/{_NUMBER}/{_NUMBER}", re.ASCII),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the earth (WGS 84)."""

    latitude_e6: int
    longitude_e6: int

    def __post_init__(self) -> None:
        """Hold what is on the earth."""
        if abs(self.latitude_e6) > LATITUDE_MAX_E6:
            raise InvalidField("place", "the latitude is between -90 and 90 degrees")
        if abs(self.longitude_e6) > LONGITUDE_MAX_E6:
            raise InvalidField("place", "the longitude is between -180 and 180 degrees")

    def __str__(self) -> str:
        """As it can be pasted: ``-1.292100, 36.821900``."""
        return f"{degrees(self.latitude_e6)}, {degrees(self.longitude_e6)}"


def read_place(pasted: str) -> Place:
    """A pasted "lat, lng", a ``geo:`` address, or a link to a map that says the coordinates.

    Nothing is asked of anybody: a short link has to be opened first. Raises `InvalidField`.
    """
    text = unquote(pasted[:PASTED_MAX])
    shapes = _IN_LINK if "://" in text else (_PAIR,)
    for shape in shapes:
        if found := shape.search(text):
            return Place(_e6(found[1]), _e6(found[2]))
    raise InvalidField("place", 'want "-1.2921, 36.8219", or a link to a map with coordinates')


def degrees(e6: int) -> str:
    """Millionths of a degree as degrees: ``-1.292100``."""
    whole, rest = divmod(abs(e6), E6)
    return f"{'-' if e6 < 0 else ''}{whole}.{rest:06d}"


def _e6(number: str) -> int:
    """Degrees as millionths; what is finer is cut."""
    sign = -1 if number.startswith("-") else 1
    whole, _, rest = number.lstrip("-").partition(".")
    return sign * (int(whole) * E6 + int(f"{rest:0<6}"[:6]))
