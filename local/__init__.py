"""The local stack: everything the service needs, on one machine, for development and tests."""
