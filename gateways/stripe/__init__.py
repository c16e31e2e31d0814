"""Stripe's API: calling it, creating our objects there, reading its objects, and the facts in them."""
