"""Grow the canonical vocabulary by the tags of a day: which spelling stands for which tag.

The rules are in `models/tags/vocabulary.py`. Two files let a person decide, both optional: `tags.blocklist` of the
configuration (one tag a line, blocked in every dimension; # begins a comment line), and
`<lake>/decisions/tag_vocabulary.csv`:

    surface,dimension,decision
    settee,product,merge:sofa
    couch,product,canonical
    slimming,style,blocked

A decision holds for one spelling of one dimension, over the blocklist and over all rules, from the next run on; it is
taken back by deciding otherwise. Rows with the status `review` are the queue of what waits for one.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import Config, ConfigError, add_run_arguments
from jobs.lake import Lake
from jobs.notes.encoders import Encoder, embed_texts, find_encoder
from jobs.session import run_job
from jobs.staging import Plan, file_hash, published_reads, run_once, stage_arrow
from jobs.tags.decision_files import decisions_path, read_decisions, text_of
from models.notes.text import language
from models.tags.decisions import MERGE, Decision, settled_targets
from models.tags.likeness import UNREAD, Encoded
from models.tags.spelling import spelling_key, surface_of
from models.tags.vocabulary import Notes, Row, Rules, grown
from schemas.tag_tables import TAG_VOCABULARY, TEACHER_TAGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READS = ("teacher_tags",)
WRITES = ("tag_vocabulary",)
log = logging.getLogger("notemill")

DAYS_KNOWN = 7
Decisions = Mapping[str, Mapping[str, Decision]]
_SEEN = """
with numbered as (select (row_number() over (order by note_id) - 1)::int as number, dimensions, tags from said),
     each as (select number, unnest(dimensions) as dimension, unnest(tags) as tag from numbered)
select dimension, tag, list(distinct number) as numbers from each group by all order by all
"""


def seen_tags(lake: Lake, day: str) -> dict[str, Notes]:
    """By dimension, the spellings that the day's notes were given, with the numbers of the notes."""
    import duckdb
    import numpy as np

    with duckdb.connect() as connection:
        connection.read_parquet(lake.files(TEACHER_TAGS, day), hive_partitioning=False).create_view("said")
        rows = connection.execute(_SEEN).fetchall()
    found: dict[str, dict[str, list[NDArray[np.int32]]]] = {}
    for dimension, tag, numbers in rows:
        surfaces = found.setdefault(surface_of(dimension), {})
        surfaces.setdefault(surface_of(tag), []).append(np.array(numbers, np.int32))
    return {
        dimension: {surface: np.unique(np.concatenate(parts)) for surface, parts in surfaces.items() if surface}
        for dimension, surfaces in found.items()
        if dimension
    }


def days_known(lake: Lake, day: str) -> list[str]:
    """The days whose vocabulary a day grows, newest first.

    Days that are made side by side do not see each other: what one of them missed, the next finds in the one before.
    """
    return [d for d in reversed(lake.days(TAG_VOCABULARY)) if d < day][:DAYS_KNOWN]


def last_rows(lake: Lake, known: Sequence[str]) -> dict[str, list[Row]]:
    """By dimension, the vocabulary of the known days; of a spelling what the newest says."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, Row]] = {}
    for day in known:
        for row in pq.read_table(lake.files(TAG_VOCABULARY, day)).to_pylist():
            said = Row(*(row[name] for name in Row._fields))
            found.setdefault(row["dimension"], {}).setdefault(said.surface, said)
    return {dimension: list(rows.values()) for dimension, rows in found.items()}


def read_blocklist(path: Path | None) -> frozenset[str]:
    """The spelling keys of the blocked tags. Raises `ConfigError`."""
    if path is None:
        return frozenset()
    lines = [line.strip() for line in text_of(path, "tags.blocklist").splitlines()]
    wanted = [(number, line) for number, line in enumerate(lines, start=1) if line and not line.startswith("# ")]
    for number, line in wanted:
        if not any(c.isalnum() for c in surface_of(line)):
            raise ConfigError(f"tags.blocklist: line {number} of {path} is {line[:80]!r}: write one tag a line")
    return frozenset(spelling_key(surface_of(line)) for _, line in wanted)


def encoded_by(encoders: Mapping[str, Encoder], tags: Sequence[str]) -> Encoded:
    """Vectors of tags, each by the encoder of its language; what that cannot read is left without."""
    import numpy as np

    identities = sorted({encoder.identity for encoder in encoders.values()})
    of_tag = [encoders.get(language(tag), encoders["default"]) for tag in tags]
    reader_N = np.array(
        [identities.index(e.identity) if e.reads(language(t)) else UNREAD for e, t in zip(of_tag, tags, strict=True)]
    )
    parts = []
    for number in sorted({int(r) for r in reader_N} - {UNREAD}):
        members = np.flatnonzero(reader_N == number)
        folder = of_tag[int(members[0])].folder
        parts.append((members, embed_texts(folder, [tags[int(i)] for i in members])))
    vectors_ND = np.zeros((len(tags), max([vectors.shape[1] for _, vectors in parts], default=1)), np.float32)
    for members, vectors in parts:
        vectors_ND[members, : vectors.shape[1]] = vectors
    return Encoded(vectors_ND, reader_N)


def stage(lake: Lake, plan: Plan, config: Config, known: Sequence[str], encoders: Mapping[str, Encoder]) -> None:
    """Grow every dimension and stage them all."""
    import pyarrow as pa

    seen, last = seen_tags(lake, plan.day), last_rows(lake, known)
    blocked, decisions = read_blocklist(blocklist_path(config)), read_decisions(decisions_path(lake))
    found: list[tuple[str, Row]] = []
    for dimension in sorted({*seen, *last}):
        decided = decisions.get(dimension, {})
        rules = Rules(
            config.tags.merge_similarity, config.tags.review_similarity, config.tags.min_notes, blocked, decided
        )
        rows = grown(
            last.get(dimension, []),
            seen.get(dimension, {}),
            rules,
            lambda tags: encoded_by(encoders, tags),
            date.fromisoformat(plan.day),
        )
        _warn_of_waiting(lake, dimension, decided, {row.surface for row in rows})
        found += [(dimension, row) for row in rows]
    counts = _counts(found, {(d, row.surface) for d, rows in last.items() for row in rows})
    log.info("build_vocabulary ds=%s: %s", plan.day, ", ".join(f"{v} {k[4:]}" for k, v in counts.items()))
    table = [{"dimension": dimension, **row._asdict()} for dimension, row in found]
    stage_arrow(lake, TAG_VOCABULARY, plan, pa.Table.from_pylist(table, TAG_VOCABULARY.arrow_schema()), counts)


def _warn_of_waiting(lake: Lake, dimension: str, decided: Mapping[str, Decision], known: set[str]) -> None:
    """Say which merges wait for their tag to be seen: it may be a slip of the pen."""
    here = {surface: decision for surface, decision in decided.items() if surface in known}
    done = settled_targets(here, known)
    for surface, decision in sorted(here.items()):
        if decision.verdict == MERGE and surface not in done:
            log.warning(
                "%s: line %d merges %r of %r into %r, which no note was given yet: it waits",
                decisions_path(lake), decision.line, surface, dimension, decision.target,
            )  # fmt: skip


def _counts(found: Sequence[tuple[str, Row]], known: set[tuple[str, str]]) -> dict[str, int]:
    statuses = [row.status for _, row in found]
    return {
        "num_spellings": len(found),
        "num_new": sum((dimension, row.surface) not in known for dimension, row in found),
        **{f"num_{status}": statuses.count(status) for status in sorted(set(statuses))},
    }


def blocklist_path(config: Config) -> Path | None:
    """The configured blocklist, relative to the configuration; None where none is named."""
    return config.home / config.tags.blocklist if config.tags.blocklist else None


def plan_of(lake: Lake, day: str, config: Config, known: Sequence[str], encoders: Mapping[str, Encoder]) -> Plan:
    """All that the day's vocabulary depends on. Raises `LakeError`."""
    files = {"blocklist": blocklist_path(config), "decisions": decisions_path(lake)}
    read_blocklist(files["blocklist"])  # what is wrong with a file is said before anything is computed
    read_decisions(decisions_path(lake))
    tags = config.tags
    return Plan(
        "build_vocabulary",
        day,
        published_reads(lake, [(TEACHER_TAGS, day), *((TAG_VOCABULARY, d) for d in known)]),
        sources={name: file_hash(path) for name, path in files.items() if path is not None and path.exists()},
        artifacts={f"encoder {name}": encoder.identity for name, encoder in encoders.items()},
        params={name: getattr(tags, name) for name in ("merge_similarity", "review_similarity", "min_notes")},
    )


def arg_parser() -> argparse.ArgumentParser:
    """`--config` and `--day`."""
    return add_run_arguments(argparse.ArgumentParser("build_vocabulary", description=__doc__))


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    lake = args.config.open_lake()
    known = days_known(lake, args.day)
    encoders = {lang: find_encoder(name, args.config.home) for lang, name in args.config.encoders.items()}
    plan = plan_of(lake, args.day, args.config, known, encoders)
    run_once(lake, plan, (TAG_VOCABULARY,), lambda: stage(lake, plan, args.config, known, encoders))


if __name__ == "__main__":
    run_job(main)
