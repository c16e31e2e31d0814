"""How a process starts: the look before the start, the supervisor that keeps it running, and what it is made of."""
