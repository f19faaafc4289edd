"""A handbook as rows: figures and evidence beside every dimension, pages lent to thin categories, the diff to the last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.tags.mined import MAX_EVIDENCE, Evidence
from jobs.tags.naming import Named
from models.tags.handbook import Dimension, Page
from models.tags.mining import Use, changes, lift


@dataclass(frozen=True)
class Measured:
    """A page of a category's own: what each dimension explains and what stands behind it, those with most clicks first."""

    page: Page
    named_by: str
    rows: tuple[dict[str, Any], ...]


def measured(
    category: str, named: Named, hits: Mapping[int, Use], whole: Use, behind: Mapping[str, Evidence]
) -> Measured:
    """The page in order of clicks; `hits` are by the dimension's place in `named`, `behind` by spelt value."""
    order = sorted(range(len(named.dimensions)), key=lambda at: (-hits.get(at, Use()).num_clicks, at))
    rows = [_row(named.dimensions[at], hits.get(at, Use()), whole, behind) for at in order]
    page = Page(category, tuple(named.dimensions[at] for at in order))
    return Measured(page, named.named_by, tuple(rows))


def _row(dimension: Dimension, hit: Use, whole: Use, behind: Mapping[str, Evidence]) -> dict[str, Any]:
    found = [behind[value] for value in dimension.values if value in behind]
    return {
        "dimension": dimension.name,
        "definition": dimension.definition,
        "example_values": list(dimension.values),
        "num_clicks": hit.num_clicks,
        "support": hit.num_clicks / max(whole.num_clicks, 1),
        "lift": round(lift(hit, whole), 6),
        "evidence_notes": _most([e.notes for e in found], is_same_click=True),
        "evidence_queries": _most([e.queries for e in found], is_same_click=True),
    }


def _most(lists: Sequence[Sequence[tuple[str, int]]], *, is_same_click: bool) -> list[str]:
    counts: Counter[str] = Counter()
    for name, num in (item for found in lists for item in found):
        # A note that says two values of a dimension was not clicked twice for it.
        counts[name] = max(counts[name], num) if is_same_click else counts[name] + num
    return sorted(counts, key=lambda name: (-counts[name], name))[:MAX_EVIDENCE]


def rows_of(
    pages: Mapping[str, Measured], readers: Mapping[str, str], last: Mapping[str, Page]
) -> list[dict[str, Any]]:
    """The rows of `interest_handbook`: every category's page, its own or the one that it reads."""
    found = []
    for category in sorted(readers):
        lender = pages[readers[category]]
        page = Page(category, lender.page.dimensions)
        change = changes(page, last.get(category))
        found += [
            {
                **row,
                "category": category,
                "position": position,
                "inherited_from": None if readers[category] == category else readers[category],
                "named_by": lender.named_by,
                "change": change[row["dimension"]],
                "page": page.version,
            }
            for position, row in enumerate(lender.rows, start=1)
        ]
    return found


def diff(rows: Sequence[Mapping[str, Any]], last: Mapping[str, Page]) -> list[str]:
    """What a person reads about the change from the last version: a line for every dimension new, changed or gone."""
    now = {(row["category"], row["dimension"]): row for row in rows}
    before = {(c, d.name): d for c, page in last.items() for d in page.dimensions}
    lines = []
    for key in sorted({*now, *before}):
        where = f"{key[0] or 'all notes'}: {key[1]}"
        if key not in now:
            lines.append(f"- {where}")
        elif now[key]["change"] == "new":
            lines.append(f"+ {where} ({', '.join(now[key]['example_values'])})")
        elif now[key]["change"] == "changed":
            lines.append(f"~ {where} ({_values(before[key].values, now[key]['example_values'])})")
    return lines


def _values(old: Sequence[str], new: Sequence[str]) -> str:
    changed = [f"+{v}" for v in new if v not in old] + [f"-{v}" for v in old if v not in new]
    return ", ".join(changed) or "defined anew"
