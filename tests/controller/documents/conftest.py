"""An office on SQLite with an operator who has a name, a logo and subscribers."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from controller.usecases.operators import set_logo
from tests.support.charges import a_subscriber
from tests.support.day_of_business import registered
from tests.support.office import an_office
from tests.support.office import sqlite_only as db_url

if TYPE_CHECKING:
    from pathlib import Path

    from controller.store.database import Database
    from tests.support.office import Office

__all__ = ["db_url"]


@pytest.fixture
def logo() -> bytes:
    """A square of one colour, half of it clear."""
    picture = Image.new("RGBA", (600, 600), (11, 110, 79, 128))
    out = BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
async def office(tmp_path: Path, db: Database, logo: bytes) -> Office:
    """Ready to issue documents to Anne."""
    office = an_office(tmp_path, db)
    await registered(office.deps)
    await set_logo(office.deps, logo)
    await a_subscriber(office.deps, name="anne", kra_pin="A001234567B", address="Milimani")
    return office
