"""Jobs: everything slow, retried, scheduled, or outside this machine."""
