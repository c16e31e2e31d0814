"""The whole service on one machine: starts and stops the servers and the processes of the Procfile."""

import fcntl
import json
import os
import shlex
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

from local import logins, ports
from local.calls import status_of
from local.postgres import Postgres
from local.programs import PROJECT, RELEASE, PythonServer, ServiceProcess, read_procfile
from local.server import Server, ServerFailed
from local.state import STATE, kept_secret, token_from, write_private
from local.valkey import Valkey

Part = Literal["postgres", "valkey", "stripe", "issuer", "sync", "processes"]
EVERYTHING: tuple[Part, ...] = get_args(Part)
DATABASE = "mana_credits"
READY_WITHIN_S = 60.0
ENDS_WITHIN_S_UNREADY = 2.0
# Variables of the service that must not be inherited from the shell that starts the stack.
NOT_INHERITED = (
    "MANA_SERVICE_KEY_PREVIOUS",
    "MANA_NOTIFY_URL",
    "TRUSTED_PROXIES",
    "PROMETHEUS_MULTIPROC_DIR",
    "MIGRATION_DATABASE_URL",
)


class AlreadyRunning(RuntimeError):
    """Another stack runs in the same directory."""


class LocalStack:
    """The service's processes and all servers that they need, with their data in one directory.

    Start it from a thread that lives longer than the stack (see `Server`). It takes free ports, and the same ports at
    the next start.

    Args:
        directory: Where all data is kept; it can be used again.
        parts: What to start; the other parts still have an address in `env`.
        port: The port of the web process, if it is free.
        environment: Variables of the processes that replace or complete those of `env`.
        postgres_settings: PostgreSQL settings by name.
        project: The directory of the Procfile.

    Attributes:
        env: The service's environment variables, complete after `start()`.
        postgres, valkey, stripe, issuer, sync: The servers.
        processes: The processes of the Procfile by name; each can be killed and started again.
    """

    def __init__(
        self,
        directory: Path,
        *,
        parts: Iterable[Part] = EVERYTHING,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        project: Path = PROJECT,
    ) -> None:
        self.directory = directory.absolute()
        self.parts = frozenset(parts)
        self.env: dict[str, str] = {}
        self.processes: dict[str, ServiceProcess] = {}
        self._preferred_port = port
        self._environment = dict(environment or {})
        self._project = project
        self._port: int | None = None
        self._lock: int | None = None
        self.postgres = Postgres(self.directory / "postgres", settings=postgres_settings)
        self.valkey = Valkey(self.directory / "valkey")
        stripe, issuer = self.directory / "stripe", self.directory / "issuer"
        self.stripe = PythonServer("local Stripe", stripe, module="local.stripe", options=[])
        self.issuer = PythonServer(
            "issuer", issuer, module="local.issuer", options=["--key", str(issuer / "keys.json")]
        )
        self.sync = PythonServer("sync server", self.directory / "sync", module="local.sync_server", options=[])
        for name, server in self._all_servers().items():
            server.log_file = self.log_file(name)

    @property
    def base_url(self) -> str:
        """The base address of the web process."""
        return f"http://{ports.LOOPBACK}:{self._port}"

    def log_file(self, name: str) -> Path:
        """Return the file with the output of a server, of a process, or of `release`."""
        return self.directory / "log" / f"{name}.log"

    def servers(self) -> dict[str, Server]:
        """Return the servers among `parts` by name."""
        return {name: server for name, server in self._all_servers().items() if name in self.parts}

    def everything(self) -> dict[str, Server]:
        """Return the servers among `parts` and the started processes by name."""
        return {**self.servers(), **self.processes}

    def start(self) -> Self:
        """Start the servers, run `release`, start the other processes, and wait until the service is ready.

        Raises:
            AlreadyRunning: another stack runs in this directory.
            ServerFailed: a server or a process did not start.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._take_lock()
        try:
            self._start_servers()
            self._write_state()
            if "processes" in self.parts:
                self._start_processes()
                self.wait_until_ready()
        except BaseException:  # also Ctrl-C: leave no process running
            for process in self.processes.values():
                # granian's workers ignore SIGTERM while they load the application; SIGKILL does no harm.
                process.ends_within_s = ENDS_WITHIN_S_UNREADY
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the processes, which finish their current work, then the servers. A second call does nothing."""
        for group in (self.processes, self._all_servers()):
            for server in group.values():
                server.ask_to_stop()
            for server in group.values():
                server.wait_until_stopped()
        self.processes = {}
        if self._lock is not None:
            (self.directory / STATE).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def wait_until_ready(self, *, within_s: float = READY_WITHIN_S) -> None:
        """Wait until `/ready` answers 200.

        Raises:
            ServerFailed: a process ended, or the service was not ready within `within_s` seconds.
        """
        deadline = time.monotonic() + within_s
        while status_of(f"{self.base_url}/ready") != 200:  # noqa: PLR2004 - OK
            for name, process in self.processes.items():
                if not process.is_running or time.monotonic() > deadline:
                    tail = f"the end of {process.log_file}:\n{process.log_tail()}"
                    raise ServerFailed(f"the service did not become ready ({name}); {tail}")
            time.sleep(0.05)

    def restart(self, name: str) -> None:
        """Kill a server or process and its descendants, if it runs, and start it again."""
        server = self.everything()[name]
        server.kill()
        server.start()

    def token(self, user_id: str, **claims: Any) -> str:
        """Get a token from the running issuer; `claims` are `email`, `role` and other members of its `POST /token`."""
        return token_from(self.issuer.url(), user_id, **claims)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _all_servers(self) -> dict[str, Server]:
        return {
            "postgres": self.postgres,
            "valkey": self.valkey,
            "stripe": self.stripe,
            "issuer": self.issuer,
            "sync": self.sync,
        }

    def _start_servers(self) -> None:
        for log in self.directory.glob("log/*.log"):
            log.unlink()
        self._port = ports.remembered_port(self.directory / "port", preferred=self._preferred_port)
        webhook = f"{self.base_url}/api/v1/webhooks/stripe"
        state = str(self.stripe.directory / "state.json")
        self.stripe.options = ["--webhook-url", webhook, "--webhook-secret", self._webhook_secret(), "--state", state]
        self.sync.options = self._sync_options()
        for server in self.servers().values():
            server.launch()
        for server in self.servers().values():
            server.start()
        if "postgres" in self.parts:
            logins.prepare_database(self.postgres, DATABASE)
        self.env = self._contract_variables()

    def _sync_options(self) -> list[str]:
        key_file = self.directory / "secrets" / "service"
        kept_secret(key_file)
        self.issuer.take_port()
        options = {
            "--service": self.base_url,
            "--issuer": self.issuer.url(),
            "--service-key": str(key_file),
            "--changes": str(self.sync.directory / "changes.json"),
        }
        return [argument for option in options.items() for argument in option]

    def _contract_variables(self) -> dict[str, str]:
        for server in self._all_servers().values():
            server.take_port()
        variables = {
            "PORT": str(self._port),
            "DATABASE_URL": self.postgres.url(DATABASE, logins.SERVICE),
            "MIGRATION_DATABASE_URL": self.postgres.url(DATABASE, logins.OWNER),
            "REDIS_URL": self.valkey.url(),
            "MANA_AUTH_URL": self.issuer.url(),
            "MANA_AUTH_SIGN_IN_URL": f"{self.issuer.url()}/sign-in",
            "MANA_SERVICE_KEY": kept_secret(self.directory / "secrets" / "service"),
            "BASE_URL": self.base_url,
            "STRIPE_SECRET_KEY": f"sk_test_local{kept_secret(self.directory / 'secrets' / 'stripe')}",
            "STRIPE_WEBHOOK_SECRET": self._webhook_secret(),
            "STRIPE_API_BASE": self.stripe.url(),
            "MANA_SYNC_URL": self.sync.url(),
            "CORS_ORIGINS": f"{self.base_url},http://localhost:{self._port},http://localhost:5173",
            "JOB_WAIT_SECONDS": "2",
        }
        if "DATABASE_URL" in self._environment:
            del variables["MIGRATION_DATABASE_URL"]  # it names the login of another database
        return {**variables, **self._environment}

    def _webhook_secret(self) -> str:
        return f"whsec_{kept_secret(self.directory / 'secrets' / 'webhook')}"

    def _start_processes(self) -> None:
        commands = read_procfile(self._project / "Procfile")
        environment = self._process_environment()
        processes = {
            name: ServiceProcess(
                name,
                self.directory / "processes" / name,
                command_text=command,
                environment=environment if name == RELEASE else {**environment, "MIGRATION_DATABASE_URL": ""},
                project=self._project,
            )
            for name, command in commands.items()
        }
        for name, process in processes.items():
            process.log_file = self.log_file(name)
        release = processes.pop(RELEASE, None)
        if release:
            release.run_to_end()
        self.processes = processes
        for process in processes.values():
            process.launch()

    def _process_environment(self) -> dict[str, str]:
        """Return this process's environment, with this Python's programs first on PATH, and the service's variables."""
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        metrics_port = str(ports.remembered_port(self.directory / "worker-metrics-port"))
        return {**inherited, "WORKER_METRICS_PORT": metrics_port, **self.env, "PATH": path}

    def _write_state(self) -> None:
        """Write the addresses and variables for other programs: `stack.json`, and `env` for shells."""
        state = {
            "pid": os.getpid(),
            "web": self.base_url,
            "issuer": self.issuer.url(),
            "stripe": self.stripe.url(),
            "postgres": self.env["DATABASE_URL"],
            "valkey": self.env["REDIS_URL"],
            "log": str(self.directory / "log"),
            "environment": self.env,
        }
        write_private(self.directory / STATE, json.dumps(state, indent=2) + "\n")
        exports = (f"export {name}={shlex.quote(value)}\n" for name, value in self.env.items())
        write_private(self.directory / "env", "".join(exports))

    def _take_lock(self) -> None:
        self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise AlreadyRunning(f"a local stack already runs in {self.directory}") from None
