"""Fixtures of whole stories: fresh databases."""

from tests.support.database import db, db_url, postgres, postgres_db, sqlite_db, sqlite_template

__all__ = ["db", "db_url", "postgres", "postgres_db", "sqlite_db", "sqlite_template"]
