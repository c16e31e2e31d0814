"""Business acts: each is one function, in the transaction that its caller opened."""
