"""What Alembic runs: the migrations, on the connection that `upgrade` opened."""

from alembic import context

from controller.store.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
