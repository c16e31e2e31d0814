"""Bars of a day, drawn as SVG without a script: a bar an hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 60
STEP: Final = 12
BAR: Final = 9


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar: where it stands, how high it is, and what it says."""

    x: int
    y: int
    height: int
    says: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A day's bars and their total."""

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
        says = f"{hour:02}:00 UTC: {_said(value, euro=euro)}"
        bars.append(Bar(x=hour * STEP, y=HEIGHT - height, height=height, says=says))
    return Chart(name=name, total=_said(sum(values), euro=euro), bars=bars, width=len(values) * STEP)


def _said(value: int, *, euro: bool) -> str:
    return f"{value / 100:.2f} €" if euro else str(value)
