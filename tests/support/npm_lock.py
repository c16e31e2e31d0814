"""`python -m tests.support.npm_lock <file>…`: leave out of npm's lock files what is an address and not needed."""

import json
import sys
from pathlib import Path
from typing import Final

ADDRESSES: Final = ("resolved", "funding")


def strip(lock: Path) -> None:
    """Remove where packages come from: npm asks the registry that is set up, and compares hashes."""
    document = json.loads(lock.read_text(encoding="utf-8"))
    for package in document["packages"].values():
        for name in ADDRESSES:
            package.pop(name, None)
    lock.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        strip(Path(argument))
