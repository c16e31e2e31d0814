"""The local stack: all servers that the service needs, on one machine, for development and tests."""
