"""`make attack`: hostile clients and sick neighbours against a running stack, and a table of the results."""
