"""Plots as SVG text with no script: lines and bars in the page's own colours, every mark with its figure as a tooltip."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 360, 132
LEFT, BOTTOM, TOP = 34, 18, 12


class Bar(NamedTuple):
    """A bar: how high, the figure over it, the CSS class that colours it, what its tooltip says."""

    value: float
    label: str
    kind: str
    tip: str


def grouped_bars(groups: Sequence[tuple[str, Sequence[Bar]]], highest: float | None = None, name: str = "") -> str:
    """Groups of bars side by side, a name under each group."""
    top = highest or max((bar.value for _, bars in groups for bar in bars), default=0) or 1
    slot = (WIDTH - 8) / max(len(groups), 1)
    parts = []
    for number, (under, bars) in enumerate(groups):
        wide = min(46.0, (slot - 10) / max(len(bars), 1))
        start = 4 + number * slot + (slot - wide * len(bars)) / 2
        parts += [_bar(start + i * wide, wide - 3, bar, top) for i, bar in enumerate(bars)]
        parts.append(_text(4 + number * slot + slot / 2, HEIGHT - 5, under))
    parts.append(f'<path class="axis" d="M4 {HEIGHT - BOTTOM}H{WIDTH - 4}"/>')
    return _svg("".join(parts), name)


def usage_curve(counts_K: NDArray[np.int64], name: str) -> str:
    """Notes of every code, the fullest first, as one outline; the dashed line is what even use would give each."""
    sorted_K = np.sort(counts_K)[::-1]
    top, even = float(sorted_K[0]) or 1.0, float(counts_K.mean())
    wide, high = WIDTH - LEFT - 4, HEIGHT - BOTTOM - TOP
    floor = HEIGHT - BOTTOM
    # More codes than pixels: a column stands for several, by their mean.
    shown = np.array([part.mean() for part in np.array_split(sorted_K, min(len(sorted_K), wide))])
    step = wide / len(shown)
    steps = "".join(f"V{floor - high * v / top:.1f}h{step:.3f}" for v in shown)
    at = floor - high * even / top
    parts = [
        f'<path class="ours" d="M{LEFT} {floor}{steps}V{floor}Z"/>',
        f'<path class="even" d="M{LEFT} {at:.1f}H{WIDTH - 4}"/>',
        f'<path class="axis" d="M{LEFT} {floor}H{WIDTH - 4}"/>',
        _text(LEFT - 4, floor - high + 4, f"{sorted_K[0]:,}", "end"),
        # Where even use is almost the fullest, one figure is enough.
        _text(LEFT - 4, at + 4, f"{even:,.1f}" if even < 10 else f"{even:,.0f}", "end") if at > TOP + 14 else "",
        _text(LEFT, HEIGHT - 5, "fullest", "start"),
        _text(WIDTH - 4, HEIGHT - 5, f"code {len(sorted_K):,}", "end"),
    ]
    return _svg("".join(parts), name)


def meter(parts: Sequence[tuple[float, str, str]], whole: float) -> str:
    """One line of stacked pieces (length, CSS class, tooltip) out of a whole."""
    x, found = 0.0, []
    for value, kind, tip in parts:
        wide = 100 * max(value, 0) / (whole or 1)
        found.append(f'<rect class="{kind}" x="{x:.2f}" y="0" width="{wide:.2f}" height="10">{_tip(tip)}</rect>')
        x += wide
    return f'<svg class="meter" viewBox="0 0 100 10" preserveAspectRatio="none" role="img">{"".join(found)}</svg>'


def _bar(x: float, wide: float, bar: Bar, top: float) -> str:
    high = (HEIGHT - BOTTOM - TOP) * bar.value / top
    y = HEIGHT - BOTTOM - high
    return (
        f'<rect class="{bar.kind}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{max(high, 0.6):.1f}" rx="1.5">'
        f"{_tip(bar.tip)}</rect>{_text(x + wide / 2, y - 3, bar.label)}"
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _tip(words: str) -> str:
    return f"<title>{escape(words)}</title>"


def _svg(inside: str, name: str) -> str:
    label = f' aria-label="{escape(name)}"' if name else ""
    return f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"{label}>{inside}</svg>'
