"""What Alembic runs: the migrations, on the connection that `upgrade` opened."""

from alembic import context

from controller.store import audit_rows, backup_rows, billing_rows, payment_rows
from controller.store.rows import Row

assert audit_rows.Row is backup_rows.Row is billing_rows.Row is payment_rows.Row is Row, (
    "the tables of all files are in one metadata"
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
