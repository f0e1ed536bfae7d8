"""The build step that copies front-end files and fonts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fontTools.ttLib import TTFont

from controller.vendor import FILES, ROOT, copy_vendor

if TYPE_CHECKING:
    from pathlib import Path

MODULES = ROOT / "node_modules"


def test_every_file_is_copied_to_its_place(tmp_path: Path) -> None:
    copied = copy_vendor(MODULES, tmp_path)

    assert [str(path.relative_to(tmp_path)) for path in copied] == list(FILES.values())
    assert all(path.stat().st_size for path in copied)


def test_fonts_keep_the_letters_of_names_and_little_else(tmp_path: Path) -> None:
    copied = copy_vendor(MODULES, tmp_path)
    fonts = [path for path in copied if path.suffix == ".ttf"]
    for path in fonts:
        with TTFont(path) as font:
            letters = font.getBestCmap()
        assert set(map(ord, "WanjikũKĩmani €")) <= set(letters)
        assert ord("Ж") not in letters

    assert [path.stat().st_size < 80_000 for path in fonts] == [True, True]


def test_a_missing_front_end_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="htmx"):
        copy_vendor(tmp_path, tmp_path / "vendor")
