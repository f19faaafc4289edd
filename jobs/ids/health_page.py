"""The page of a day's semantic IDs: the figures, and the notes behind them. One HTML file, no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.ids.health_groups import CodeGroup, Collision
from jobs.ids.health_page_look import STYLE
from jobs.ids.health_page_notes import shown_collisions, shown_groups
from jobs.ids.health_plots import Bar, grouped_bars, meter, usage_curve
from jobs.ids.health_report import SIZE_BANDS, Report, remarks
from models.ids.prefixes import Sharing

BAND_WORDS = ("alone", "2", "3–4", "5–9", "10 or more")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class PageParts(NamedTuple):
    """What the page shows beside the figures: notes of every code (counts_K a level), groups, shared IDs."""

    counts_LK: Sequence[NDArray[np.int64]]
    groups: Sequence[CodeGroup]
    collisions: Sequence[Collision]


def health_page(day: str, report: Report, parts: PageParts) -> str:
    """The whole page; all that comes from notes passes `escape`."""
    title = f"Semantic IDs · {day}"
    body = [
        f"<header><h1>{escape(title)}</h1><div class=quiet>generation <code>{escape(report.generation)}</code> · "
        f"{report.health.num_items:,} notes · {_shape(report)}</div></header><main>",
        _remarks(report),
        _figures(report),
        _levels(report, parts.counts_LK),
        _sizes(report),
        shown_collisions(parts.collisions),
        _alignment(report),
        _churn(report),
        shown_groups(parts.groups, report.health.levels[0].codes_used),
        "</main>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _shape(report: Report) -> str:
    sizes = list(dict.fromkeys(report.num_codes_L))
    return f"{len(report.num_codes_L)} levels of {' and '.join(f'{size:,}' for size in sizes)} codes"


def _remarks(report: Report) -> str:
    said = remarks(report)
    if not said:
        return "<div class='remarks good'>✓ Nothing stands out.</div>"
    return f"<div class=remarks><b>To look at</b><ul>{''.join(f'<li>{escape(words)}' for words in said)}</ul></div>"


def _figures(report: Report) -> str:
    found = report.health
    figures = [
        (f"{1 - found.shared_share:.1%}", "notes with codes of their own"),
        (f"{found.avoidable_share:.2%}", "share with other texts: avoidable"),
        (f"{found.irreducible_share:.2%}", "share with the same text: irreducible"),
        (f"{found.largest_group:,}", "notes in the fullest ID"),
        (f"{found.unique_rate:.3f}", "cap on Hit@1, all notes alike"),
    ]
    if report.clicked_cap is not None:
        figures.append((f"{report.clicked_cap:.3f}", "cap on Hit@1, notes as clicked"))
    if report.explained is not None:
        figures.append((f"{report.explained:.1%}", "of the vectors' variance explained"))
    if report.since:
        figures.append((f"{report.since.churn.changed_share:.1%}", "IDs changed by the new generation"))
    shown = "".join(f"<div class=figure><b>{number}</b><span>{of}</span></div>" for number, of in figures)
    return f"<div class=figures>{shown}</div>"


def _levels(report: Report, counts_LK: Sequence[NDArray[np.int64]]) -> str:
    rows, curves = [], [_perplexity(report)]
    for letter, codes, level, counts_K in zip(
        ascii_lowercase, report.num_codes_L, report.health.levels, counts_LK, strict=False
    ):
        bits, said, room = level.conditional_bits, level.entropy_bits - level.conditional_bits, level.room_bits
        whole = max(float(np.log2(codes)), level.entropy_bits)
        line = meter(
            [
                (bits, "ours", f"{bits:.2f} bits that the codes before do not say"),
                (max(0.0, room - bits), "control", f"{max(0.0, room - bits):.2f} bits that it could say more"),
            ],
            whole,
        )
        rows.append(
            f"<tr><td><b>{letter}</b><td class=n>{level.codes_used:,} of {codes:,}<td class=n>{level.dead_codes:,}"
            f"<td class=n>{level.perplexity:,.1f}<td class=n>{level.gini:.2f}<td class=n>{level.entropy_bits:.2f}"
            f"<td class=n>{bits:.2f}<td class=n>{said:.2f}<td class=n>{room:.2f}<td class=wide>{line}"
        )
        curve = usage_curve(counts_K, f"notes of each code of level {letter}")
        curves.append(f"<section class=panel><h2>Level {letter}: notes of each code</h2>{curve}</section>")
    head = (
        "<tr><th>level<th class=n>codes used<th class=n>dead<th class=n>perplexity<th class=n>Gini<th class=n>entropy, bits"
        "<th class=n>adds, bits<th class=n>said before<th class=n>room, bits<th>adds, and could add, of its codebook</tr>"
    )
    return (
        "<h2>How well the codes are used</h2><p class=quiet>A level <i>adds</i> what the codes before it do not say. "
        "Its <i>room</i> ends where its codebook ends, or where all notes are told apart: late levels have little left to "
        "say.</p><section class='panel scroll'><table class=levels>"
        f"{head}{''.join(rows)}</table><p>{_key('ours', 'adds')}{_key('control', 'could add')}</p></section>"
        "<p class=quiet style='margin-top:1rem'>Notes of each code, the fullest code first; the dashed line is even use.</p>"
        f"<div class='panels curves'>{''.join(curves)}</div>"
    )


def _perplexity(report: Report) -> str:
    groups = [
        (
            letter,
            [
                Bar(level.codes_used, f"{level.codes_used:,}", "faint", f"{level.codes_used:,} of {codes:,} codes in use"),
                Bar(level.perplexity, f"{level.perplexity:,.0f}", "ours", f"perplexity {level.perplexity:,.1f}"),
            ],
        )
        for letter, codes, level in zip(ascii_lowercase, report.num_codes_L, report.health.levels, strict=False)
    ]
    keys = _key("faint", "codes in use") + _key("ours", "perplexity")
    plot = grouped_bars(groups, max(report.num_codes_L), "codes in use and perplexity of each level")
    return f"<section class=panel><h2>Perplexity of each level</h2>{plot}<p>{keys}</p></section>"


def _sizes(report: Report) -> str:
    sizes, num = report.health.group_sizes, report.health.num_items
    bars = []
    for words, (_, low, high) in zip(BAND_WORDS, SIZE_BANDS, strict=True):
        notes = sum(size * count for size, count in sizes if low <= size <= high)
        ids = sum(count for size, count in sizes if low <= size <= high)
        kind = "ours" if low > 1 else "faint"
        tip = f"{notes:,} notes in {ids:,} IDs"
        bars.append((words, [Bar(notes / num, f"{notes / num:.1%}", kind, tip)]))
    cells = (f"<td class=n>{size:,}<td class=n>{count:,}<td class=n>{size * count:,}" for size, count in sizes[:7])
    rows = "".join(f"<tr>{each}" for each in cells)
    more = f"<p class=more>and {len(sizes) - 7} greater sizes</p>" if len(sizes) > 7 else ""
    return (
        "<h2>How many notes share their codes</h2><p class=quiet>Share of notes by the number of notes that have the same "
        "codes. The tie-break in <code>semantic_ids</code> tells them apart; a model that sees the codes alone cannot.</p>"
        f"<div class='panels wide'><section class=panel>{grouped_bars(bars, 1.0, 'notes by notes of their ID')}</section>"
        "<section class=panel><table class=counts><tr><th class=n>notes of an ID<th class=n>IDs<th class=n>notes</tr>"
        f"{rows}</table>{more}</section></div>"
    )


def _alignment(report: Report) -> str:
    if not report.prefixes:
        return "<h2>Do notes clicked together begin alike?</h2><p class=quiet>No pairs of this day to measure it on.</p>"
    groups, rows = [], []
    for depth in range(max(len(report.prefixes), len(report.categories))):
        ours = report.prefixes[depth] if depth < len(report.prefixes) else None
        control = report.categories[depth] if depth < len(report.categories) else None
        bars = []
        for kind, of, sharing in (("ours", "codes", ours), ("control", "category", control)):
            if sharing:
                bars.append(Bar(sharing.share, f"{sharing.share:.1%}", kind, f"{of}: {sharing.share:.2%} of pairs"))
                chance = f"{of}: {sharing.chance:.3%} by chance"
                bars.append(Bar(sharing.chance, f"{sharing.chance:.1%}", "faint", chance))
        groups.append((f"first {depth + 1}" if depth else "first", bars))
        rows.append(f"<tr><td>{depth + 1}{_sharing_cells(ours)}{_sharing_cells(control)}")
    keys = _key("ours", "codes") + _key("control", "category path, the control") + _key("faint", "each by chance")
    unknown = f", {report.unknown_pairs:,} more are of a note without ID" if report.unknown_pairs else ""
    head = (
        "<tr><th>depth<th class=n>codes<th class=n>by chance<th class=n>lift<th class=n>category<th class=n>by chance"
        "<th class=n>lift</tr>"
    )
    return (
        "<h2>Do notes clicked together begin alike?</h2>"
        "<p class=quiet>Share of the week's pairs, by score, whose two notes "
        f"have the same first codes, or the same first steps of the category path. Lift is that share over chance: coarse "
        f"groups join much by chance alone. {report.num_pairs:,} pairs{unknown}.</p>"
        f"<div class='panels wide'><section class=panel>{grouped_bars(groups, None, 'pairs that begin alike')}<p>{keys}</p>"
        f"</section><section class=panel><table class=counts>{head}{''.join(rows)}</table></section></div>"
    )


def _sharing_cells(sharing: Sharing | None) -> str:
    if sharing is None:
        return "<td class=n>–<td class=n>–<td class=n>–"
    lift = "–" if sharing.lift is None else f"{sharing.lift:,.1f} ×"
    return f"<td class=n>{sharing.share:.2%}<td class=n>{sharing.chance:.3%}<td class=n><b>{lift}</b>"


def _churn(report: Report) -> str:
    if report.since is None:
        return ""
    churn = report.since.churn
    names = ("first code", "first two", "first three")
    bars = [
        (name, [Bar(share, f"{share:.1%}", "ours", f"{share:.2%} of {churn.num_kept:,} notes")])
        for name, share in zip(names, churn.prefix_changed_shares, strict=False)
    ]
    bars.append(("whole ID", [Bar(churn.changed_share, f"{churn.changed_share:.1%}", "ours", "tie-break included")]))
    return (
        "<h2>What changed with the generation</h2><p class=quiet>Against "
        f"<code>{escape(report.since.generation)}</code>, published for {escape(report.since.day)}: {churn.num_kept:,} "
        f"notes are in both, {churn.num_new:,} are new, {churn.num_gone:,} are gone. Share of the notes in both whose codes "
        f"changed.</p><div class='panels wide'><section class=panel>{grouped_bars(bars, 1.0, 'changed IDs')}</section></div>"
    )


def _key(kind: str, words: str) -> str:
    return f'<span class=key><i class="{kind}"></i>{escape(words)}</span>'
