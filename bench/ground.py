"""What every measurement uses: the whole local stack, with seeded users, and pgbench on the same server."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypedDict

import psycopg

from bench import load, processes
from local.stack import LocalStack

USERS: Final = 10_000
BALANCE: Final = 1_000_000
PGBENCH_DATABASE: Final = "pgbench"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement.

    Attributes:
        beside: Transactions per second of pgbench in the same minute; 0 where none was run.
        service_us: CPU-µs of web and worker processes per request or job.
        postgresql_us: CPU-µs of PostgreSQL per request or job.
    """

    name: str
    per_second: float
    beside: float = 0.0
    service_us: float = 0.0
    postgresql_us: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    remark: str = ""

    @property
    def ratio(self) -> float | None:
        """Per second, as a share of pgbench's."""
        return self.per_second / self.beside if self.beside else None


class Costs(TypedDict):
    """The members of a `Row` that `Usage` gives."""

    beside: float
    service_us: float
    postgresql_us: float


@dataclass(kw_only=True)
class Usage:
    """What a block of the benchmark used, filled when the block ends.

    Attributes:
        beside: Transactions per second of pgbench just before and after, on average; 0 where it was not run.
        service_s: CPU seconds of the service's processes.
        postgresql_s: CPU seconds of PostgreSQL.
    """

    beside: float = 0.0
    service_s: float = 0.0
    postgresql_s: float = 0.0

    def per(self, count: int) -> Costs:
        """Compute the members of a `Row` for `count` requests or jobs."""
        return {
            "beside": self.beside,
            "service_us": self.service_s * 1e6 / count,
            "postgresql_us": self.postgresql_s * 1e6 / count,
        }


class Ground:
    """A running stack to measure on.

    Args:
        seconds: How long each measurement lasts.

    Attributes:
        plan: PostgreSQL's plan to find due subscriptions; set by the scenario `renewals`.
    """

    def __init__(self, stack: LocalStack, *, seconds: float) -> None:
        self.stack = stack
        self.seconds = seconds
        self.port = int(stack.env["PORT"])
        self.service_key = stack.env["MANA_SERVICE_KEY"]
        self.database_url = stack.env["MIGRATION_DATABASE_URL"]
        self.plan = ""

    def measure(self, name: str, request: Callable[[], bytes], *, connections: int, mode: str = "-N") -> Row:
        """Load the service with requests, with pgbench just before and just after.

        Args:
            mode: pgbench's script: `-N` for writes, `-S` for reads.
        """
        return self.measure_load(name, partial(load.run, self.port, request), connections=connections, mode=mode)

    def measure_talks(self, name: str, talk: Callable[[], load.Talk], *, connections: int) -> Row:
        """Load the service with conversations, each of them measured as one."""
        return self.measure_load(name, partial(load.run_talks, self.port, talk), connections=connections)

    def measure_load(self, name: str, run: Callable[..., load.Measured], *, connections: int, mode: str = "-N") -> Row:
        """Let `run` load the service, with pgbench just before and just after."""
        run(connections=connections, seconds=min(1.0, self.seconds))
        with self.beside_pgbench(mode, connections) as usage:
            measured = run(connections=connections, seconds=self.seconds)
        return Row(
            name=f"{name}, {connections} connections",
            per_second=measured.per_second,
            p50_ms=measured.percentile_ms(0.5),
            p99_ms=measured.percentile_ms(0.99),
            remark=measured.remark,
            **usage.per(len(measured.latencies_s)),
        )

    @contextmanager
    def beside_pgbench(self, mode: str, connections: int) -> Iterator[Usage]:
        """Run pgbench just before and just after a block, and count the CPU time of the block."""
        before = self.pgbench(mode, connections)
        with self.count_cpu() as usage:
            yield usage
        usage.beside = (before + self.pgbench(mode, connections)) / 2

    @contextmanager
    def count_cpu(self) -> Iterator[Usage]:
        """Count the CPU time of a block."""
        usage = Usage()
        service, postgresql = self._cpu_seconds()
        yield usage
        service_after, postgresql_after = self._cpu_seconds()
        usage.service_s, usage.postgresql_s = service_after - service, postgresql_after - postgresql

    def pgbench(self, mode: str, connections: int) -> float:
        """Run pgbench on the same server; returns transactions per second."""
        # Half as long as a measurement: one run before it and one after it are as long together.
        options = ["-c", str(connections), "-j", "2", "-T", str(max(1, int(self.seconds / 2))), "-M", "prepared", mode]
        output = self._pgbench(*options)
        rate = re.search(r"tps = ([\d.]+)", output)
        if rate is None:
            raise RuntimeError(f"pgbench printed no tps: {output}")
        return float(rate[1])

    def _cpu_seconds(self) -> tuple[float, float]:
        """Read the CPU seconds used so far by the service's processes, and by PostgreSQL."""
        service = [process.pid for process in self.stack.processes.values() if process.pid]
        postgresql = self.stack.postgres.pid
        return processes.cpu_seconds(*service), processes.cpu_seconds(*([postgresql] if postgresql else []))

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection]:
        """Open the service's database as its owner."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            yield connection

    def has_pending_jobs(self) -> bool:
        """Return whether a job is pending."""
        with self.sql() as connection:
            return connection.execute("SELECT 1 FROM jobs.jobs WHERE state = 'pending' LIMIT 1").fetchone() is not None

    def prepare(self) -> None:
        """Make pgbench's tables, and users with credits to spend."""
        if not self.stack.postgres.has_database(PGBENCH_DATABASE):
            self.stack.postgres.create_database(PGBENCH_DATABASE)
        self._pgbench("-i", "-q", "-s", "10")
        with self.sql() as connection:
            connection.execute(_SEED, {"users": USERS, "balance": BALANCE})
            connection.execute("VACUUM ANALYZE")

    def _pgbench(self, *options: str) -> str:
        program = str(Path(self.stack.postgres.binary("pgbench")))
        url = self.stack.postgres.url(PGBENCH_DATABASE)
        return subprocess.run([program, *options, url], check=True, capture_output=True, text=True).stdout


_SEED: Final = """
SELECT count(appended.id) FROM generate_series(1, %(users)s) AS n, LATERAL credits.append(
    gen_random_uuid(), 'bench-' || n, 'grant', %(balance)s, 'bench', 'bench:seed', 'To spend', NULL,
    'bench-seed', NULL, NULL, now()) AS appended
"""
