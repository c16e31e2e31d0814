"""The logins of a local database, as docs/production.md sets them up: one that owns the tables, one for the service."""

from typing import Final

import psycopg
from psycopg import sql

from local.postgres import Postgres

APP_ROLE: Final = "mana_credits_app"
OWNER: Final = "mana_credits_owner"
"""The login of the migrations: it owns the database and everything in it."""

SERVICE: Final = "mana_credits_service"
"""The login of web, workers and scheduler: a member of the application's role, which owns nothing."""

_ADOPT_SQL: Final = """
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER SCHEMA %I OWNER TO {owner}', nspname)
        FROM pg_namespace WHERE nspname IN ('credits', 'gifts', 'jobs')
        UNION ALL
        SELECT format('ALTER TABLE %s OWNER TO {owner}', oid::regclass) FROM pg_class
        WHERE relkind = 'r' AND (relnamespace::regnamespace::text IN ('credits', 'gifts', 'jobs')
                                 OR oid = to_regclass('alembic_version'))
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO {owner}', oid::regprocedure) FROM pg_proc
        WHERE pronamespace::regnamespace::text IN ('credits', 'gifts', 'jobs')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$
"""


def prepare_database(postgres: Postgres, name: str) -> None:
    """Create a database for the service, and both logins, where they are missing."""
    create_logins(postgres)
    if postgres.has_database(name):
        _adopt(postgres, name)
    else:
        postgres.create_database(name, owner=OWNER)


def create_logins(postgres: Postgres) -> None:
    """Create the application's role and both logins where they are missing."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        if APP_ROLE not in roles:
            connection.execute(f"CREATE ROLE {APP_ROLE} NOLOGIN")
        for login in {OWNER, SERVICE} - roles:
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            connection.execute(create.format(sql.Identifier(login), sql.Literal(postgres.password(login))))
        connection.execute(f"GRANT {APP_ROLE} TO {SERVICE}")


def _adopt(postgres: Postgres, database: str) -> None:
    """Make the owner's login own a database of an earlier release, in which the superuser owned everything."""
    with psycopg.connect(postgres.url(database)) as connection:
        change = sql.SQL("ALTER DATABASE {} OWNER TO {}")
        connection.execute(change.format(sql.Identifier(database), sql.Identifier(OWNER)))
        connection.execute(_ADOPT_SQL.replace("{owner}", OWNER))
