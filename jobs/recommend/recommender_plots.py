"""Plots of the recommender's page as SVG text with no script: bars with intervals, lines over k or epochs, grouped bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH = 560
ROW, NAME, TOP = 26, 132, 6
LINES_HEIGHT, LEFT, RIGHT, BOTTOM = 230, 40, 118, 24


class Ranged(NamedTuple):
    """A value with its interval, the name beside it, the CSS class that colours it."""

    name: str
    value: float
    low: float
    high: float
    kind: str


class Line(NamedTuple):
    """A line: its name, the CSS class that colours it, and its points as (place on the x axis, value)."""

    name: str
    kind: str
    points: Sequence[tuple[int, float]]


def interval_bars(bars: Sequence[Ranged], name: str) -> str:
    """Bars lying on their side, each with the whisker of its interval and its figure."""
    top = max((bar.high for bar in bars), default=0) or 1
    scale = (WIDTH - NAME - 62) / top
    parts = [_interval_bar(TOP + ROW * number, bar, scale) for number, bar in enumerate(bars)]
    return _svg("".join(parts), WIDTH, TOP + ROW * len(bars), name)


def _interval_bar(y: float, bar: Ranged, scale: float) -> str:
    low, high = NAME + bar.low * scale, NAME + bar.high * scale
    tip = f"{bar.name}: {bar.value:.4f}, 95 % interval {bar.low:.4f} to {bar.high:.4f}"
    middle = y + ROW / 2 - 3
    return (
        f"<g><title>{escape(tip)}</title>{_text(NAME - 8, middle + 4, bar.name, 'end')}"
        f'<rect class="{bar.kind}" x="{NAME}" y="{y}" width="{max(bar.value * scale, 0.6):.1f}" height="{ROW - 7}" rx="2"/>'
        f'<path class="whisker" d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} '
        f'{middle - 4:.1f}v8"/>{_text(high + 6, middle + 4, f"{bar.value:.4f}", "start")}</g>'
    )


def line_plot(lines: Sequence[Line], under: Mapping[int, str], name: str, from_zero: bool = True) -> str:
    """Lines with their names at their ends; `under` says what stands below which place of the x axis."""
    values = [value for line in lines for _, value in line.points]
    if not values:
        return ""
    low, high = (0.0 if from_zero else min(values)), max(values)
    span = (high - low) or 1.0
    first, last = min(under), max(under)
    wide, floor = WIDTH - LEFT - RIGHT, LINES_HEIGHT - BOTTOM

    def at(place: int, value: float) -> tuple[float, float]:
        x = LEFT + wide * (place - first) / ((last - first) or 1)
        return x, floor - (floor - 14) * (value - low) / span

    ends = _spread([at(*line.points[-1])[1] for line in lines if line.points])
    parts = [f'<path class="axis" d="M{LEFT} {floor}H{WIDTH - RIGHT}"/>']
    parts += [
        _text(LEFT - 5, at(first, v)[1] + 4, f"{v:.3g}", "end") for v in (low, low + span / 2, low + span)
    ]
    parts += [_text(at(place, low)[0], LINES_HEIGHT - 7, words) for place, words in under.items()]
    for line, end in zip((line for line in lines if line.points), ends, strict=True):
        places = [at(*point) for point in line.points]
        drawn = "".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places))
        parts.append(f'<path class="stroke {line.kind}" d="{drawn}"/>')
        parts += [
            f'<circle class="{line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>'
            f"{escape(f'{line.name}, {under.get(place, place)}: {value:.4f}')}</title></circle>"
            for (x, y), (place, value) in zip(places, line.points, strict=True)
        ]
        parts.append(_text(places[-1][0] + 7, end + 4, line.name, "start"))
    return _svg("".join(parts), WIDTH, LINES_HEIGHT, name)


def grouped_bars(groups: Sequence[tuple[str, Sequence[Ranged]]], name: str) -> str:
    """Groups of standing bars with whiskers, a name under each group; figures are in the tooltips."""
    top = max((bar.high for _, bars in groups for bar in bars), default=0) or 1
    height, wide = 190, WIDTH - LEFT - 4
    floor, slot = height - 34, wide / max(len(groups), 1)
    parts = [f'<path class="axis" d="M{LEFT} {floor}H{WIDTH - 4}"/>']
    parts += [
        _text(LEFT - 5, floor - (floor - 10) * share + 4, f"{top * share:.3f}", "end")
        for share in (0, 0.5, 1)
    ]
    for number, (under, bars) in enumerate(groups):
        each = min(16.0, (slot - 8) / max(len(bars), 1))
        start = LEFT + number * slot + (slot - each * len(bars)) / 2
        parts += [
            _standing(start + each * i, each - 2, bar, floor, (floor - 10) / top)
            for i, bar in enumerate(bars)
        ]
        words, small = under.split("\n") if "\n" in under else (under, "")
        parts.append(_text(LEFT + (number + 0.5) * slot, floor + 14, words))
        parts.append(_text(LEFT + (number + 0.5) * slot, floor + 27, small))
    return _svg("".join(parts), WIDTH, height, name)


def _standing(x: float, wide: float, bar: Ranged, floor: float, scale: float) -> str:
    tip = f"{bar.name}: {bar.value:.4f}, 95 % interval {bar.low:.4f} to {bar.high:.4f}"
    high, middle = max(bar.value * scale, 0.6), x + wide / 2
    return (
        f'<g><title>{escape(tip)}</title><rect class="{bar.kind}" x="{x:.1f}" y="{floor - high:.1f}" width="{wide:.1f}" '
        f'height="{high:.1f}" rx="1.5"/><path class="whisker" d="M{middle:.1f} {floor - bar.low * scale:.1f}V'
        f'{floor - bar.high * scale:.1f}"/></g>'
    )


def _spread(ends: Sequence[float], apart: float = 12.0) -> list[float]:
    """The heights of names at the ends of lines, moved as little as needed to stand apart, in the order given."""
    order = sorted(range(len(ends)), key=lambda number: ends[number])
    moved, before = list(ends), float("-inf")
    for number in order:
        before = moved[number] = max(ends[number], before + apart)
    after = LINES_HEIGHT - BOTTOM + 2 + apart
    for number in reversed(order):  # what came below the plot goes up again, and pushes only what it meets
        after = moved[number] = min(moved[number], after - apart)
    return moved


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>' if words else ""


def _svg(inside: str, width: float, height: float, name: str) -> str:
    return f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(name)}">{inside}</svg>'
