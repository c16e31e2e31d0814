"""The ground every measurement stands on: the whole local stack, with seeded users, and pgbench on the same server."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

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
        service_us: CPU-µs of web and worker processes a request or job.
        postgresql_us: CPU-µs of PostgreSQL a request or job.
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


class Ground:
    """A running stack to measure on.

    Args:
        seconds: How long each measurement lasts.

    Attributes:
        plan: How PostgreSQL finds what is due, once that was looked at.
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
        before = self.pgbench(mode, connections)
        service, postgresql = self.cpu_seconds()
        measured = run(connections=connections, seconds=self.seconds)
        service_after, postgresql_after = self.cpu_seconds()
        after = self.pgbench(mode, connections)
        count = len(measured.latencies_s)
        bad = {status: n for status, n in measured.statuses.items() if status not in {200, 201}}
        return Row(
            name=f"{name}, {connections} connections",
            per_second=measured.per_second,
            beside=(before + after) / 2,
            service_us=(service_after - service) * 1e6 / count,
            postgresql_us=(postgresql_after - postgresql) * 1e6 / count,
            p50_ms=measured.percentile_ms(0.5),
            p99_ms=measured.percentile_ms(0.99),
            remark=f"not 200: {bad}" if bad else "",
        )

    def pgbench(self, mode: str, connections: int) -> float:
        """Run pgbench on the same server; transactions per second."""
        # Half a measurement each: one run before and one after make a whole.
        told = ["-c", str(connections), "-j", "2", "-T", str(max(1, int(self.seconds / 2))), "-M", "prepared", mode]
        output = self._pgbench(*told)
        found = re.search(r"tps = ([\d.]+)", output)
        if found is None:
            raise RuntimeError(f"pgbench printed no tps: {output}")
        return float(found[1])

    def cpu_seconds(self) -> tuple[float, float]:
        """CPU used so far by the service's processes, and by PostgreSQL."""
        service = [process.pid for process in self.stack.processes.values() if process.pid]
        postgresql = self.stack.postgres.pid
        return processes.cpu_seconds(*service), processes.cpu_seconds(*([postgresql] if postgresql else []))

    @contextmanager
    def sql(self) -> Iterator[psycopg.Connection]:
        """Open the service's database as its owner."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            yield connection

    def prepare(self) -> None:
        """Make pgbench's tables, and users with credits to spend."""
        if not self.stack.postgres.has_database(PGBENCH_DATABASE):
            self.stack.postgres.create_database(PGBENCH_DATABASE)
        self._pgbench("-i", "-q", "-s", "10")
        with self.sql() as connection:
            connection.execute(_SEED, {"users": USERS, "balance": BALANCE})
            connection.execute("VACUUM ANALYZE")

    def _pgbench(self, *told: str) -> str:
        program = str(Path(self.stack.postgres.binary("pgbench")))
        url = self.stack.postgres.url(PGBENCH_DATABASE)
        return subprocess.run([program, *told, url], check=True, capture_output=True, text=True).stdout


_SEED: Final = """
SELECT count(made.id) FROM generate_series(1, %(users)s) AS n, LATERAL credits.append(
    gen_random_uuid(), 'bench-' || n, 'grant', %(balance)s, 'bench', 'bench:seed', 'To spend', NULL,
    'bench-seed', NULL, NULL, now()) AS made
"""
