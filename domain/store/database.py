"""PostgreSQL: how a process connects, and what one transaction is."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Executable, Row, create_engine, event, exc, text
from sqlalchemy.engine import Connection

from domain.errors import Busy, ReadOnly, Unavailable
from domain.store.schema import SCHEMA_REVISION
from domain.store.session_role import UnfitDatabase
from domain.store.sessions import ANSWER_MARGIN_S, Session, SessionSettings, open_session

IDLE_S: Final = 10.0
"""How long a transaction may be idle: a process that was suspended must not hold its locks for longer."""

_BUSY = frozenset({"55P03", "40P01", "40001", "57014"})
"""SQLSTATEs of lock_not_available, deadlock_detected, serialization_failure and query_canceled (a time limit)."""

_READ_ONLY: Final = "25006"
"""SQLSTATE of read_only_sql_transaction."""

_SUSPENDED: Final = frozenset({"25P03", "25P04"})
"""SQLSTATEs of sessions that the server ended because their transaction was idle or took too long: we were suspended.
psycopg does not count them to its operational errors."""

_OF_THE_SERVER: Final = ("08", _READ_ONLY, "57P")
"""How SQLSTATEs begin that concern every session with this server: connection exceptions, a read-only server (all of
ours may be connected to what is now a standby), a server that is shutting down, crashed or starting."""

_OF_THE_SESSION: Final = ("0A", "25", "26", "42P05", "53", "58", "F0", "XX")
"""How SQLSTATEs begin after which a session may fail for ever: prepared statements that no longer fit their tables or
are not there, transactions in a wrong state, no memory or disk, I/O errors, wrong files, errors inside PostgreSQL. All
others (a refused value, a constraint, a lock, a time limit) are answers of a session that is well."""

_DISTRUST_EVERY_S: Final = 1.0
"""How often all sessions of a pool may be replaced."""


class Reader:
    """A connection to read with: functions that take a `Reader` change nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None) -> Any:
        """Run a statement and return SQLAlchemy's result."""
        return self._connection.execute(statement, values)

    def first(self, statement: Executable) -> Row[Any] | None:
        """Run a statement and return its first row, if it has one."""
        row: Row[Any] | None = self.run(statement).first()
        return row

    def fetch_one(self, sql: str, values: Mapping[str, Any]) -> Any:
        """Run SQL (`%(name)s`) and return its first row, past SQLAlchemy: for the hot paths, where it saves 130 µs.

        Returns:
            A named tuple; `None` if there is no row.
        """
        cursor = _session(self._connection).cursor(row_factory=namedtuple_row)
        return cursor.execute(sql, dict(values)).fetchone()

    def fetch_all(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Run SQL (`%(name)s`) that returns any number of rows, past SQLAlchemy: for many rows at once.

        Returns:
            Named tuples.
        """
        cursor = _session(self._connection).cursor(row_factory=namedtuple_row)
        return cursor.execute(sql, dict(values)).fetchall()

    def allow_s(self, seconds: int) -> None:
        """Let the statements of this transaction take up to `seconds`: for work that reads much."""
        self._connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{int(seconds)}s'")
        _session(self._connection).answer_s = seconds + ANSWER_MARGIN_S  # until it is back in the pool


class Store(Reader):
    """One transaction. Operations read and write through it; it commits when its block ends without an error."""

    def execute(self, sql: str, values: Mapping[str, Any]) -> None:
        """Run SQL (`%(name)s`) that returns no rows, past SQLAlchemy."""
        _session(self._connection).execute(sql, dict(values))


class Database:
    """A pool of connections to the one database.

    Args:
        url: libpq's address, `postgresql://…`.
        pool_size: Most connections of this process.
        lock_timeout_s: How long a statement may wait for a row that another transaction has locked.
        statement_timeout_s: How long a statement may take.
        as_app: Run with the rights of the service only; `False` for commands of a person that need the owner's.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        lock_timeout_s: float = 2,
        statement_timeout_s: float = 5,
        as_app: bool = True,
    ) -> None:
        self._settings = SessionSettings(
            url=url,
            rights="service" if as_app else "owner",
            lock_timeout_s=lock_timeout_s,
            statement_timeout_s=statement_timeout_s,
            idle_timeout_s=IDLE_S,
        )
        self._distrusted_at = 0.0
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=partial(open_session, self._settings),  # SQLAlchemy cannot read every address that libpq can
            hide_parameters=True,  # an error's text is logged, and parameters hold personal data
            isolation_level="AUTOCOMMIT",  # transactions are opened by `begin`, with psycopg's own block
            pool_reset_on_return=None,  # every block ends its transaction; there is nothing to reset
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=lock_timeout_s,
        )
        event.listen(self._engine, "checkout", self._replace_unfit)

    @contextmanager
    def begin(self) -> Iterator[Store]:
        """Open a transaction: committed when the block ends without an error, rolled back when it raises.

        Raises:
            Busy: a lock or a time limit was hit.
            Unavailable: PostgreSQL is away; if that happened at the commit, its outcome is unknown.
        """
        with self._connect() as connection, _session(connection).transaction():
            yield Store(connection)

    @contextmanager
    def single(self) -> Iterator[Store]:
        """Open a store in which every statement commits by itself: one round trip for acts of one statement."""
        with self._connect() as connection:
            yield Store(connection)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Open a connection to read with; each statement sees what was committed before it."""
        with self._connect() as connection:
            yield Reader(connection)

    def check(self) -> None:
        """Make sure that the database can be reached, takes writes, is durable and new enough.

        Raises:
            UnfitDatabase: it is not durable, or its migrations are behind this code.
            ReadOnly: it takes no writes for now.
            Unavailable: it cannot be reached.
        """
        with self.read() as reader:
            is_read_only = reader.run(text("SELECT current_setting('transaction_read_only') = 'on'")).scalar_one()
            revision = reader.run(text("SELECT to_regclass('public.alembic_version') IS NOT NULL")).scalar()
            if revision:
                revision = reader.run(text("SELECT version_num FROM public.alembic_version")).scalar()
        if not revision or str(revision) < SCHEMA_REVISION:
            raise UnfitDatabase(f"the database is behind this code ({SCHEMA_REVISION}): run `alembic upgrade head`")
        if is_read_only:
            raise ReadOnly

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Take a connection from the pool, and turn errors of the driver that may pass into `Busy` or `Unavailable`."""
        connected = False
        try:
            with self._engine.connect() as connection:
                connected = True
                session = _session(connection)
                try:
                    yield connection
                except (exc.DBAPIError, psycopg.Error) as error:
                    self._distrust(connection, session, _sqlstate(error))
                    raise
        except exc.TimeoutError as error:  # the pool's
            raise Busy("no database connection came free in time") from error
        except exc.InvalidRequestError as error:
            if connected:
                raise
            raise Unavailable("connections end as soon as they are opened") from error
        except (exc.DBAPIError, psycopg.Error) as error:
            raise _refusal(error) from error

    def _distrust(self, connection: Connection, session: Session, sqlstate: str) -> None:
        """Close a session that may fail for ever; if the server is the reason, have all others replaced as well."""
        is_of_the_server = session.closed or sqlstate.startswith(_OF_THE_SERVER)
        if is_of_the_server or sqlstate.startswith(_OF_THE_SESSION):
            connection.invalidate()  # closes the session; else SQLAlchemy would try to roll back
        now = time.monotonic()
        if is_of_the_server and now - self._distrusted_at > _DISTRUST_EVERY_S:
            self._distrusted_at = now

    def _replace_unfit(self, session: Any, _record: Any, _proxy: Any) -> None:
        """Let the pool replace a session that ended, or that is not to be trusted, before it is used again."""
        if session.has_ended() or session.is_outdated() or session.opened_at < self._distrusted_at:
            raise exc.DisconnectionError
        session.answer_s = self._settings.answer_s

    @property
    def pool_use(self) -> tuple[int, int]:
        """How many connections are in use, and how many there may be."""
        pool: Any = self._engine.pool
        return pool.checkedout(), pool.size()

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _session(connection: Connection) -> Session:
    """Read the driver's connection behind SQLAlchemy's."""
    session: Session = cast("Any", connection.connection).driver_connection
    return session


def _sqlstate(error: exc.DBAPIError | psycopg.Error) -> str:
    """Read the SQLSTATE of a driver error; empty if it did not come from the server."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def _refusal(error: exc.DBAPIError | psycopg.Error) -> Exception:
    """Tell what a driver error means to a caller; an error that is a bug of ours is returned as it is."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    sqlstate = _sqlstate(error)
    if sqlstate in _BUSY:
        return Busy("the row is locked by someone else")
    if sqlstate == _READ_ONLY:
        return ReadOnly()
    if isinstance(cause, psycopg.OperationalError) or sqlstate in _SUSPENDED:
        return Unavailable("PostgreSQL's disk is full" if sqlstate == "53100" else "PostgreSQL cannot be reached")
    return error
