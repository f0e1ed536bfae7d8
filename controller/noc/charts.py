"""Where sites stand on the map: which part is shown, and which sites are drawn as one. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.errors import InvalidField
from controller.geography import E6, Place
from controller.noc import kenya

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.noc.lines import SiteLine

    _Point = tuple[int, int, SiteLine]

ZOOMS = (1, 2, 4, 8, 16, 32, 64)
SCALE = 100
"""The drawing is kept in hundredths of its unit, so that a street still is a few of them."""

APART = 26
"""Markers nearer than so many units of the whole map, at zoom 1, are drawn as one."""

WORST_FIRST = ("bad", "busy", "quiet", "good")
E6_PER_UNIT = kenya.PER_UNIT * E6 // 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the map that is shown: its middle, and how near."""

    x: int
    y: int
    zoom: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height, in hundredths of a unit."""
        width, height = kenya.WIDTH * SCALE // self.zoom, kenya.HEIGHT * SCALE // self.zoom
        return self.x - width // 2, self.y - height // 2, width, height

    def query(self, *, zoom: int | None = None, at: tuple[int, int] | None = None) -> str:
        """The same part in an address, nearer or elsewhere where asked."""
        x, y = at or (self.x, self.y)
        return f"x={x}&y={y}&z={zoom or self.zoom}"


@dataclass(frozen=True, slots=True)
class Marker:
    """One or more sites at a point, in hundredths of a unit; the worst state is the shown one."""

    x: int
    y: int
    tone: str
    sites: tuple[SiteLine, ...]


WHOLE = Part(kenya.WIDTH * SCALE // 2, kenya.HEIGHT * SCALE // 2, 1)


def part_of(query: Mapping[str, str]) -> Part:
    """The part that an address asks for. Raises `InvalidField`."""
    zoom = _number(query, "z", 1)
    if zoom not in ZOOMS:
        raise InvalidField("z", f"is none of {', '.join(map(str, ZOOMS))}")
    x, y = _number(query, "x", WHOLE.x), _number(query, "y", WHOLE.y)
    return Part(_within(x, kenya.WIDTH), _within(y, kenya.HEIGHT), zoom)


def point_of(place: Place) -> tuple[int, int]:
    """Where a place is in the drawing, in hundredths of a unit."""
    x = (place.longitude_e6 - kenya.WEST * 1_000) * SCALE // E6_PER_UNIT
    y = (kenya.NORTH * 1_000 - place.latitude_e6) * SCALE // E6_PER_UNIT
    return x, y


def markers(sites: Iterable[SiteLine], zoom: int) -> tuple[Marker, ...]:
    """Where the sites that have a place are drawn; those too near to each other as one."""
    apart = APART * SCALE // zoom
    found: dict[tuple[int, int], list[_Point]] = {}
    for site in sites:
        if site.place is not None:
            x, y = point_of(Place(*site.place))
            near = _near(found, x, y, apart) or (x // apart, y // apart)
            found.setdefault(near, []).append((x, y, site))
    return tuple(_marker(points) for _, points in sorted(found.items()))


def _near(
    found: Mapping[tuple[int, int], list[_Point]], x: int, y: int, apart: int
) -> tuple[int, int] | None:
    """The marker near to a point, in its own cell or one beside it."""
    for column in (x // apart, x // apart - 1, x // apart + 1):
        for row in (y // apart, y // apart - 1, y // apart + 1):
            first = found.get((column, row))
            if first and abs(first[0][0] - x) < apart and abs(first[0][1] - y) < apart:
                return column, row
    return None


def tone_of(site: SiteLine) -> str:
    """How a site is marked: silent, behind, never seen, or well."""
    return "busy" if site.mood.tone == "good" and site.step.tone != "good" else site.mood.tone


def _marker(found: list[_Point]) -> Marker:
    tones = {tone_of(site) for _, _, site in found}
    return Marker(
        x=sum(x for x, _, _ in found) // len(found),
        y=sum(y for _, y, _ in found) // len(found),
        tone=next(tone for tone in WORST_FIRST if tone in tones),
        sites=tuple(site for _, _, site in found),
    )


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    told = query.get(name, "")
    if not told:
        return usual
    digits = told.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 7):  # noqa: PLR2004 - the map ends long before
        raise InvalidField(name, "want a whole number")
    return int(told)


def _within(middle: int, length: int) -> int:
    return min(max(0, middle), length * SCALE)
