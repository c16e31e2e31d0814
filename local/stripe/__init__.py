"""The local Stripe: a small stateful simulator of the parts of Stripe this project uses.

It is a development process of its own (`python -m local.stripe`), knows nothing of the rest of the project and
speaks Stripe's HTTP: forms in, JSON out, idempotency keys, signed webhooks. Shapes and rules follow
https://docs.stripe.com/api and https://docs.stripe.com/testing; what is not simulated is refused, not ignored.
"""
