"""Build step: copy the pinned front-end files out of ``node_modules`` into ``static/vendor``.

Run as ``python -m controller.noc.vendor`` after ``npm ci``. What is copied is not committed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(__file__).resolve().parent / "static" / "vendor"

FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js": "hx-sse.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE",
}
"""What is copied, from below ``node_modules``, and its name here."""


def copy_vendor(modules: Path, target: Path) -> list[Path]:
    """Copy every file of `FILES` and say where it is now. Raises ``FileNotFoundError``."""
    target.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(modules / path, target / name)) for path, name in FILES.items()]


def main() -> int:
    """Copy, or say what is missing and how to get it. Answers the exit code."""
    try:
        copied = copy_vendor(ROOT / "node_modules", TARGET)
    except FileNotFoundError as missing:
        sys.stderr.write(f"{missing.filename} is missing: run `npm ci` first (make setup does)\n")
        return 1
    sys.stderr.write(f"{len(copied)} front-end files in {TARGET.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
