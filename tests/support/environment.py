"""The environment of a web process under test."""

from typing import Final

SILENT_REDIS: Final = "redis://127.0.0.1:1/0"
"""An address where no Redis answers: jobs are recorded, and no worker is told."""


def web_environment(*, database_url: str, auth_url: str, **changes: str) -> dict[str, str]:
    """Write the variables of a web process without Redis, which answers 202 at once where it would wait for a job."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": SILENT_REDIS,
        "MANA_AUTH_URL": auth_url,
        "MANA_SERVICE_KEY": "service-key",
        "STRIPE_SECRET_KEY": "sk_test_1",
        "STRIPE_WEBHOOK_SECRET": "whsec_1",
        "CORS_ORIGINS": "https://app.example",
        "JOB_WAIT_SECONDS": "0",
    } | changes
