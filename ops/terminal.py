"""What reaches an operator's terminal: nothing of a stored text can move its cursor, colour it or turn it around.

Older rows and other machines' messages may hold any character, ESC too. Every command prints through here.
"""

import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.segment import Segment

from domain.rules.texts import clean_text


def terminal(**options: Any) -> Console:
    """Build a console that cleans what it prints; the options are rich's."""
    console = Console(**options)
    console.push_render_hook(_Cleaning())
    return console


def end_with(text: object) -> NoReturn:
    """End the command with a line on standard error, and exit status 1."""
    sys.exit(clean_text(str(text)))


class _Cleaning(RenderHook):
    """Cleans the texts of everything that is rendered; rich's own control codes are apart from them."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what a console is about to print."""
        return [_Cleaned(renderable) for renderable in renderables]


class _Cleaned:
    """Another renderable, with clean texts."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render it and clean the segments."""
        return _clean(console.render(self._renderable, options))


def _clean(segments: Iterable[Segment]) -> Iterable[Segment]:
    for segment in segments:
        yield segment if segment.control else Segment(clean_text(segment.text), segment.style)
