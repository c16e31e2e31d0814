"""The handlers, by subject. Importing this package registers all of them in `workers.registry`."""

from workers.handlers import (
    audit,
    gifts,
    holds,
    jobs,
    notices,
    purchases,
    reconciliation,
    renewals,
    stripe_events,
    stripe_refunds,
    sync,
    usage,
)

__all__ = [
    "audit",
    "gifts",
    "holds",
    "jobs",
    "notices",
    "purchases",
    "reconciliation",
    "renewals",
    "stripe_events",
    "stripe_refunds",
    "sync",
    "usage",
]
