"""The workers: they do all that is slow, retried, scheduled, or outside this machine."""
