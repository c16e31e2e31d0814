"""What calls other services: Redis, Stripe, the notification service. Only workers and the bell do."""
