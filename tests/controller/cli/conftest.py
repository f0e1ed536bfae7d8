"""An office on SQLite for every test here."""

from tests.support.office import office
from tests.support.office import sqlite_only as db_url

__all__ = ["db_url", "office"]
