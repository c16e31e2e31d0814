"""The stack's log files: finds the new lines that a developer should see on the console."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

LINE_MAX = 300
SUPERVISOR_EVENTS = {"ended", "killed orphans", "not started"}
WARNING_WORDS = re.compile(r"\b(WARN(ING)?|ERROR|CRITICAL|FATAL|PANIC|Traceback)\b")
# Warnings that need no attention: PostgreSQL's answers while it starts, and granian's advice about threads.
HARMLESS = re.compile(r"database system is (starting up|not yet accepting)|Configuration allows spawning up to")
DIGITS = re.compile(r"\d+")


class Logbook:
    """Reads the lines that were added to the log files of a directory since the last reading."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._positions: dict[Path, int] = {}

    def skip(self) -> None:
        """Skip everything written so far."""
        for file in self._directory.glob("*.log"):
            self._positions[file] = file.stat().st_size

    def new_warnings(self) -> Iterator[tuple[str, str]]:
        """Return the new lines that need attention, each with the name of the program that wrote it.

        Lines that differ in numbers only, such as times, are counted, and only the first is returned.
        """
        for file in sorted(self._directory.glob("*.log")):
            groups: dict[str, list[str]] = {}
            for line in filter(needs_attention, self._added(file)):
                groups.setdefault(DIGITS.sub("", line), []).append(line)
            for first, *others in groups.values():
                yield file.stem, first[:LINE_MAX] + (f" (and {len(others)} more)" if others else "")

    def _added(self, file: Path) -> list[str]:
        position = self._positions.get(file, 0)
        with file.open("rb") as log:
            log.seek(position)
            complete, newline, _ = log.read().rpartition(b"\n")
        self._positions[file] = position + len(complete) + len(newline)
        return complete.decode(errors="replace").splitlines()


def needs_attention(line: str) -> bool:
    """Return whether a line is a warning or worse, or the supervisor's message about a restarted program."""
    try:
        record = json.loads(line)
    except ValueError:
        return WARNING_WORDS.search(line) is not None and HARMLESS.search(line) is None
    if not isinstance(record, dict):
        return False
    is_restart = record.get("logger") == "keep" and record.get("event") in SUPERVISOR_EVENTS
    return is_restart or record.get("level") in {"warning", "error", "critical"}
