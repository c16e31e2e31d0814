"""The settings, read from the environment once, here and nowhere else. The wire contract names the variables."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORT = 3061


class BadSettings(ValueError):
    """The environment does not allow a safe start. The message names every variable that is wrong, never a value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a web, worker or scheduler process needs to know.

    Attributes:
        database_url: PostgreSQL as SQLAlchemy wants it, `postgresql+psycopg://…`.
        redis_url: Redis, whose messages wake the workers.
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
        database_url=_sqlalchemy_url(variables.required("DATABASE_URL"), variables.problems),
        redis_url=variables.required("REDIS_URL"),
        auth_url=variables.required("MANA_AUTH_URL").rstrip("/"),
        sign_in_url=_sign_in_url(variables),
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
        worker_metrics_port=variables.whole_number("WORKER_METRICS_PORT", "9191", most=65_535),
    )
    if not re.match("https?://[^/]", settings.base_url):
        variables.problems.append("BASE_URL must start with http:// or https://")
    if variables.problems:
        raise BadSettings("; ".join(variables.problems))
    return settings


def database_url() -> str:
    """Read only `DATABASE_URL`: all that a migration needs."""
    problems: list[str] = []
    url = _sqlalchemy_url(os.environ.get("DATABASE_URL", "").strip(), problems)
    if problems or not url:
        sys.exit("mana-credits cannot start: DATABASE_URL is missing or no postgresql:// address")
    return url


def redis_url() -> str | None:
    """Read only `REDIS_URL`; `None` if it is not set. Commands can do without."""
    return os.environ.get("REDIS_URL", "").strip() or None


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


def _sign_in_url(variables: _Variables) -> str | None:
    """Read the address of the issuer's sign-in page, to which parameters are added; it may have a query."""
    url = variables.optional("MANA_AUTH_SIGN_IN_URL") or None
    if url and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", url):
        variables.problems.append("MANA_AUTH_SIGN_IN_URL must be an http:// or https:// address without a fragment")
    return url


def _service_keys(variables: _Variables) -> tuple[str, ...]:
    keys = variables.required("MANA_SERVICE_KEY"), variables.optional("MANA_SERVICE_KEY_PREVIOUS")
    return tuple(key for key in keys if key)


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _sqlalchemy_url(url: str, problems: list[str]) -> str:
    scheme, _, rest = url.partition("://")
    if url and scheme not in {"postgresql", "postgres"}:
        problems.append("DATABASE_URL must start with postgresql://")
    return f"postgresql+psycopg://{rest}" if url else ""
