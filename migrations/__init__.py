"""Alembic's migrations: each a small Python file, with its SQL beside it."""
