"""Golden files: rendered text that people review as text."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden"


def golden(name: str, text: str) -> str:
    """What the golden file holds. With LANGO_WRITE_GOLDEN=1 in the environment it is rewritten."""
    path = GOLDEN / name
    if os.environ.get("LANGO_WRITE_GOLDEN") == "1":
        path.write_text(text)
    return path.read_text()
