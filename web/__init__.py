"""The HTTP interface: authenticate, parse, one transaction, answer."""
