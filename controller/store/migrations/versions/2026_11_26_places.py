"""Where sites are, in millionths of a degree.

Revision ID: 2026_11_26_places
"""

from __future__ import annotations

from alembic import op

revision = "2026_11_26_places"
down_revision = "2026_11_26_backup"
branch_labels = None
depends_on = None


ON_EARTH = (
    "latitude_e6 BETWEEN -90000000 AND 90000000 AND longitude_e6 BETWEEN -180000000 AND 180000000"
)
PLACED_WHOLE = "(latitude_e6 IS NULL) = (longitude_e6 IS NULL)"


def upgrade() -> None:
    # Constraints come with the column: SQLite would copy the whole table to add them later, and
    # half of the other tables refer to this one.
    op.execute("ALTER TABLE site ADD COLUMN latitude_e6 BIGINT")
    op.execute(
        "ALTER TABLE site ADD COLUMN longitude_e6 BIGINT"
        f" CONSTRAINT ck_site_on_earth CHECK ({ON_EARTH})"
        f" CONSTRAINT ck_site_placed_whole CHECK ({PLACED_WHOLE})"
    )
