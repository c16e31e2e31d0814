"""Stripe's API: calling it, making our objects there, reading what it has, and what its objects tell."""
