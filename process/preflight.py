"""Check before the start: `python -m process.preflight && …`. Ends with a message when a process must not start.

A database that cannot be reached, or takes no writes, is no such reason: that may pass, and until then requests are
answered 503.
"""

import sys

import settings
from domain.errors import Busy, ReadOnly, Unavailable
from domain.store import UnfitDatabase
from process.parts import web_parts


def main() -> None:
    """Check the settings, and that the database is durable and new enough."""
    configured = settings.load()
    database = web_parts(configured, connections=1).database
    try:
        database.check()
    except UnfitDatabase as error:
        sys.exit(f"mana-credits cannot start: {error}")
    except ReadOnly as error:
        print(f"mana-credits: {error}; writes are refused until it is not", file=sys.stderr)
    except (Busy, Unavailable):
        print("mana-credits: the database cannot be reached yet", file=sys.stderr)
    finally:
        database.close()


if __name__ == "__main__":
    main()
