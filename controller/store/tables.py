"""Every table, in one metadata: whoever imports `Row` from here finds all of them in it."""

from controller.store import (
    alert_rows,
    audit_rows,
    backup_rows,
    billing_rows,
    chosen_rows,
    code_rows,
    import_rows,
    payment_rows,
    people_rows,
    series_rows,
    site_rows,
    staff_rows,
)
from controller.store.rows import Row

MODULES = (
    alert_rows,
    audit_rows,
    backup_rows,
    billing_rows,
    chosen_rows,
    code_rows,
    import_rows,
    payment_rows,
    people_rows,
    series_rows,
    site_rows,
    staff_rows,
)

assert all(module.Row is Row for module in MODULES)

__all__ = ["MODULES", "Row"]
