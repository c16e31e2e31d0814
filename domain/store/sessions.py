"""A session with PostgreSQL: how it is opened, what it can rely on, and how long it waits for an answer."""

import time
from dataclasses import dataclass
from math import inf
from select import POLLIN, poll
from typing import Any, Final, Literal, TypeVar

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict

from domain.store.session_role import UnfitDatabase, refuse_stranger, role_to_set

CONNECT_S: Final = 3
"""How long opening a session may take: to each host of the address, and for its settings together."""

ANSWER_MARGIN_S: Final = 2.0
"""How much longer than `statement_timeout` we wait for an answer: a server that is there has answered by then."""

READ_ONLY_S: Final = 1.0
"""How long a session that began read-only is used: it may stay read-only when the database no longer is."""

_TRANSPORT: Final[dict[str, Any]] = {
    "client_encoding": "UTF8",
    "connect_timeout": CONNECT_S,
    "application_name": "mana-credits",
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Parameters of libpq, unless the address says otherwise. A peer that is gone is noticed within about 11 seconds, also
by a session that waits for a long statement."""

PINNED: Final = {
    # How values are written and read: psycopg parses the first three, and our statements cast texts and arrays.
    "DateStyle": "'ISO, MDY'",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "TimeZone": "'UTC'",
    "timezone_abbreviations": "'Default'",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    # What a transaction sees. The rules were made for locks under read committed, with the loser waiting.
    "default_transaction_isolation": "'read committed'",
    "default_transaction_deferrable": "off",
    "row_security": "on",
    # What ends a session or a statement: our own limits alone.
    "exit_on_error": "off",
    "idle_session_timeout": "0",
    # How functions are compiled.
    "check_function_bodies": "on",
    "plpgsql.extra_errors": "none",
}
"""Settings that every session has, whatever the server, the database or the login sets: all that change an answer."""

POSTGRESQL_17: Final = 17_00_00

RV = TypeVar("RV")


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """What a session is opened with.

    Attributes:
        url: libpq's address, `postgresql://…`; it may name several hosts.
        rights: The service's and no others, the owner's, or whatever the login has.
        lock_timeout_s: How long a statement may wait for a lock; 0 is for ever.
        statement_timeout_s: How long a statement may take; 0 is for ever, and then we wait for ever too.
        idle_timeout_s: How long a transaction may be idle; 0 is for ever.
        search_path: Where names without a schema are looked up; our statements name the schema.
        autocommit: Whether each statement commits by itself.
    """

    url: str
    rights: Literal["service", "owner", "login"] = "login"
    lock_timeout_s: float = 0
    statement_timeout_s: float = 0
    idle_timeout_s: float = 0
    search_path: str = "pg_catalog, pg_temp"
    autocommit: bool = True

    @property
    def answer_s(self) -> float:
        """How long to wait for the answer to a statement before the server is taken to be silent."""
        return self.statement_timeout_s + ANSWER_MARGIN_S if self.statement_timeout_s else inf


class Session(psycopg.Connection[Any]):
    """A connection that waits for an answer no longer than `answer_s`, and is then closed.

    The server's own limits do not help when its answers no longer arrive: a proxy or a firewall between us may have
    forgotten the connection without ending it.

    Attributes:
        answer_s: How long to wait.
        opened_at: When it was opened, by the monotonic clock.
        is_read_only: Whether it could only read when it was opened.
    """

    answer_s: float = CONNECT_S
    opened_at: float = inf
    is_read_only: bool = False

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait until the server has answered.

        Raises:
            ConnectionTimeout: it did not within `answer_s`; the connection is closed.
        """
        if timeout is not None or self.answer_s == inf:
            return super().wait(gen, interval, timeout)
        until = time.monotonic() + self.answer_s
        try:
            return super().wait(gen, interval, self.answer_s)
        except psycopg.OperationalError as error:
            if time.monotonic() < until:
                raise
            self.close()  # its answer may still come, and would be taken for that of the next statement
            raise psycopg.errors.ConnectionTimeout(f"no answer within {self.answer_s:g} s") from error

    def has_ended(self) -> bool:
        """Tell whether it broke, or was ended by the server while it was idle.

        An idle connection with something to read was ended by the server. Polling the socket costs a microsecond; a
        query would cost a round trip.
        """
        if self.closed:
            return True
        poller = poll()
        poller.register(self.fileno(), POLLIN)
        return bool(poller.poll(0))

    def is_outdated(self) -> bool:
        """Tell whether it began read-only, and so long ago that the database may be writable by now."""
        return self.is_read_only and time.monotonic() - self.opened_at > READ_ONLY_S


def open_session(settings: SessionSettings) -> Session:
    """Connect, set all that we rely on, and look whether the server keeps what it commits.

    Raises:
        UnfitDatabase: a setting endangers the books and is not ours to change, or its login has not the rights.
        psycopg.Error: the server cannot be reached, or did not answer in time.
    """
    # The address wins. Given once more in it, a parameter of ours would be refused or would win.
    named = conninfo_to_dict(settings.url)
    parameters = {name: value for name, value in _TRANSPORT.items() if name not in named}
    session = Session.connect(settings.url, autocommit=True, **parameters)
    try:
        _set_up(session, settings)
    except BaseException:
        session.close()
        raise
    return session


def _set_up(session: Session, settings: SessionSettings) -> None:
    # SET takes no snapshot: on a standby that defaults to serializable, which it cannot do, a SELECT would fail.
    session.execute(sql.SQL(";").join([sql.SQL(f"SET {name} TO {value}") for name, value in _pins(session, settings)]))
    session.is_read_only = _look(session)
    if settings.rights == "owner":
        refuse_stranger(session)
    elif settings.rights == "service" and (role := role_to_set(session)):
        session.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    session.answer_s = settings.answer_s
    session.opened_at = time.monotonic()
    if not settings.autocommit:
        session.autocommit = False


def _pins(session: Session, settings: SessionSettings) -> list[tuple[str, str]]:
    limits = {
        "lock_timeout": settings.lock_timeout_s,
        "statement_timeout": settings.statement_timeout_s,
        "idle_in_transaction_session_timeout": settings.idle_timeout_s,
    }
    if session.info.server_version >= POSTGRESQL_17:
        limits["transaction_timeout"] = 0
    milliseconds = {name: str(round(seconds * 1000)) for name, seconds in limits.items()}
    return [*PINNED.items(), ("search_path", settings.search_path), *milliseconds.items()]


def _look(session: Session) -> bool:
    """Refuse a session that could lose commits or skip triggers; tell whether it can only read."""
    cursor = session.execute(
        "SELECT current_setting('synchronous_commit'), current_setting('session_replication_role'),"
        " current_setting('server_encoding'), coalesce(current_setting('plpgsql.variable_conflict', true), 'error'),"
        " current_setting('transaction_read_only')"
    )
    durable, replication, encoding, conflict, read_only = cursor.fetchone() or ("",) * 5
    if durable == "off":
        raise UnfitDatabase("synchronous_commit is off: acknowledged credits could be lost; turn it on")
    if replication != "origin":
        raise UnfitDatabase(
            f"session_replication_role is {replication}: triggers that guard the books would not run; reset it"
        )
    if encoding != "UTF8":
        raise UnfitDatabase(f"the database's encoding is {encoding}: not every text can be kept; make it with UTF8")
    if conflict != "error":
        raise UnfitDatabase(f"plpgsql.variable_conflict is {conflict}: our functions would act otherwise; reset it")
    return bool(read_only == "on")
