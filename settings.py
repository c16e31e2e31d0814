"""The settings, read from the environment once, here and nowhere else. The wire contract names the variables."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

DEFAULT_PORT = 3061
PORT_MAX = 65_535

LIBPQ_CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
}
LIBPQ_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
)
"""Parameters of `DATABASE_URL` whose values libpq looks at only when it connects."""
DEFAULT_NAMESPACE = "mana-credits"


class BadSettings(ValueError):
    """The environment does not allow a safe start. The message names every variable that is wrong, never a value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a web, worker or scheduler process needs to know.

    Attributes:
        database_url: PostgreSQL as libpq wants it, `postgresql://…`; may name several hosts.
        redis_url: Redis, whose messages wake the workers.
        redis_namespace: What the names of our keys in Redis start with.
        auth_url: Issuer of the users' tokens, without a trailing slash.
        service_keys: Accepted `X-Service-Key` values: the current one and, while rotating, the previous one.
        base_url: Where people reach us; gift links start with it.
        stripe_secret_key: `sk_…` or `rk_…`.
        stripe_webhook_secrets: One or two signing secrets.
        stripe_api_base: Where Stripe's API is; `None` is the real one.
        cors_origins: Origins of our web clients; also where a Checkout may return to.
        sync_url: Where the sync server is, for the demonstration on the settings page; `None` hides it.
        notify_url: Where notifications are posted to; `None` sends none.
        job_wait_s: How long an answer waits for its job, in seconds.
        trusted_proxies: How many reverse proxies in front of us set `X-Forwarded-For`.
        worker_metrics_port: Where the workers' metrics are served, on loopback; 0 serves none.
    """

    database_url: str
    redis_url: str
    redis_namespace: str
    auth_url: str
    service_keys: tuple[str, ...]
    base_url: str
    stripe_secret_key: str
    stripe_webhook_secrets: tuple[str, ...]
    stripe_api_base: str | None
    cors_origins: tuple[str, ...]
    sync_url: str | None
    notify_url: str | None
    job_wait_s: float
    trusted_proxies: int
    worker_metrics_port: int

    @property
    def own_origin(self) -> str:
        """The origin of `base_url`, where our own pages are."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def stripe_livemode(self) -> bool:
        """Whether Stripe moves real money for this key."""
        return self.stripe_secret_key.startswith(("sk_live_", "rk_live_"))


def load() -> Settings:
    """Read the settings of a process, or end it with a message that names what is missing."""
    try:
        return read()
    except BadSettings as refusal:
        sys.exit(f"mana-credits cannot start: {refusal}")


def read() -> Settings:
    """Read the settings of this process.

    Raises:
        BadSettings: as `from_environment`.
    """
    return from_environment(os.environ)


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings from a mapping of environment variables.

    Raises:
        BadSettings: a required variable is missing or empty, or one has a value that cannot be meant.
    """
    variables = _Variables(environment)
    stripe_key, webhook_secrets, api_base = _stripe(variables)
    notify_url = _notify_url(variables)
    sync_url, port = variables.optional("MANA_SYNC_URL"), variables.optional("PORT", str(DEFAULT_PORT))
    settings = Settings(
        database_url=_database_url(variables.required("DATABASE_URL"), variables.problems),
        redis_url=variables.required("REDIS_URL"),
        redis_namespace=_redis_namespace(variables),
        auth_url=variables.required("MANA_AUTH_URL").rstrip("/"),
        service_keys=_service_keys(variables),
        base_url=variables.optional("BASE_URL", f"http://localhost:{port}").rstrip("/"),
        stripe_secret_key=stripe_key,
        stripe_webhook_secrets=webhook_secrets,
        stripe_api_base=api_base,
        cors_origins=tuple(variables.origin("CORS_ORIGINS", origin) for origin in variables.many("CORS_ORIGINS")),
        sync_url=variables.origin("MANA_SYNC_URL", sync_url) if sync_url else None,
        notify_url=notify_url,
        job_wait_s=variables.number("JOB_WAIT_SECONDS", "2", most=10),
        trusted_proxies=variables.whole_number("TRUSTED_PROXIES", "0", most=9),
        worker_metrics_port=variables.whole_number("WORKER_METRICS_PORT", "9191", most=PORT_MAX),
    )
    if not re.match("https?://[^/]", settings.base_url):
        variables.problems.append("BASE_URL must start with http:// or https://")
    if variables.problems:
        raise BadSettings("; ".join(variables.problems))
    return settings


def database_url() -> str:
    """Read only `DATABASE_URL`: all that a migration needs."""
    variables = _Variables(os.environ)
    url = _database_url(variables.required("DATABASE_URL"), variables.problems)
    if variables.problems:
        sys.exit(f"mana-credits cannot start: {'; '.join(variables.problems)}")
    return url


def port() -> int:
    """Read only `PORT`: where the web server listens."""
    variables = _Variables(os.environ)
    number = variables.whole_number("PORT", str(DEFAULT_PORT), most=65_535)
    if variables.problems:
        sys.exit(f"mana-credits cannot start: {variables.problems[0]}")
    return number


def redis_url() -> str | None:
    """Read only `REDIS_URL`; `None` if it is not set. Commands can do without."""
    return os.environ.get("REDIS_URL", "").strip() or None


def redis_namespace() -> str:
    """Read only `REDIS_NAMESPACE`, or end the process."""
    variables = _Variables(os.environ)
    namespace = _redis_namespace(variables)
    if variables.problems:
        sys.exit(f"mana-credits cannot start: {variables.problems[0]}")
    return namespace


class _Variables:
    """Environment variables, and what is wrong with those that were read."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def required(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            self.problems.append(f"{name} is missing or empty")
        return value

    def optional(self, name: str, default: str = "") -> str:
        return self._environment.get(name, "").strip() or default

    def many(self, name: str) -> tuple[str, ...]:
        return _list(self.optional(name))

    def origin(self, name: str, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.rstrip("/") or parts.query:
            self.problems.append(f"{name} must hold origins like https://app.example")
        return f"{parts.scheme}://{parts.netloc}"

    def number(self, name: str, default: str, *, most: float) -> float:
        try:
            number = float(self.optional(name, default))
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:
            self.problems.append(f"{name} must be a number from 0 to {most:g}")
        return number

    def whole_number(self, name: str, default: str, *, most: int) -> int:
        value = self.optional(name, default)
        if not (value.isascii() and value.isdigit() and int(value) <= most):
            self.problems.append(f"{name} must be a whole number from 0 to {most}")
            return 0
        return int(value)


def _stripe(variables: _Variables) -> tuple[str, tuple[str, ...], str | None]:
    """Read Stripe's secret key, webhook secrets and API address."""
    webhook_secrets = _list(variables.required("STRIPE_WEBHOOK_SECRET"))
    if not webhook_secrets or any(not secret.removeprefix("whsec_") for secret in webhook_secrets):
        variables.problems.append("STRIPE_WEBHOOK_SECRET holds an empty secret, with which anyone could sign")
    key = variables.required("STRIPE_SECRET_KEY")
    api_base = variables.optional("STRIPE_API_BASE").rstrip("/") or None
    if api_base and "_live_" in key:
        variables.problems.append("STRIPE_API_BASE must be empty with a live STRIPE_SECRET_KEY")
    return key, webhook_secrets, api_base


def _notify_url(variables: _Variables) -> str | None:
    url = variables.optional("MANA_NOTIFY_URL").rstrip("/") or None
    if url and not url.startswith(("http://", "https://")):
        variables.problems.append("MANA_NOTIFY_URL must start with http:// or https://")
    return url


def _redis_namespace(variables: _Variables) -> str:
    namespace = variables.optional("REDIS_NAMESPACE", DEFAULT_NAMESPACE)
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", namespace):
        variables.problems.append("REDIS_NAMESPACE must be 1 to 64 letters, digits, or . _ : -")
    return namespace


def _service_keys(variables: _Variables) -> tuple[str, ...]:
    keys = variables.required("MANA_SERVICE_KEY"), variables.optional("MANA_SERVICE_KEY_PREVIOUS")
    return tuple(key for key in keys if key)


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _database_url(url: str, problems: list[str]) -> str:
    """Return libpq's address of PostgreSQL as it is; what libpq or psycopg would refuse is a problem."""
    if url and (problem := _problem_of_database_url(url)):
        problems.append(f"DATABASE_URL {problem}")
    return url


def _problem_of_database_url(url: str) -> str | None:
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
