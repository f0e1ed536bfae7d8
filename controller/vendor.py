"""Build step: copy the pinned front-end files and fonts out of ``node_modules``, each to its place.

Run as ``python -m controller.vendor`` after ``npm ci``. What is copied is not committed. Of fonts
only the Latin letters and a few signs are kept: a PDF with a name in them is then made in 16 ms.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parents[1]
TARGET = Path(__file__).resolve().parent

FILES = {
    "htmx.org/dist/htmx.min.js": "noc/static/vendor/htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "noc/static/vendor/hx-sse.min.js",
    "htmx.org/LICENSE": "noc/static/vendor/htmx.LICENSE",
    "uplot/dist/uPlot.iife.min.js": "noc/static/vendor/uplot.min.js",
    "uplot/dist/uPlot.min.css": "noc/static/vendor/uplot.min.css",
    "uplot/LICENSE": "noc/static/vendor/uplot.LICENSE",
    "leaflet/dist/leaflet.js": "noc/static/vendor/leaflet.js",
    "leaflet/dist/leaflet.css": "noc/static/vendor/leaflet.css",
    "leaflet/LICENSE": "noc/static/vendor/leaflet.LICENSE",
    "dejavu-fonts-ttf/ttf/DejaVuSans.ttf": "documents/fonts/DejaVuSans.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf": "documents/fonts/DejaVuSans-Bold.ttf",
    "dejavu-fonts-ttf/LICENSE": "documents/fonts/LICENSE",
}
"""What is copied, from below ``node_modules``, and its place in this package."""

LETTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2040),
    0x20AC,
    0x2190,
    0x2192,
    0x2212,
)
"""The characters that are kept of a font: those of names like Wanjikũ, dashes, €, arrows, minus."""


OPTIONS = Options(
    layout_features=[],
    hinting=False,
    notdef_outline=True,
    glyph_names=False,
    drop_tables=["FFTM", "MATH", "GDEF", "GPOS", "GSUB", "kern"],
)


def copy_vendor(modules: Path, target: Path) -> list[Path]:
    """Copy every file of `FILES` and say where it is now. Raises ``FileNotFoundError``."""
    return [_copied(modules / source, target / place) for source, place in FILES.items()]


def _copied(source: Path, place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".ttf":
        return Path(shutil.copyfile(source, place))
    with TTFont(source) as font:
        subsetter = Subsetter(OPTIONS)
        subsetter.populate(unicodes=LETTERS)
        subsetter.subset(font)
        font.save(place)
    return place


def main() -> int:
    """Copy, or say what is missing and how to get it. Answers the exit code."""
    try:
        copied = copy_vendor(ROOT / "node_modules", TARGET)
    except FileNotFoundError as missing:
        sys.stderr.write(f"{missing.filename} is missing: run `npm ci` first (make setup does)\n")
        return 1
    sys.stderr.write(f"{len(copied)} front-end files and fonts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
