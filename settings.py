"""The settings, read from the environment once, here and nowhere else. The wire contract names the variables."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.rules.origins import is_address, is_origin, origin_of
from domain.store.database_urls import PORT_MAX, problem_of_url

DEFAULT_PORT = 3061
DEFAULT_NAMESPACE: Final = "mana-credits"
SERVICE_KEY_MIN: Final = 8
SERVICE_KEY_MIN_LIVE: Final = 32
"""The shortest key of services where Stripe moves real money, in characters."""

SERVICE_KEY_MAX: Final = 1_000
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


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
        sign_in_url: The issuer's page where operators sign in to the console; `None` lets them paste a token only.
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
    sign_in_url: str | None
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
        return origin_of(self.base_url)

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
    sync_url = variables.optional("MANA_SYNC_URL")
    port = variables.whole_number("PORT", str(DEFAULT_PORT), most=PORT_MAX)
    settings = Settings(
        database_url=_database_url(variables, "DATABASE_URL"),
        redis_url=_redis_url(variables),
        redis_namespace=_redis_namespace(variables),
        auth_url=variables.address("MANA_AUTH_URL", variables.required("MANA_AUTH_URL")),
        sign_in_url=_sign_in_url(variables),
        service_keys=_service_keys(variables, is_live="_live_" in stripe_key),
        base_url=_base_url(variables, f"http://localhost:{port}"),
        stripe_secret_key=stripe_key,
        stripe_webhook_secrets=webhook_secrets,
        stripe_api_base=api_base,
        cors_origins=tuple(variables.origin("CORS_ORIGINS", origin) for origin in variables.many("CORS_ORIGINS")),
        sync_url=variables.origin("MANA_SYNC_URL", sync_url) if sync_url else None,
        notify_url=variables.address("MANA_NOTIFY_URL", variables.optional("MANA_NOTIFY_URL")) or None,
        job_wait_s=variables.number("JOB_WAIT_SECONDS", "2", most=10),
        trusted_proxies=variables.whole_number("TRUSTED_PROXIES", "0", most=9),
        worker_metrics_port=variables.whole_number("WORKER_METRICS_PORT", "9191", most=PORT_MAX),
    )
    if variables.problems:
        raise BadSettings("; ".join(variables.problems))
    return settings


def database_url() -> str:
    """Read only `DATABASE_URL`: all that most commands need."""
    return _address_or_exit("DATABASE_URL")


def migration_database_url() -> str:
    """Read the address with the login that owns the tables: `MIGRATION_DATABASE_URL`, else `DATABASE_URL`."""
    name = "MIGRATION_DATABASE_URL"
    return _address_or_exit(name if os.environ.get(name, "").strip() else "DATABASE_URL")


def _address_or_exit(name: str) -> str:
    variables = _Variables(os.environ)
    url = _database_url(variables, name)
    if variables.problems:
        sys.exit(f"mana-credits cannot start: {'; '.join(variables.problems)}")
    return url


def port() -> int:
    """Read only `PORT`: where the web server listens."""
    variables = _Variables(os.environ)
    number = variables.whole_number("PORT", str(DEFAULT_PORT), most=PORT_MAX)
    if variables.problems:
        sys.exit(f"mana-credits cannot start: {variables.problems[0]}")
    return number


def redis_url() -> str | None:
    """Read only `REDIS_URL`; `None` if it is not set. Commands can do without."""
    url = os.environ.get("REDIS_URL", "").strip()
    if url and not url.startswith(REDIS_SCHEMES):
        sys.exit("mana-credits cannot start: REDIS_URL must start with redis://, rediss:// or unix://")
    return url or None


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
        """Read an origin; a slash at its end is left out."""
        origin = value.removesuffix("/")
        if not is_origin(origin):
            self.problems.append(f"{name} must hold origins like https://app.example, exactly as browsers send them")
        return origin

    def address(self, name: str, value: str) -> str:
        """Read the address of a service; slashes at its end are left out. An empty one stays empty."""
        address = value.rstrip("/")
        if value and not is_address(address):
            self.problems.append(
                f"{name} must start with http:// or https:// and a host, without user, query or fragment"
            )
        return address

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
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(most)) and int(value) <= most):
            self.problems.append(f"{name} must be a whole number from 0 to {most}")
            return 0
        return int(value)


def _stripe(variables: _Variables) -> tuple[str, tuple[str, ...], str | None]:
    """Read Stripe's secret key, webhook secrets and API address."""
    webhook_secrets = _list(variables.required("STRIPE_WEBHOOK_SECRET"))
    if not webhook_secrets or any(not secret.removeprefix("whsec_") for secret in webhook_secrets):
        variables.problems.append("STRIPE_WEBHOOK_SECRET holds an empty secret, with which anyone could sign")
    key = variables.required("STRIPE_SECRET_KEY")
    if key and not (key.startswith(("sk_", "rk_")) and _is_token(key)):
        variables.problems.append("STRIPE_SECRET_KEY must be a secret key of Stripe: sk_… or rk_…")
    api_base = variables.address("STRIPE_API_BASE", variables.optional("STRIPE_API_BASE")) or None
    if api_base and "_live_" in key:
        variables.problems.append("STRIPE_API_BASE must be empty with a live STRIPE_SECRET_KEY")
    return key, webhook_secrets, api_base


def _redis_url(variables: _Variables) -> str:
    url = variables.required("REDIS_URL")
    if url and not url.startswith(REDIS_SCHEMES):
        variables.problems.append("REDIS_URL must start with redis://, rediss:// or unix://")
    return url


def _redis_namespace(variables: _Variables) -> str:
    namespace = variables.optional("REDIS_NAMESPACE", DEFAULT_NAMESPACE)
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", namespace):
        variables.problems.append("REDIS_NAMESPACE must be 1 to 64 letters, digits, or . _ : -")
    return namespace


def _base_url(variables: _Variables, default: str) -> str:
    """Read where people reach us. Its origin is compared with what browsers send, so it is written as they do."""
    url = variables.address("BASE_URL", variables.optional("BASE_URL", default))
    if is_address(url) and not is_origin(origin_of(url)):
        variables.problems.append("BASE_URL must have its host in lower case, and no port that its scheme has anyway")
    return url


def _sign_in_url(variables: _Variables) -> str | None:
    """Read the address of the issuer's sign-in page, to which parameters are added; it may have a query."""
    url = variables.optional("MANA_AUTH_SIGN_IN_URL") or None
    if url and not (is_address(url.partition("?")[0]) and _is_token(url) and "#" not in url):
        variables.problems.append("MANA_AUTH_SIGN_IN_URL must be an http:// or https:// address without a fragment")
    return url


def _service_keys(variables: _Variables, *, is_live: bool) -> tuple[str, ...]:
    """Read the keys of services: long enough not to be guessed, and of characters that a header carries."""
    least = SERVICE_KEY_MIN_LIVE if is_live else SERVICE_KEY_MIN
    keys = {
        "MANA_SERVICE_KEY": variables.required("MANA_SERVICE_KEY"),
        "MANA_SERVICE_KEY_PREVIOUS": variables.optional("MANA_SERVICE_KEY_PREVIOUS"),
    }
    for name, key in keys.items():
        if key and not (least <= len(key) <= SERVICE_KEY_MAX and _is_token(key)):
            variables.problems.append(
                f"{name} must have {least} to {SERVICE_KEY_MAX} visible ASCII characters, without spaces"
            )
    return tuple(key for key in keys.values() if key)


def _is_token(value: str) -> bool:
    """Tell whether a value has visible ASCII characters only: what a header carries unchanged."""
    return value.isascii() and value.isprintable() and " " not in value


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _database_url(variables: _Variables, name: str) -> str:
    """Return libpq's address of PostgreSQL as it is; what libpq or psycopg would refuse is a problem."""
    url = variables.required(name)
    if url and (problem := problem_of_url(url)):
        variables.problems.append(f"{name} {problem}")
    return url
