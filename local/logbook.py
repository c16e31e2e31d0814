"""The stack's log files, of which only what needs attention reaches the console."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

LINE_MAX = 300
TOLD_BY_KEEP = {"ended", "killed orphans", "not started"}
LOUD = re.compile(r"\b(WARN(ING)?|ERROR|CRITICAL|FATAL|PANIC|Traceback)\b")
# Loud, but nothing to attend to: PostgreSQL answering us while it starts, and granian's opinion of our threads.
EXPECTED = re.compile(r"database system is (starting up|not yet accepting)|Configuration allows spawning up to")
DIGITS = re.compile(r"\d+")


class Logbook:
    """Reads what was added to the log files of a directory since the last look."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[Path, int] = {}

    def skip(self) -> None:
        """Take everything written so far as seen."""
        for file in self._directory.glob("*.log"):
            self._seen[file] = file.stat().st_size

    def worth_showing(self) -> Iterator[tuple[str, str]]:
        """Give the new lines that need attention, each with the name of who wrote it.

        Of lines that differ in numbers only, such as times, the first stands for all.
        """
        for file in sorted(self._directory.glob("*.log")):
            alike: dict[str, list[str]] = {}
            for line in filter(needs_attention, self._added(file)):
                alike.setdefault(DIGITS.sub("", line), []).append(line)
            for first, *others in alike.values():
                yield file.stem, first[:LINE_MAX] + (f" (and {len(others)} more)" if others else "")

    def _added(self, file: Path) -> list[str]:
        with file.open("rb") as opened:
            opened.seek(self._seen.get(file, 0))
            complete, newline, _ = opened.read().rpartition(b"\n")
        self._seen[file] = self._seen.get(file, 0) + len(complete) + len(newline)
        return complete.decode(errors="replace").splitlines()


def needs_attention(line: str) -> bool:
    """Tell whether a line is a warning or worse, or tells of a program that was restarted."""
    try:
        told = json.loads(line)
    except ValueError:
        return LOUD.search(line) is not None and EXPECTED.search(line) is None
    if not isinstance(told, dict):
        return False
    is_keeping = told.get("logger") == "keep" and told.get("event") in TOLD_BY_KEEP
    return is_keeping or told.get("level") in {"warning", "error", "critical"}
