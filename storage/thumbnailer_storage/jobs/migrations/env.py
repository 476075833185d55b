"""Alembic's entry: it is always called by `schema.migrate`, which hands it the connection."""

from alembic import context

from thumbnailer_storage.jobs.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
