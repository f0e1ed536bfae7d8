"""How many addresses a site's own DHCP has given out, and how many it has.

Revision ID: 2026_11_26_address_pools
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2026_11_26_address_pools"
down_revision = "2026_11_26_failed_sign_ins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("site_vitals", sa.Column("dhcp_leases", sa.BigInteger(), nullable=True))
    op.add_column("site_vitals", sa.Column("dhcp_addresses", sa.BigInteger(), nullable=True))
