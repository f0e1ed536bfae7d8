"""Kenya, drawn by hand for a map that works with no internet: border, lakes, main roads, towns.

PURE. Points are (longitude, latitude) in thousandths of a degree, as rough as a map of a hand's
breadth needs them; nothing here says where a border really runs. So near the equator a degree is
as wide as it is high, so a degree is a hundred units of the drawing both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WEST, NORTH = 33_400, 5_700
EAST, SOUTH = 42_400, -5_000
PER_UNIT = 10
"""Thousandths of a degree in a unit of the drawing."""

WIDTH = (EAST - WEST) // PER_UNIT
HEIGHT = (NORTH - SOUTH) // PER_UNIT

BORDER = (
    *((33_920, -1_000), (33_950, -250), (33_930, 110), (34_090, 460), (34_270, 630)),
    *((34_330, 800), (34_530, 1_120), (34_730, 1_210), (34_830, 1_280), (34_990, 1_650)),
    *((34_980, 1_950), (34_900, 2_230), (34_730, 2_480), (34_650, 2_850), (34_450, 3_180)),
    *((34_410, 3_680), (34_170, 3_830), (34_000, 4_230), (34_380, 4_610), (34_700, 4_900)),
    *((35_270, 5_420), (35_480, 5_430), (35_820, 5_330), (35_800, 4_800), (35_950, 4_620)),
    *((36_040, 4_450), (36_900, 4_450), (37_300, 4_150), (38_120, 3_610), (38_520, 3_630)),
    *((38_910, 3_510), (39_080, 3_530), (39_510, 3_410), (39_570, 3_500), (39_860, 3_860)),
    *((40_380, 4_090), (40_770, 4_280), (41_170, 3_940), (41_890, 3_950), (41_520, 3_420)),
    *((41_320, 3_140), (40_980, 2_820), (40_970, 1_500), (40_990, 350), (40_990, -870)),
    *((41_250, -1_200), (41_560, -1_660), (41_280, -1_960), (40_980, -2_120), (40_910, -2_350)),
    *((40_640, -2_520), (40_330, -2_540), (40_190, -2_720), (40_220, -2_940), (40_120, -3_220)),
    *((39_970, -3_430), (39_850, -3_660), (39_780, -3_930), (39_660, -4_120), (39_570, -4_370)),
    *((39_400, -4_600), (39_200, -4_670), (38_700, -4_330), (37_750, -3_650), (37_600, -3_500)),
    *((37_680, -3_200), (37_600, -3_020), (37_300, -2_830), (36_790, -2_560), (35_600, -1_880)),
    (34_080, -1_020),
)

LAKES = (
    # Victoria, as far as it is Kenya's, with the gulf of Winam
    (
        *((33_920, -1_000), (33_950, -250), (33_930, 110), (34_060, 120), (34_120, -20)),
        *((34_260, -170), (34_400, -120), (34_620, -130), (34_750, -150), (34_780, -280)),
        *((34_620, -370), (34_430, -340), (34_300, -400), (34_110, -450), (34_080, -640)),
        *((34_160, -800), (34_080, -1_020)),
    ),
    # Turkana
    (
        *((36_060, 4_440), (36_200, 4_100), (36_150, 3_750), (36_250, 3_400), (36_350, 3_000)),
        *((36_600, 2_750), (36_700, 2_420), (36_570, 2_410), (36_380, 2_730), (36_100, 2_980)),
        *((35_980, 3_300), (35_900, 3_700), (35_960, 4_100), (35_900, 4_430)),
    ),
)

ROADS = (
    # Mombasa, Nairobi, Nakuru, Eldoret, Malaba
    (
        *((39_660, -4_050), (39_330, -3_850), (38_560, -3_390), (37_640, -2_280), (37_260, -1_520)),
        *((36_820, -1_290), (36_430, -720), (36_070, -290), (35_730, -180), (35_270, 520)),
        *((34_750, 620), (34_270, 640)),
    ),
    ((36_070, -290), (35_280, -370), (34_750, -100), (34_110, 460)),
    ((36_820, -1_290), (37_070, -1_040), (37_150, -500), (37_650, 50), (37_590, 350)),
    ((37_070, 10), (37_590, 350), (37_990, 2_330), (39_060, 3_520)),
    ((37_070, -1_040), (38_060, -930), (39_640, -450), (40_060, 1_750), (41_860, 3_930)),
    ((35_270, 520), (35_000, 1_020), (35_110, 1_240), (35_600, 3_120), (34_350, 4_200)),
    ((36_820, -1_290), (36_790, -2_540)),
    ((39_660, -4_050), (39_850, -3_630), (40_110, -3_220), (40_900, -2_270)),
    ((34_750, -100), (34_770, -680), (34_470, -1_070)),
)


@dataclass(frozen=True, slots=True)
class Town:
    """A town; ``rank`` 1 is named on the whole map, 2 and 3 as one comes nearer."""

    name: str
    longitude: int
    latitude: int
    rank: int = 2
    side: str = "right"


TOWNS = (
    Town("Nairobi", 36_822, -1_292, 1),
    Town("Mombasa", 39_668, -4_043, 1, "left"),
    Town("Kisumu", 34_752, -102, 1),
    Town("Nakuru", 36_067, -303, 1, "left"),
    Town("Eldoret", 35_270, 514, 1),
    Town("Garissa", 39_646, -453, 1),
    Town("Lodwar", 35_597, 3_119, 1, "left"),
    Town("Marsabit", 37_990, 2_334, 1),
    Town("Wajir", 40_057, 1_747, 1),
    Town("Mandera", 41_867, 3_937, 1, "left"),
    Town("Moyale", 39_056, 3_522, 1),
    Town("Malindi", 40_117, -3_218, 1, "left"),
    Town("Lamu", 40_902, -2_271, 1, "left"),
    Town("Nyeri", 36_951, -420),
    Town("Meru", 37_650, 47, 1),
    Town("Isiolo", 37_582, 354),
    Town("Thika", 37_069, -1_033),
    Town("Machakos", 37_263, -1_518),
    Town("Kitui", 38_011, -1_367),
    Town("Voi", 38_556, -3_396, 1, "left"),
    Town("Kilifi", 39_850, -3_631),
    Town("Kericho", 35_283, -368),
    Town("Kisii", 34_767, -682),
    Town("Migori", 34_473, -1_063),
    Town("Homa Bay", 34_457, -527),
    Town("Kakamega", 34_752, 284),
    Town("Bungoma", 34_560, 564),
    Town("Busia", 34_111, 461, 2, "left"),
    Town("Kitale", 35_006, 1_016),
    Town("Kapenguria", 35_112, 1_239, 3),
    Town("Nanyuki", 37_073, 16, 2, "left"),
    Town("Nyahururu", 36_363, 38, 3),
    Town("Maralal", 36_699, 1_097),
    Town("Narok", 35_871, -1_085),
    Town("Naivasha", 36_431, -717),
    Town("Kajiado", 36_776, -1_852),
    Town("Namanga", 36_788, -2_545, 3),
    Town("Taveta", 37_683, -3_400, 3),
    Town("Embu", 37_457, -531),
    Town("Hola", 40_033, -1_500),
    Town("Kakuma", 34_867, 3_717),
    Town("Lokichogio", 34_350, 4_205, 3),
    Town("Kiambu", 36_835, -1_171, 3),
    Town("Ruiru", 36_961, -1_149, 3),
    Town("Kitengela", 36_953, -1_476, 3),
    Town("Ongata Rongai", 36_745, -1_396, 3, "left"),
    Town("Ngong", 36_652, -1_361, 3, "left"),
    Town("Athi River", 36_978, -1_456, 3),
    Town("Limuru", 36_642, -1_114, 3, "left"),
    Town("Kerugoya", 37_280, -500, 3),
    Town("Murang'a", 37_150, -720, 3),
    Town("Chuka", 37_646, -333, 3),
    Town("Bomet", 35_342, -781, 3),
    Town("Siaya", 34_288, 61, 3),
    Town("Mumias", 34_488, 335, 3),
    Town("Webuye", 34_770, 617, 3),
    Town("Kabarnet", 35_743, 492, 3),
    Town("Iten", 35_508, 673, 3),
    Town("Wundanyi", 38_360, -3_400, 3),
    Town("Kwale", 39_452, -4_174, 3, "left"),
    Town("Ukunda", 39_566, -4_288, 3, "left"),
    Town("Mtwapa", 39_744, -3_944, 3),
    Town("Watamu", 40_023, -3_354, 3, "left"),
    Town("Wote", 37_629, -1_781, 3),
    Town("Mwingi", 38_060, -934, 3),
    Town("Makindu", 37_820, -2_275, 3),
    Town("Dadaab", 40_310, 53, 3),
    Town("El Wak", 40_929, 2_793, 3, "left"),
)


def x_of(longitude: int) -> int:
    """Where a longitude (thousandths of a degree) is in the drawing."""
    return (longitude - WEST) // PER_UNIT


def y_of(latitude: int) -> int:
    """Where a latitude is in the drawing."""
    return (NORTH - latitude) // PER_UNIT


def path(points: Sequence[tuple[int, int]], *, closed: bool) -> str:
    """Points as the path of an SVG."""
    drawn = "L".join(f"{x_of(longitude)} {y_of(latitude)}" for longitude, latitude in points)
    return f"M{drawn}Z" if closed else f"M{drawn}"


BORDER_PATH = path(BORDER, closed=True)
LAKE_PATHS = tuple(path(lake, closed=True) for lake in LAKES)
ROAD_PATHS = tuple(path(road, closed=False) for road in ROADS)
