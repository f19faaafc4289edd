"""From groups of phrases and how they are acted on to drafts of pages: which dimensions a category's page gets. Ours.

A click, like, collection, comment or share is an engaged click; an impression is background, and every note counts as
shown once more, so that the background is never empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.tags.handbook import SEPARATOR, Dimension, Page

ROOT = ""


@dataclass(frozen=True)
class Config:
    """What a page holds at most, and what a value or a dimension of it needs at least."""

    max_dimensions: int = 16
    max_values: int = 16
    min_value_clicks: int = 2
    min_value_lift: float = 0.5
    min_share: float = 0.02  # of the page's engaged clicks


@dataclass
class Use:
    """How often something was acted on and shown."""

    num_clicks: int = 0
    num_shown: int = 0

    def add(self, other: Use) -> None:
        """Count another's clicks and showings too."""
        self.num_clicks += other.num_clicks
        self.num_shown += other.num_shown


def lift(part: Use, whole: Use) -> float:
    """A part's share of engaged clicks over its share of what was shown, with one showing given to both."""
    background = (part.num_shown + 1) / (whole.num_shown + 1)
    return part.num_clicks / max(whole.num_clicks, 1) / background


def prefixes(category: str) -> list[str]:
    """The category and all it lies in, the root first."""
    steps = category.split(SEPARATOR) if category else []
    return [SEPARATOR.join(steps[:depth]) for depth in range(len(steps) + 1)]


def rolled_up(leaves: Mapping[tuple[str, str], Use]) -> dict[str, dict[str, Use]]:
    """By category, wider ones too, and phrase, from what is counted by a note's own category and phrase."""
    found: dict[str, dict[str, Use]] = {}
    for (category, phrase), use in leaves.items():
        for prefix in prefixes(category):
            found.setdefault(prefix, {}).setdefault(phrase, Use()).add(use)
    return found


def lenders(totals: Mapping[str, Use], min_support: int) -> dict[str, str]:
    """By category whose page it reads: its own, or where its clicks are too few that of the nearest wider one."""
    found: dict[str, str] = {}
    for category in sorted(totals, key=lambda c: (len(prefixes(c)), c)):
        is_thick = category == ROOT or totals[category].num_clicks >= min_support
        found[category] = category if is_thick else found[prefixes(category)[-2]]
    return found


def drafts(
    uses: Mapping[str, Use], groups: Sequence[Sequence[str]], whole: Use, config: Config
) -> list[tuple[str, ...]]:
    """The dimensions of one page, each as its values: those with most clicks first. None repeats another's value."""
    found = []
    for group in groups:
        used = {p: uses[p] for p in group if p in uses and _is_worth_it(uses[p], whole, config)}
        num_clicks = sum(use.num_clicks for use in used.values())
        if len(used) > 1 and num_clicks >= config.min_share * whole.num_clicks:
            ordered = tuple(sorted(used, key=lambda p: (-used[p].num_clicks, p)))
            found.append((num_clicks, ordered[: config.max_values]))
    found.sort(key=lambda draft: (-draft[0], draft[1]))
    return [values for _, values in found[: config.max_dimensions]]


def _is_worth_it(use: Use, whole: Use, config: Config) -> bool:
    return use.num_clicks >= config.min_value_clicks and lift(use, whole) >= config.min_value_lift


def named_by_values(
    values: Sequence[Sequence[str]], clicks: Mapping[str, int], last: Page | None
) -> tuple[Dimension, ...]:
    """Dimensions of spelt values, named as the last version names the one with most of the same values, else after the
    value that has most `clicks`.
    """
    kept: dict[int, str] = {}
    for at, spelt in enumerate(values):
        old = _last_name(spelt, last, kept.values())
        kept |= {at: old} if old else {}
    names: list[str] = []
    for at, spelt in enumerate(values):
        # A name that another dimension keeps is not free, though it is a value here.
        free = [v for v in spelt if v not in kept.values()] or list(spelt)
        names.append(kept.get(at) or min(free, key=lambda v: (-clicks.get(v, 0), v)))
    return tuple(
        Dimension(name, _definition(spelt), tuple(spelt)) for name, spelt in zip(names, values, strict=True)
    )


def _last_name(values: Sequence[str], last: Page | None, taken: Iterable[str]) -> str:
    shared = [(len({*d.values} & {*values}), d) for d in last.dimensions] if last else []
    half = [(n, d) for n, d in shared if d.name not in taken and 2 * n >= min(len(values), len(d.values))]
    return max(half, key=lambda found: found[0])[1].name if half else ""


def _definition(values: Sequence[str]) -> str:
    shown = values[:3]
    return f"What one note says where others say {', '.join(shown[:-1])} or {shown[-1]}."


def changes(page: Page, last: Page | None) -> dict[str, str]:
    """By dimension: new, changed or kept against the last version of the page."""
    old = {d.name: d for d in last.dimensions} if last else {}
    return {
        d.name: "new" if d.name not in old else "kept" if _content(old[d.name]) == _content(d) else "changed"
        for d in page.dimensions
    }


def _content(dimension: Dimension) -> tuple[str, frozenset[str]]:
    return dimension.definition, frozenset(dimension.values)
