"""The rules of prepaid credits, and the record of them in PostgreSQL. No HTTP, no queue, no Stripe in here."""
