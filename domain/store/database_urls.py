"""Addresses of PostgreSQL as libpq reads them (https://www.postgresql.org/docs/current/libpq-connect.html)."""

import re
from collections.abc import Mapping
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

PORT_MAX: Final = 65_535
LIBPQ_CHOICES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
}
LIBPQ_NUMBERS: Final = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)
"""Parameters of `DATABASE_URL` whose values libpq looks at only when it connects."""


def problem_of_url(url: str) -> str | None:
    """Tell what is wrong with an address of PostgreSQL, before libpq or psycopg refuse it; `None` if it can be used.

    The text names no value: a value may be the password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        return "must start with postgresql://"
    login_and_hosts, _, name = rest.partition("/")
    if login_and_hosts.count("@") > 1 or "@" in name.partition("?")[0]:
        return "has an @ or / in its user name or password: write %40 or %2F"
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:  # its message may show the password
        return (
            "cannot be read: write postgresql://user:password@host:port/database, other characters as %XX, and after"
            " a ? only parameters that libpq knows"
        )
    if not parameters.get("dbname") and "service" not in parameters:
        return "names no database: end it with /name"
    return _problem_of_hosts(parameters) or _problem_of_parameters(parameters)


def _problem_of_hosts(parameters: Mapping[str, str]) -> str | None:
    hosts = parameters.get("hostaddr", parameters.get("host", "")).split(",")
    ports = parameters.get("port", "").split(",")
    if any(port and not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX) for port in ports):
        return f"must have ports from 1 to {PORT_MAX}; a : or / in a password is written %3A or %2F"
    if len(ports) not in {1, len(hosts)}:
        return "must have one port for all hosts, or one for each"
    return None


def _problem_of_parameters(parameters: Mapping[str, str]) -> str | None:
    for name, values in LIBPQ_CHOICES.items():
        if parameters.get(name, values[0]) not in values:
            return f"must have one of these as {name}: {', '.join(values)}"
    for name in LIBPQ_NUMBERS:
        if not re.fullmatch(r"-?\d{1,9}", parameters.get(name, "0"), re.ASCII):
            return f"must have a whole number as {name}"
    return None
