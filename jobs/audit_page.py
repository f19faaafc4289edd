"""The page of an audit: one HTML file that reads well with no network and no script."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from schemas.table import Table

if TYPE_CHECKING:
    from jobs.audit import Audit, Check

STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c9252d; --soft: #8881; }
body { font: 15px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.verdict { font-weight: 600; padding: .5rem .8rem; border-left: .3rem solid; background: var(--soft) }
.good { color: var(--good) } .bad { color: var(--bad) }
table { border-collapse: collapse; width: 100% } th { font-weight: 600 }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line) }
td.n { text-align: right; font-variant-numeric: tabular-nums }
code { font-size: .9em } .quiet { opacity: .7 }
.bar { background: var(--soft); height: .6rem; min-width: 8rem } .bar i { display: block; height: 100% }
.bar i { background: #4c78a8 }
"""


def audit_page(wanted: Table, day: str, record: Mapping[str, Any], found: Audit) -> str:
    """The whole page: verdict, accounting, figures, every promise, the columns and what the rows were made from."""
    title = f"{wanted.name} · {day}"
    broken = [c for c in found.checks if not c.holds]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=quiet>one row per {escape(wanted.row)} · {record['rows']:,} rows · "
        f"partition <code>{record['partition']}</code></p>",
        _verdict(found, broken),
        _broken(broken),
        _counts(record["counts"]),
        _promises(found),
        _columns(wanted),
        _origin(record),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _verdict(found: Audit, broken: list[Check]) -> str:
    earlier = found.compared_with
    compared = f"compared with ds={earlier}" if earlier else "nothing earlier to compare with"
    total = len(found.checks)
    words = f"✗ {len(broken)} of {total} promises broken: not published" if broken else f"✓ all {total} promises hold"
    return f"<p class='verdict {'bad' if broken else 'good'}'>{words}</p><p class=quiet>{compared}</p>"


def _broken(broken: list[Check]) -> str:
    if not broken:
        return ""
    items = "".join(f"<li>{escape(c.sentence())}</li>" for c in broken)
    return f"<h2 class=bad>What broke</h2><ul>{items}</ul>"


def _counts(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    widest = max(1, *counts.values())
    rows = "".join(
        f"<tr><td>{escape(name.removeprefix('num_').replace('_', ' '))}<td class=n>{value:,}"
        f"<td><div class=bar><i style='width:{100 * value / widest:.1f}%'></i></div>"
        for name, value in sorted(
            counts.items(), key=lambda item: (item[0] != "num_source", -item[1], item[0])
        )
    )
    return f"<h2>Counts</h2><table>{rows}</table>"


def _promises(found: Audit) -> str:
    rows = "".join(
        f"<tr><td class={'good' if c.holds else 'bad'}>{'✓' if c.holds else '✗'}<td>{escape(c.about)}"
        f"<td>{escape(c.promised)}<td>{escape(c.found)}"
        for c in sorted(found.checks, key=lambda c: (c.holds, c.suite))
    )
    head = "<h2>Promises</h2><table><tr><th><th>about<th>promised to<th>found</tr>"
    names = escape(", ".join(found.skipped))
    skipped = f"<p class=quiet>Not compared yet, since nothing earlier is published: {names}</p>"
    return f"{head}{rows}</table>{skipped if found.skipped else ''}"


def _columns(wanted: Table) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(c.name)}</code>{' (key)' if c.name in wanted.key else ''}<td><code>{escape(c.type)}</code>"
        f"<td>{escape(c.meaning)}{f' [{escape(c.unit)}]' if c.unit else ''}"
        for c in wanted.columns
    )
    return f"<h2>Columns</h2><table>{rows}</table>"


def _origin(record: Mapping[str, Any]) -> str:
    lines = [
        ("job", record["job"]),
        ("code", record["code"][:16]),
        ("fingerprint", record["fingerprint"][:16]),
    ]
    for kind in ("reads", "sources", "artifacts", "params"):
        lines += [(f"{kind}: {name}", str(value)[:64]) for name, value in sorted(dict(record[kind]).items())]
    rows = "".join(f"<tr><td>{escape(name)}<td><code>{escape(value)}</code>" for name, value in lines)
    return f"<h2>Made from</h2><table>{rows}</table>"
