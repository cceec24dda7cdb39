"""Alembic's entry point: runs the versions on the connection that the caller opened."""

from alembic import context

from lepton_tasks.store.tables import JobRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=JobRow.metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
