"""The canonical vocabulary: which spelling stands for which tag, grown day by day and never shrunk.

A tag that was canonical stays canonical, a spelling keeps what it stood for, and only a person's decision changes that.
What is new is settled, those on most notes first: a spelling of a known tag is its `variant`; a near-synonym by
embedding is `merged`, unless the two exclude each other; the doubtful stand for themselves under `review`; what too few
notes have is `rare`, and is looked at again when more do. TagLLM (arXiv 2603.21481) asks for tags that are not
redundant and does not say how; the rules are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from models.tags.contrast import are_exclusive, is_narrower
from models.tags.decisions import MERGE, Decision, settled_targets
from models.tags.likeness import Encode, Like, Likeness
from models.tags.spelling import spelling_key
from models.tags.typos import Typos

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Notes = Mapping[str, "NDArray[np.int32]"]  # spelling to the numbers of the notes that have it today, each once
STANDS = ("canonical", "review")  # a tag of its own
REVIEW_CHARACTERS = 0.75  # share of characters in common from which a person looks, where no encoder reads the text
# A value that carries this much of its dimension is one of the few it has (colours, sizes), however near the others are.
PILLAR_SHARE, PILLAR_NOTES = 0.05, 10


class Row(NamedTuple):
    """One spelling of one dimension."""

    surface: str
    tag: str
    status: str
    num_notes: int
    nearest: str | None
    similarity: float | None
    since: date


@dataclass(frozen=True)
class Rules:
    """What decides: `blocked` are spelling keys, `decisions` a dimension's, by surface."""

    merge_similarity: float
    review_similarity: float
    min_notes: int
    blocked: frozenset[str] = frozenset()
    decisions: Mapping[str, Decision] = field(default_factory=dict)


class _Verdict(NamedTuple):
    tag: str
    status: str
    nearest: str | None = None
    similarity: float | None = None


class _Group(NamedTuple):
    """Spellings of one key that nothing is settled for; the first is the one most notes have."""

    surfaces: tuple[str, ...]
    num_notes: int

    @property
    def head(self) -> str:
        return self.surfaces[0]


def grown(last: Sequence[Row], seen: Notes, rules: Rules, encode: Encode, day: date) -> list[Row]:
    """The rows of one dimension after a day, sorted by surface.

    `last` are the rows before the day. The outcome depends on the arguments alone, and on no order in them.
    """
    before = {row.surface: row for row in last}
    sizes = {
        s: max(len(seen.get(s, ())), before[s].num_notes if s in before else 0) for s in {*before, *seen}
    }
    settled = _kept(before, sizes, rules)
    groups = _groups(settled, seen, sizes)
    _judge(settled, groups, before, seen, rules, encode)
    _block_what_stands_for_blocked(settled)
    return [
        Row(s, *settled[s][:2], sizes[s], *settled[s][2:], before[s].since if s in before else day)
        for s in sorted(sizes)
    ]


def _kept(before: Mapping[str, Row], sizes: Mapping[str, int], rules: Rules) -> dict[str, _Verdict]:
    """What is settled before anything new is looked at: the last vocabulary, the blocklist, a person's decisions."""
    settled = {s: _Verdict(*r[1:3], *r[4:6]) for s, r in before.items() if r.status not in ("rare", "blocked")}
    for surface in sizes:
        if spelling_key(surface) in rules.blocked:
            settled[surface] = _Verdict(surface, "blocked")
    decided = {s: d for s, d in rules.decisions.items() if s in sizes}
    targets = settled_targets(decided, known=set(sizes))
    for surface in targets.values():  # a person merges into it, so that it is a tag
        settled[surface] = _decided(surface, surface, "canonical", settled)
    for surface, decision in decided.items():
        if decision.verdict != MERGE:
            settled[surface] = _decided(surface, surface, decision.verdict, settled)
        elif surface in targets:
            settled[surface] = _decided(surface, targets[surface], "merged", settled)
    return {s: verdict._replace(tag=_end(settled, s)) for s, verdict in settled.items()}


def _decided(surface: str, tag: str, status: str, settled: Mapping[str, _Verdict]) -> _Verdict:
    known = settled.get(surface)
    return _Verdict(tag, status, known.nearest if known else None, known.similarity if known else None)


def _end(settled: Mapping[str, _Verdict], surface: str) -> str:
    """The tag at the end of the chain: a tag that others stand for may have been merged into another since."""
    while settled[surface].tag != surface:
        surface = settled[surface].tag
    return surface


def _groups(settled: dict[str, _Verdict], seen: Notes, sizes: Mapping[str, int]) -> list[_Group]:
    """What is left, by spelling, those on most notes first; a spelling of a settled tag becomes its variant here."""
    owners: dict[str, str] = {}
    for surface in sorted(settled, key=lambda s: (settled[s].status not in STANDS, -sizes[s], s)):
        owners.setdefault(spelling_key(surface), settled[surface].tag)
    open_by_key: dict[str, list[str]] = {}
    for surface in sorted(set(sizes) - set(settled)):
        key = spelling_key(surface)
        if key in owners:
            settled[surface] = _Verdict(owners[key], "variant")
        else:
            open_by_key.setdefault(key, []).append(surface)
    found = []
    for surfaces in open_by_key.values():
        surfaces.sort(key=lambda s: (-sizes[s], -s.count(" "), s))
        num_notes = max(sizes[surfaces[0]], len(_together(seen, surfaces)))
        found.append(_Group(tuple(surfaces), num_notes))
    return sorted(found, key=lambda group: (-group.num_notes, group.head))


def _together(seen: Notes, surfaces: Sequence[str]) -> NDArray[np.int32]:
    """The notes that have any of the spellings."""
    import numpy as np

    arrays = [seen[s] for s in surfaces if s in seen]
    return np.unique(np.concatenate(arrays)) if arrays else np.zeros(0, np.int32)


def _judge(
    settled: dict[str, _Verdict],
    groups: Sequence[_Group],
    before: Mapping[str, Row],
    seen: Notes,
    rules: Rules,
    encode: Encode,
) -> None:
    """Settle every group in turn, against all tags that were settled before it."""
    import numpy as np

    due = []
    for group in groups:
        if not _is_still_rare(group, before, rules):
            due.append(group)
            continue
        settled |= {s: _Verdict(s, "rare", *before[s][4:6]) for s in group.surfaces}
    if not due:
        return
    tags = sorted(s for s, v in settled.items() if v.status == "canonical")
    order = [*tags, *(group.head for group in due)]
    spellings = _spellings(settled, due)
    notes = {tag: _together(seen, spellings[tag]) for tag in order}
    num_tagged = len(_together(seen, sorted(seen)))
    typos = Typos((tag, len(notes[tag])) for tag in tags)
    likeness = Likeness(order, encode(order))
    allowed_N = np.arange(len(order)) < len(tags)
    for position, group in enumerate(due, start=len(tags)):
        twin = typos.twin(group.head, group.num_notes)
        likes = [] if twin else likeness.before(position, allowed_N, rules.review_similarity)
        named = [(order[like.position], like) for like in likes]
        verdict = _Verdict(twin, "variant") if twin else _by_likeness(group, named, notes, num_tagged, rules)
        settled |= {s: _of_member(s, group.head, verdict) for s in group.surfaces}
        if verdict.status == "canonical":
            allowed_N[position] = True
            typos.add(group.head, group.num_notes)


def _of_member(surface: str, head: str, verdict: _Verdict) -> _Verdict:
    """What the verdict on a group's head makes of one of its spellings."""
    if verdict.status == "rare":
        return verdict._replace(tag=surface)
    return _Verdict(head, "variant") if verdict.status in STANDS and surface != head else verdict


def _is_still_rare(group: _Group, before: Mapping[str, Row], rules: Rules) -> bool:
    """Whether it was looked at on an earlier day and is as rare as then."""
    known = all(s in before and before[s].status == "rare" for s in group.surfaces)
    return known and group.num_notes < rules.min_notes


def _spellings(settled: Mapping[str, _Verdict], due: Sequence[_Group]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {group.head: list(group.surfaces) for group in due}
    for surface in sorted(settled):
        found.setdefault(settled[surface].tag, []).append(surface)
    return found


def _by_likeness(
    group: _Group,
    likes: Sequence[tuple[str, Like]],
    notes: Mapping[str, NDArray[np.int32]],
    num_tagged: int,
    rules: Rules,
) -> _Verdict:
    """Merged, for review, canonical or rare, by the tags most like it."""
    nearest = _Verdict(group.head, "canonical", likes[0][0], likes[0][1].similarity) if likes else None
    stays = "canonical" if group.num_notes >= rules.min_notes else "rare"
    for tag, like in likes:
        floor = rules.review_similarity if like.is_read else REVIEW_CHARACTERS
        if like.similarity < floor or are_exclusive(group.head, tag):
            continue
        if like.is_read and like.similarity >= rules.merge_similarity and _may_merge(group, tag, notes, num_tagged):
            return _Verdict(tag, "merged", tag, like.similarity)
        if stays == "canonical" and not _are_on_one_note(group.head, tag, notes):
            return _Verdict(group.head, "review", tag, like.similarity)
    return (nearest or _Verdict(group.head, stays))._replace(status=stays)


def _may_merge(group: _Group, tag: str, notes: Mapping[str, NDArray[np.int32]], num_tagged: int) -> bool:
    """Whether nothing but the encoder has to be believed: no wider tag, no value that carries its dimension, and no
    two that one note has both of, since a model that names both means two things."""
    is_pillar = group.num_notes >= PILLAR_NOTES and group.num_notes > PILLAR_SHARE * num_tagged
    return not (is_pillar or is_narrower(group.head, tag) or _are_on_one_note(group.head, tag, notes))


def _are_on_one_note(left: str, right: str, notes: Mapping[str, NDArray[np.int32]]) -> bool:
    import numpy as np

    return len(np.intersect1d(notes[left], notes[right], assume_unique=True)) > 0


def _block_what_stands_for_blocked(settled: dict[str, _Verdict]) -> None:
    """Whoever blocks a tag means all that stands for it, unless a person said otherwise of a spelling."""
    for surface, verdict in settled.items():
        if verdict.status in ("variant", "merged") and settled[verdict.tag].status == "blocked":
            settled[surface] = verdict._replace(tag=surface, status="blocked")
