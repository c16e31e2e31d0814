"""How a process starts: the check before the start, the supervisor that keeps it running, and its parts."""
