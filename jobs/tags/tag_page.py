"""The tag page of a day: totals on top, then notes to browse. One HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from jobs.tags.tag_page_look import SCRIPT, STYLE
from jobs.tags.tag_page_notes import NoteView, article, chip
from models.tags.handbook import category_key


class Totals(NamedTuple):
    """Figures of a whole day, however many notes the page shows."""

    num_notes: int
    num_tags: int
    num_unmapped: int
    num_said: int  # values that the teacher gave with evidence that holds
    num_ungrounded: int
    num_calls: int
    tokens_in: int
    tokens_out: int
    cost: float
    statuses: Sequence[tuple[str, int]]
    sources: Sequence[tuple[str, int]]
    words: Sequence[tuple[str, int]]  # the vocabulary's spellings by status
    frequent: Sequence[tuple[str, str, int]]  # dimension, tag, notes
    review: Sequence[tuple[str, str, str | None, float | None, int]]  # dimension, tag, nearest, similarity, notes
    unmapped: Sequence[tuple[str, int]]


def tag_page(day: str, totals: Totals, views: Sequence[NoteView]) -> str:
    """The whole page. The policy in its head lets nothing run but its own script, and nothing load."""
    title = f"Tags of notes · {day}"
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = [
        f"<header><h1>{escape(title)}</h1><div class=quiet>{len(views):,} of {totals.num_notes:,} notes are shown below, "
        "some of every category and status; the figures are about all of them</div></header><main>",
        _figures(totals),
        _panels(totals),
        _filters(views),
        *(article(view) for view in views),
        "</main>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}<script>{SCRIPT}</script></body></html>\n"
    )


def _figures(totals: Totals) -> str:
    given = totals.num_said + totals.num_ungrounded
    figures = [
        (f"{totals.num_notes:,}", "notes"),
        (f"{dict(totals.statuses).get('ok', 0) / max(totals.num_notes, 1):.1%}", "of them with tags"),
        (f"{totals.num_tags / max(totals.num_notes, 1):.1f}", "tags a note"),
        (f"{totals.num_ungrounded / max(given, 1):.1%}", f"ungrounded: {totals.num_ungrounded:,} left out"),
        (f"{totals.num_unmapped:,}", "values not in use"),
        (f"{dict(totals.words).get('review', 0):,}", "tags for review"),
        (f"{totals.num_calls:,}", "calls of the teacher"),
        (f"{(totals.tokens_in + totals.tokens_out) / 1000:,.0f} k", "tokens"),
        (f"{totals.cost:,.2f}", "cost"),
    ]
    shown = "".join(f"<div class=figure><b>{number}</b><span>{of}</span></div>" for number, of in figures)
    return f"<div class=figures>{shown}</div>"


def _panels(totals: Totals) -> str:
    none = "<span class=quiet>none</span>"
    panels = [
        [
            ("Notes by status", _bars(totals.statuses)),
            ("Notes by who tagged them", _bars(totals.sources)),
            ("Spellings in the vocabulary", _bars(totals.words)),
        ],
        [("Most frequent tags", "".join(chip(d, tag, f"{n:,}") for d, tag, n in totals.frequent))],
        [("Review queue", _review(totals))],
        [("Most frequent values that are not in use", _bars(totals.unmapped))],
    ]
    sections = ("".join(f"<h2>{head}</h2>{text or none}" for head, text in panel) for panel in panels)
    return "<div class=panels>" + "".join(f"<section class=panel>{text}</section>" for text in sections) + "</div>"


def _bars(counts: Sequence[tuple[str, int]]) -> str:
    widest = max((count for _, count in counts), default=1)
    rows = "".join(
        f"<tr><td>{escape(name)}<td class=n>{count:,}"
        f'<td><span class=bar><i style="width:{100 * count / widest:.0f}%"></i></span>'
        for name, count in counts
    )
    return f"<table>{rows}</table>" if counts else ""


def _review(totals: Totals) -> str:
    rows = "".join(
        f"<tr><td>{escape(dimension)}<td><b>{escape(tag)}</b><td>{escape(nearest or '')}"
        f"<td class=n>{'' if similarity is None else f'{similarity:.2f}'}<td class=n>{count:,}"
        for dimension, tag, nearest, similarity, count in totals.review
    )
    hint = (
        "<div class=quiet><small>Decide in <code>decisions/tag_vocabulary.csv</code> of the lake: "
        "<code>surface,dimension,decision</code> with canonical, merge:TAG or blocked.</small></div>"
    )
    head = "<tr><th>dimension<th>tag<th>or is it<th class=n>alike<th class=n>notes</tr>"
    return f"{hint}<table>{head}{rows}</table>" if rows else ""


def _filters(views: Sequence[NoteView]) -> str:
    categories = {category_key(v.note["category"][:d]) for v in views for d in range(1, len(v.note["category"]) + 1)}
    choices = [
        ("category", "every category", categories),
        ("status", "every status", {v.tags["status"] for v in views}),
        ("source", "tagged by anybody", {v.tags["source"] for v in views}),
        ("dimension", "every dimension", {d for v in views for d in v.tags["dimensions"]}),
        ("tag", "every tag", {t for v in views for t in v.tags["tags"]}),
    ]
    selects = "".join(_select(*choice) for choice in choices)
    words = '<input name="words" type="search" placeholder="words on the card" aria-label="words on the card">'
    return f'<form>{selects}{words}<button type="reset">clear</button><span id="shown" class="quiet"></span></form>'


def _select(name: str, everything: str, values: Iterable[str]) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in sorted(values))
    return f'<select name="{name}" aria-label="{name}"><option value="">{everything}</option>{options}</select>'
