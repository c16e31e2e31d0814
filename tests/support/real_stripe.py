"""The switch that runs the acceptance tests of Stripe against its real test mode: `STRIPE_TEST_KEY`."""

from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "STRIPE_TEST_KEY"


def real_stripe_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Tell what the service's variables must be for the real Stripe; nothing to change without the switch.

    No webhook reaches a service on this machine, so what happens at Stripe is heard of through `reconcile`.

    Raises:
        ValueError: the key is none of test mode.
    """
    key = environment.get(VARIABLE, "").strip()
    if not key:
        return {}
    if not key.startswith(("sk_test_", "rk_test_")):
        raise ValueError(f"{VARIABLE} must be a key of Stripe's test mode: sk_test_… or rk_test_…")
    return {"STRIPE_SECRET_KEY": key, "STRIPE_API_BASE": ""}
