"""Measurements, each beside `pgbench` on the same server in the same run: `python -m bench`."""
