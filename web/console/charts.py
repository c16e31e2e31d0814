"""Bar charts of a day, one bar an hour, drawn as SVG without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 60
STEP: Final = 12
BAR: Final = 9


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar: its upper left corner, its height, and its label."""

    x: int
    y: int
    height: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The bars of a day and their total."""

    name: str
    total: str
    bars: Sequence[Bar]
    width: int
    height: int = HEIGHT
    bar: int = BAR


def day_chart(name: str, values: Sequence[int], *, euro: bool = False) -> Chart:
    """Draw values by hour.

    Args:
        euro: The values are euro cents.
    """
    highest = max([*values, 1])
    bars = []
    for hour, value in enumerate(values):
        height = max(round(value / highest * HEIGHT), 1)
        label = f"{hour:02}:00 UTC: {_text(value, euro=euro)}"
        bars.append(Bar(x=hour * STEP, y=HEIGHT - height, height=height, label=label))
    return Chart(name=name, total=_text(sum(values), euro=euro), bars=bars, width=len(values) * STEP)


def _text(value: int, *, euro: bool) -> str:
    return f"{value / 100:.2f} €" if euro else str(value)
