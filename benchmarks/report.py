"""What every benchmark ends with: a table for people, and `benchmarks/results/<name>.json` for machines."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as aligned text; their keys, in the order of the first row, are the headings."""
    heads = list(rows[0])
    cells = [heads, *([_cell(row[head]) for head in heads] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(heads))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value)


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Cores, memory and versions: what a figure means nothing without."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def write(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    bars: Mapping[str, bool],
    command: str,
    packages: Sequence[str],
    day: str | None = None,
    **more: Any,
) -> None:
    """Show the figures and keep them. `bars` maps each promise, in words, to whether it held."""
    result = {
        "name": name,
        "date": day or date.today().isoformat(),
        "command": command,
        "machine": machine(packages),
        "figures": list(rows),
        **more,
        "bar": {bar: bool(held) for bar, held in bars.items()},
        "holds": bool(all(bars.values())),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    verdicts = "\n".join(f"{'holds ' if held else 'MISSED'}  {bar}" for bar, held in bars.items())
    sys.stdout.write(f"{table(rows)}\n\n{verdicts}\n\nbenchmarks/results/{name}.json written\n")
