"""PostgreSQL: how a process connects, and what one transaction is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from select import POLLIN, poll
from typing import Any, cast

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Executable, Row, create_engine, event, exc, text
from sqlalchemy.engine import Connection

from domain.errors import Busy, Unavailable
from domain.store.schema import SCHEMA_REVISION
from domain.store.session_role import UnfitDatabase, refuse_stranger, role_to_set

_BUSY = frozenset({"55P03", "40P01", "40001", "57014"})
"""SQLSTATEs of lock_not_available, deadlock_detected, serialization_failure and query_canceled (a time limit)."""

_AWAY = frozenset({"25006", "25P03"})
"""SQLSTATEs of read_only_sql_transaction (a standby) and idle_in_transaction_session_timeout (we were suspended)."""


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
        cursor = _driver(self._connection).cursor(row_factory=namedtuple_row)
        return cursor.execute(sql, dict(values)).fetchone()

    def fetch_all(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """Run SQL (`%(name)s`) that returns any number of rows, past SQLAlchemy: for many rows at once.

        Returns:
            Named tuples.
        """
        cursor = _driver(self._connection).cursor(row_factory=namedtuple_row)
        return cursor.execute(sql, dict(values)).fetchall()

    def allow_s(self, seconds: int) -> None:
        """Let the statements of this transaction take up to `seconds`: for work that reads much."""
        self._connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{int(seconds)}s'")


class Store(Reader):
    """One transaction. Operations read and write through it; it commits when its block ends without an error."""

    def execute(self, sql: str, values: Mapping[str, Any]) -> None:
        """Run SQL (`%(name)s`) that returns no rows, past SQLAlchemy."""
        _driver(self._connection).execute(sql, dict(values))


class Database:
    """A pool of connections to the one database.

    Args:
        url: SQLAlchemy address, `postgresql+psycopg://…`.
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
        self._engine = create_engine(
            url,
            hide_parameters=True,  # an error's text is logged, and parameters hold personal data
            isolation_level="AUTOCOMMIT",  # transactions are opened by `begin`, with psycopg's own block
            pool_reset_on_return=None,  # every block ends its transaction; there is nothing to reset
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=lock_timeout_s,
            connect_args={"connect_timeout": 3, "application_name": "mana-credits"},
        )
        session = {
            "lock_timeout": f"{lock_timeout_s}s",
            "statement_timeout": f"{statement_timeout_s}s",
            "idle_in_transaction_session_timeout": "10s",
            "TimeZone": "UTC",
        }
        event.listen(self._engine, "connect", lambda connection, _record: _prepare(connection, session))
        event.listen(self._engine, "connect", _take_role if as_app else _keep_role)
        event.listen(self._engine, "checkout", _refuse_ended)

    @contextmanager
    def begin(self) -> Iterator[Store]:
        """Open a transaction: committed when the block ends without an error, rolled back when it raises.

        Raises:
            Busy: a lock or a time limit was hit.
            Unavailable: PostgreSQL is away; if that happened at the commit, its outcome is unknown.
        """
        with self._connect() as connection, _driver(connection).transaction():
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
        """Make sure that the database can be reached, is durable and new enough.

        Raises:
            UnfitDatabase: it is not durable, or its migrations are behind this code.
            Unavailable: it cannot be reached.
        """
        with self.read() as reader:
            revision = reader.run(text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar()
            if revision:
                revision = reader.run(text("SELECT version_num FROM alembic_version")).scalar()
        if not revision or str(revision) < SCHEMA_REVISION:
            raise UnfitDatabase(f"the database is behind this code ({SCHEMA_REVISION}): run `alembic upgrade head`")

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Take a connection from the pool, and turn errors of the driver that may pass into `Busy` or `Unavailable`."""
        connected = False
        try:
            with self._engine.connect() as connection:
                connected = True
                yield connection
        except exc.TimeoutError as error:  # the pool's
            raise Busy("no database connection came free in time") from error
        except exc.InvalidRequestError as error:
            if connected:
                raise
            raise Unavailable("connections end as soon as they are opened") from error
        except (exc.DBAPIError, psycopg.Error) as error:
            raise _refusal(error) from error

    @property
    def pool_use(self) -> tuple[int, int]:
        """How many connections are in use, and how many there may be."""
        pool: Any = self._engine.pool
        return pool.checkedout(), pool.size()

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


def _refuse_ended(connection: Any, _record: Any, _proxy: Any) -> None:
    """Let the pool replace a connection that broke, or that the server ended while it was idle.

    An idle connection with something to read was ended by the server. Polling the socket costs a microsecond; a query
    would cost a round trip.
    """
    poller = poll()
    if not connection.closed:
        poller.register(connection.fileno(), POLLIN)
    if connection.closed or poller.poll(0):
        raise exc.DisconnectionError


def _take_role(connection: Any, _record: Any) -> None:
    """Leave a new connection no right but the service's."""
    with _closed_if_unfit(connection), connection.transaction():
        role = role_to_set(connection)
        if role is not None:
            connection.execute("SELECT set_config('role', %s, false)", (role,))


def _keep_role(connection: Any, _record: Any) -> None:
    """Leave a new connection the owner's rights, which it must have."""
    with _closed_if_unfit(connection), connection.transaction():
        refuse_stranger(connection)


@contextmanager
def _closed_if_unfit(connection: Any) -> Iterator[None]:
    """Close a new connection that is refused: the pool does not know it yet."""
    try:
        yield
    except UnfitDatabase:
        connection.close()
        raise


def _prepare(connection: Any, session: Mapping[str, str]) -> None:
    """Give a new connection its limits, and refuse one that could lose commits in a crash."""
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in session.items())
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('synchronous_commit') AS durable")
        (durable,) = cursor.fetchone()
        if durable == "off":
            raise UnfitDatabase("synchronous_commit is off: acknowledged credits could be lost; turn it on")
        cursor.execute(f"SELECT {settings}")
    connection.commit()


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    """Read the driver's connection behind SQLAlchemy's."""
    driver: psycopg.Connection[Any] = cast("Any", connection.connection).driver_connection
    return driver


def _refusal(error: exc.DBAPIError | psycopg.Error) -> Exception:
    """Tell what a driver error means to a caller; an error that is a bug of ours is returned as it is."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    if getattr(cause, "sqlstate", None) in _BUSY:
        return Busy("the row is locked by someone else")
    if isinstance(cause, psycopg.OperationalError) or getattr(cause, "sqlstate", None) in _AWAY:
        return Unavailable("PostgreSQL cannot be reached")
    return error
