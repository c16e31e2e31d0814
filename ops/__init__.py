"""The command line for people: local stack, jobs, audit, packages."""
