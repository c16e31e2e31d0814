import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from local import ports, postgres, processes
from local.postgres import Postgres
from local.server import Server, ServerFailed
from local.valkey import Valkey
from tests.support.local_stripe import wait_until
from tests.support.servers import running_postgres


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of these tests alone, which kill it."""
    yield from running_postgres(tmp_path_factory)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    with Valkey(tmp_path / "valkey") as server:
        yield server


def query(server: Postgres, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def family(server: Server) -> set[int]:
    return set(server.members())


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if pid in processes.family(pid)}


def test_postgresql_is_durable_unless_told_otherwise(tmp_path: Path, cluster: Postgres) -> None:
    assert Postgres(tmp_path).settings["fsync"] == "on"
    assert query(cluster, "SHOW synchronous_commit") == [("on",)]
    assert query(cluster, "SHOW fsync") == [("off",)]
    assert query(cluster, "SHOW listen_addresses") == [("127.0.0.1",)]


def test_postgresql_refuses_a_caller_without_the_password(cluster: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=cluster.port, user="postgres", dbname="postgres", password="wrong")


def test_a_database_is_copied_and_dropped(cluster: Postgres) -> None:
    cluster.create_database("first")
    query(cluster, "CREATE TABLE kept AS SELECT 7 AS n", "first")

    cluster.create_database("it's a copy", template="first")

    assert query(cluster, "SELECT n FROM kept", "it's a copy") == [(7,)]
    for name in ("first", "it's a copy"):
        cluster.drop_database(name)
        assert not cluster.has_database(name)


def test_postgresql_killed_starts_again_with_its_data_on_its_port(cluster: Postgres) -> None:
    query(cluster, "CREATE TABLE survivors AS SELECT 1 AS n")
    members, port = family(cluster), cluster.port

    cluster.kill()
    survivors = alive(members)
    cluster.start()

    assert survivors == set()
    assert cluster.port == port
    assert query(cluster, "SELECT n FROM survivors") == [(1,)]


def test_postgresql_starts_although_its_lock_file_names_a_stranger(cluster: Postgres) -> None:
    cluster.kill()
    lock = cluster.data / "postmaster.pid"
    lines = lock.read_text().splitlines()

    lock.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    cluster.start()

    assert query(cluster, "SELECT 1") == [(1,)]


def test_a_stopped_postgresql_leaves_no_process_and_no_socket(cluster: Postgres) -> None:
    members = family(cluster)

    cluster.stop()

    assert alive(members) == set()
    assert not list(cluster.directory.rglob(".s.PGSQL*"))
    cluster.start()


def test_postgresql_runs_as_nobody_where_namespaces_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has to become somebody else")
    monkeypatch.setattr(postgres, "_unshare", tuple)

    with Postgres(tmp_path / "postgres", settings={"fsync": "off"}) as server:
        assert query(server, "SELECT 1") == [(1,)]
        assert server.data.stat().st_uid != 0


def test_postgresql_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Postgres(tmp_path, settings={"fsync": "off", "shared_buffers": "nonsense"})

    with pytest.raises(ServerFailed, match="nonsense"):
        server.start()

    assert not server.is_running


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"""
import time; from pathlib import Path; from local.valkey import Valkey
print(Valkey(Path({str(tmp_path)!r})).start().pid, flush=True); time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())

        owner.send_signal(signal.SIGKILL)

    wait_until(lambda: alive({pid}) == set())


def test_valkey_killed_starts_again_with_its_data_on_its_port(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url()) as client:
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 5000)
    pid, port = valkey.pid, valkey.port

    valkey.kill()
    valkey.start()

    assert valkey.pid != pid
    assert valkey.port == port
    with redis.Redis.from_url(valkey.url()) as client:
        assert client.get("kept") == b"yes"


def test_a_stopped_valkey_leaves_no_process(valkey: Valkey) -> None:
    members = family(valkey)

    valkey.stop()

    assert len(members) == 1
    assert alive(members) == set()


def test_valkey_refuses_a_caller_without_the_password(valkey: Valkey) -> None:
    with (
        redis.Redis(host="127.0.0.1", port=valkey.port or 0, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_a_remembered_port_is_given_again_unless_it_is_taken(tmp_path: Path, valkey: Valkey) -> None:
    port_file = tmp_path / "port"

    first = ports.remembered_port(port_file)
    again = ports.remembered_port(port_file)
    port_file.write_text(f"{valkey.port}\n")
    other = ports.remembered_port(port_file)

    assert again == first
    assert other != valkey.port
    assert port_file.read_text() == f"{other}\n"
