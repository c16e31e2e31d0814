"""HTTP in: authenticate, parse, one transaction, answer."""
