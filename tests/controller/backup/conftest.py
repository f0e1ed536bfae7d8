"""An office on both databases for every test here."""

from tests.support.office import office

__all__ = ["office"]
