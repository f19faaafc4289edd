"""The health of an index as a whole: all figures in one place, as rows of `id_health`, as JSON, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from models.ids.churn import Churn
from models.ids.health import Health
from models.ids.prefixes import Sharing
from schemas.id_tables import FIGURES, ID_HEALTH

DECIMALS = 9  # sums may round differently in the last places; what is published must not


class Since(NamedTuple):
    """What became of the IDs since the generation before."""

    day: str
    generation: str
    churn: Churn


class Report(NamedTuple):
    """The figures of one index; `prefixes` and `categories` are of the first 1, 2, 3 codes or steps, where pairs are known.

    `unknown_pairs` are those of which a note has no ID.
    """

    name: str
    generation: str
    num_codes_L: Sequence[int]
    health: Health
    num_pairs: int = 0
    unknown_pairs: int = 0
    prefixes: tuple[Sharing, ...] = ()
    categories: tuple[Sharing, ...] = ()
    clicked_cap: float | None = None
    explained: float | None = None
    since: Since | None = None


def figures_of(report: Report) -> Iterator[tuple[int, str, float | None]]:
    """Level, name and value of every figure; None where there was nothing to compute it from."""
    found, sizes = report.health, report.health.group_sizes
    yield from (
        (0, "notes", found.num_items),
        (0, "ids", found.num_ids),
        (0, "unique_rate", found.unique_rate),
        (0, "separable_unique_rate", found.separable_unique_rate),
        (0, "shared_share", found.shared_share),
        (0, "irreducible_share", found.irreducible_share),
        (0, "avoidable_share", found.avoidable_share),
        (0, "distinct_shared_share", found.distinct_shared_share),
        (0, "largest_group", found.largest_group),
        (0, "gini_of_ids", found.gini_of_ids),
        (0, "clicked_hit1_cap", report.clicked_cap),
        (0, "explained_share", report.explained),
        (0, "pairs", report.num_pairs if report.prefixes else None),
    )
    for name, low, high in SIZE_BANDS:
        yield 0, name, sum(size * num for size, num in sizes if low <= size <= high)
    for level, (codes, of) in enumerate(zip(report.num_codes_L, found.levels, strict=True), start=1):
        values = (codes, of.codes_used, of.dead_codes, of.perplexity, of.gini, of.entropy_bits, of.conditional_bits)
        names = ("codes", "codes_used", "dead_codes", "perplexity", "gini", "entropy", "conditional_entropy")
        yield from ((level, name, value) for name, value in zip(names, values, strict=True))
        yield level, "room", of.room_bits
    for kind, sharings in (("prefix", report.prefixes), ("category", report.categories)):
        for level, sharing in enumerate(sharings, start=1):
            values3 = (("share", sharing.share), ("chance", sharing.chance), ("lift", sharing.lift))
            yield from ((level, f"{kind}_{name}", value) for name, value in values3)
    if report.since:
        churn = report.since.churn
        counts = (("kept", churn.num_kept), ("new", churn.num_new), ("gone", churn.num_gone), ("id", churn.changed_share))
        yield from ((0, f"churn_{name}", value) for name, value in counts)
        yield from ((d, "churn_prefix", value) for d, value in enumerate(churn.prefix_changed_shares, start=1))


SIZE_BANDS = (
    ("notes_alone", 1, 1),
    ("notes_in_twos", 2, 2),
    ("notes_in_threes_fours", 3, 4),
    ("notes_in_fives_to_nines", 5, 9),
    ("notes_in_tens", 10, np.inf),
)


def rows_of(report: Report) -> pa.Table:
    """The rows of `id_health`."""
    rows = [
        {
            "generation": report.generation,
            "level": level,
            "metric": name,
            "value": round(float(value), DECIMALS) + 0.0,  # no -0
            "unit": FIGURES[name].unit,
        }
        for level, name, value in figures_of(report)
        if value is not None
    ]
    return pa.Table.from_pylist(rows, schema=ID_HEALTH.arrow_schema())


def facts_of(report: Report) -> dict[str, Any]:
    """The report as plain data for JSON: the whole, then a list of levels, each with its prefix' figures."""
    whole: dict[str, Any] = {"name": report.name, "generation": report.generation, "in_words": sentence(report)}
    levels: list[dict[str, Any]] = [{"level": letter} for letter in ascii_lowercase[: len(report.num_codes_L)]]
    for level, name, value in figures_of(report):
        if value is not None:
            # A category path may be deeper than the IDs are.
            place = whole if level == 0 else levels[level - 1] if level <= len(levels) else {}
            place[name] = round(float(value), DECIMALS) + 0.0 if isinstance(value, float) else int(value)
    if report.unknown_pairs:
        whole["unknown_pairs"] = report.unknown_pairs
    if report.since:
        whole["churn_since"] = {"day": report.since.day, "generation": report.since.generation}
    whole["remarks"] = remarks(report)
    sizes = [{"notes": size, "ids": num} for size, num in report.health.group_sizes]
    return {**whole, "levels": levels, "group_sizes": sizes}


def sentence(report: Report) -> str:
    """The figures in one line."""
    found = report.health
    used = "/".join(str(level.codes_used) for level in found.levels)
    perplexity = "/".join(f"{level.perplexity:.0f}" for level in found.levels)
    parts = [
        f"{report.name}: {found.num_items:,} items, {100 * found.shared_share:.1f} % share their ID with another, "
        f"largest group {found.largest_group}, codes used {used}, perplexity {perplexity}"
    ]
    if report.prefixes:
        shares = "/".join(f"{100 * sharing.share:.1f}" for sharing in report.prefixes)
        parts.append(f"{shares} % of co-occurring pairs share 1/2/3 codes")
    if report.categories:
        parts.append("/".join(f"{100 * c.share:.1f}" for c in report.categories) + " % as many steps of the category path")
    if report.clicked_cap is not None:
        parts.append(f"Hit@1 is capped at {report.clicked_cap:.3f}")
    if report.explained is not None:
        parts.append(f"{100 * report.explained:.1f} % of variance explained")
    if report.since:
        shares = "/".join(f"{100 * share:.1f}" for share in report.since.churn.prefix_changed_shares)
        changed = 100 * report.since.churn.changed_share
        parts.append(f"{changed:.1f} % of IDs changed since {report.since.generation}, first 1/2/3 codes {shares} %")
    return ", ".join(parts)


def remarks(report: Report) -> list[str]:
    """What a person should look at, in words; nothing where all is well."""
    found, said = report.health, []
    for letter, codes, level in zip(ascii_lowercase, report.num_codes_L, found.levels, strict=False):
        enough = found.num_items >= 4 * codes
        if level.dead_codes and enough:
            said.append(f"Level {letter}: {level.dead_codes} of {codes} codes have no note.")
        if enough and level.perplexity < 0.6 * codes:
            said.append(f"Level {letter}: notes crowd in few codes; perplexity {level.perplexity:.0f} of {codes}.")
        if level.room_bits > 0.5 and level.conditional_bits < 0.25 * level.room_bits:
            said.append(
                f"Level {letter} adds {level.conditional_bits:.1f} bits where {level.room_bits:.1f} were to be had: the "
                "codes before it say most of it already."
            )
    if found.avoidable_share > 0.01:
        share = f"{found.avoidable_share:.1%}"
        said.append(f"{share} of notes share their codes with other texts: a finer quantizer separates them.")
    behind = [
        f"{control.share:.1%} against {ours.share:.1%} at depth {depth} ({_times(control)} chance against {_times(ours)})"
        for depth, (ours, control) in enumerate(zip(report.prefixes, report.categories, strict=False), start=1)
        if ours.share < control.share
    ]
    if behind:
        said.append(f"The category path joins more of what is clicked together than the codes do: {', '.join(behind)}.")
    if report.explained is not None and report.explained < 0:
        said.append("The codes explain less of the vectors than their mean does: is this the tokenizer of these vectors?")
    return said


def _times(sharing: Sharing) -> str:
    return "no" if sharing.lift is None else f"{sharing.lift:,.1f} times"
