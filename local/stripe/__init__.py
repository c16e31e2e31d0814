"""The local Stripe: a small simulator, with state, of the parts of Stripe that this project uses.

It is a separate development process (`python -m local.stripe`) and imports nothing else of the project. It has
Stripe's HTTP API: form requests, JSON responses, idempotency keys, signed webhooks. Objects and rules follow
https://docs.stripe.com/api and https://docs.stripe.com/testing. It refuses what it does not simulate, and ignores
nothing.
"""
