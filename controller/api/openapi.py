"""Writes the description of the HTTP interface: ``python -m controller.api.openapi``."""

from __future__ import annotations

import json
from pathlib import Path

from controller.api.app import described_app

TARGET = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def described() -> str:
    """The OpenAPI document as it is committed."""
    return (
        json.dumps(described_app().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    TARGET.write_text(described())
