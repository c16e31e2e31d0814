"""Which role a connection of the service works as: its login's own, or one that it changes to."""

from typing import Any, Final

APP_ROLE: Final = "mana_credits_app"
"""The role of web and workers: it may append to the ledger through its one function, and not change it."""

_SET_IS_ASKED_FOR = 160_000
"""From this version of PostgreSQL on a member may lack the right to `SET ROLE`."""

_RIGHTS: Final = """
SELECT session_user::text AS login, app.oid IS NOT NULL AS has_app_role,
       coalesce(pg_has_role(session_user, app.oid, 'USAGE'), false) AS inherits,
       coalesce(pg_has_role(session_user, app.oid, %s), false) AS may_set,
       has_database_privilege(session_user, current_database(), 'CREATE')
       OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname IN ('credits', 'gifts', 'jobs')
                    AND pg_has_role(session_user, c.relowner, 'MEMBER')) AS owns,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'credits' AND c.relname = 'transactions'
                 AND has_table_privilege(session_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writes_ledger
FROM (SELECT) AS always LEFT JOIN pg_roles app ON app.rolname = %s
"""


class UnfitDatabase(Exception):
    """The database is not durable, or is older than this code, or its roles are wrong. The message says what to do."""


def role_to_set(connection: Any) -> str | None:
    """Tell which role a new connection of the service must change to.

    Returns:
        `None` for a login that has the rights of `APP_ROLE` and no others: it is safe as it is. `APP_ROLE` for a login
        that owns the tables too.

    Raises:
        UnfitDatabase: the login has no way to the rights of the service, or none that leaves the owner's behind.
    """
    may_set = "SET" if connection.info.server_version >= _SET_IS_ASKED_FOR else "MEMBER"
    with connection.cursor() as cursor:
        cursor.execute(_RIGHTS, (may_set, APP_ROLE))
        rights = dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))
    login, is_too_strong = rights["login"], rights["owns"] or rights["writes_ledger"]
    if not rights["has_app_role"]:
        raise UnfitDatabase(f"the role {APP_ROLE} is missing: run `alembic upgrade head`")
    if rights["inherits"] and not is_too_strong:
        return None
    if rights["may_set"]:
        return APP_ROLE
    grant = f"GRANT {APP_ROLE} TO {login}"
    if is_too_strong:
        raise UnfitDatabase(
            f"the login {login} can change the ledger and may not SET ROLE {APP_ROLE}: give web and workers a login of"
            f" their own, or run `{grant}{' WITH SET TRUE, INHERIT FALSE' if may_set == 'SET' else ''}`"
        )
    raise UnfitDatabase(f"the login {login} has not the role {APP_ROLE}: run `{grant}`")


def refuse_stranger(connection: Any) -> None:
    """Make sure that a connection for the owner's commands is the owner's.

    Raises:
        UnfitDatabase: the login does not own the tables.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RIGHTS, ("MEMBER", APP_ROLE))
        rights = dict(zip((column.name for column in cursor.description), cursor.fetchone(), strict=True))
    if not rights["owns"]:
        raise UnfitDatabase(f"the login {rights['login']} does not own the tables: set MIGRATION_DATABASE_URL")
