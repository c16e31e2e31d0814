"""The environment, read once, here and nowhere else. The variables are those of the wire contract."""

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
        redis_url: The doorbell.
        auth_url: Issuer of the users' tokens, without a trailing slash.
        service_keys: Accepted `X-Service-Key` values: the current one and, while rotating, the previous one.
        base_url: Where people reach us; gift links start with it.
        stripe_secret_key: `sk_…` or `rk_…`.
        stripe_webhook_secrets: One or two signing secrets.
        stripe_api_base: Where Stripe's API is; `None` is the real one.
        cors_origins: Origins of our web clients; also where a Checkout may return to.
        sync_url: Where the sync server is, for the demonstration on the settings page; `None` shows none.
        notify_url: Where notifications are posted to; `None` sends none.
        job_wait_s: How long an answer waits for its job, in seconds.
        trusted_proxies: How many reverse proxies in front of us set `X-Forwarded-For`.
        worker_metrics_port: Where the workers' metrics are served, on loopback; 0 serves none.
    """

    database_url: str
    redis_url: str
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
    problems: list[str] = []

    def required(name: str) -> str:
        value = environment.get(name, "").strip()
        if not value:
            problems.append(f"{name} is missing or empty")
        return value

    def optional(name: str, default: str = "") -> str:
        return environment.get(name, "").strip() or default

    webhook_secrets = _list(required("STRIPE_WEBHOOK_SECRET"))
    if not webhook_secrets or any(not secret.removeprefix("whsec_") for secret in webhook_secrets):
        problems.append("STRIPE_WEBHOOK_SECRET holds an empty secret, with which anyone could sign")
    stripe_key, api_base = required("STRIPE_SECRET_KEY"), optional("STRIPE_API_BASE").rstrip("/") or None
    if api_base and "_live_" in stripe_key:
        problems.append("STRIPE_API_BASE must be empty with a live STRIPE_SECRET_KEY")
    notify_url = optional("MANA_NOTIFY_URL").rstrip("/") or None
    if notify_url and not notify_url.startswith(("http://", "https://")):
        problems.append("MANA_NOTIFY_URL must start with http:// or https://")
    sync_url, port = optional("MANA_SYNC_URL"), optional("PORT", str(DEFAULT_PORT))
    settings = Settings(
        database_url=_sqlalchemy_url(required("DATABASE_URL"), problems),
        redis_url=required("REDIS_URL"),
        auth_url=required("MANA_AUTH_URL").rstrip("/"),
        service_keys=tuple(key for key in (required("MANA_SERVICE_KEY"), optional("MANA_SERVICE_KEY_PREVIOUS")) if key),
        base_url=optional("BASE_URL", f"http://localhost:{port}").rstrip("/"),
        stripe_secret_key=stripe_key,
        stripe_webhook_secrets=webhook_secrets,
        stripe_api_base=api_base,
        cors_origins=tuple(_origin("CORS_ORIGINS", value, problems) for value in _list(optional("CORS_ORIGINS"))),
        sync_url=_origin("MANA_SYNC_URL", sync_url, problems) if sync_url else None,
        notify_url=notify_url,
        job_wait_s=_number("JOB_WAIT_SECONDS", optional("JOB_WAIT_SECONDS", "2"), 10, problems),
        trusted_proxies=_whole_number("TRUSTED_PROXIES", optional("TRUSTED_PROXIES", "0"), 9, problems),
        worker_metrics_port=_whole_number(
            "WORKER_METRICS_PORT", optional("WORKER_METRICS_PORT", "9191"), 65_535, problems
        ),
    )
    if not re.match("https?://[^/]", settings.base_url):
        problems.append("BASE_URL must start with http:// or https://")
    if problems:
        raise BadSettings("; ".join(problems))
    return settings


def database_url() -> str:
    """Read `DATABASE_URL` alone: all that a migration needs."""
    problems: list[str] = []
    url = _sqlalchemy_url(os.environ.get("DATABASE_URL", "").strip(), problems)
    if problems or not url:
        sys.exit("mana-credits cannot start: DATABASE_URL is missing or no postgresql:// address")
    return url


def redis_url() -> str | None:
    """Read `REDIS_URL` alone: a command that rings can do without."""
    return os.environ.get("REDIS_URL", "").strip() or None


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _sqlalchemy_url(url: str, problems: list[str]) -> str:
    scheme, _, rest = url.partition("://")
    if url and scheme not in {"postgresql", "postgres"}:
        problems.append("DATABASE_URL must start with postgresql://")
    return f"postgresql+psycopg://{rest}" if url else ""


def _origin(name: str, value: str, problems: list[str]) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.rstrip("/") or parts.query:
        problems.append(f"{name} must hold origins like https://app.example")
    return f"{parts.scheme}://{parts.netloc}"


def _number(name: str, value: str, most: float, problems: list[str]) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        problems.append(f"{name} must be a number from 0 to {most:g}")
    return number


def _whole_number(name: str, value: str, most: int, problems: list[str]) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= most):
        problems.append(f"{name} must be a whole number from 0 to {most}")
        return 0
    return int(value)
