"""The ways out of this machine: Redis, Stripe, the notification service. Only workers and the bell go through them."""
