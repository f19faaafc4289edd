"""Gives a page's groups of phrases their dimensions and names: what a person has named first, the rest by the teacher
where there is one, else by clusters."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jobs.tags.asking import Question, Reply, Teacher, TeacherGoneError
from models.tags.dimension_names import NO_NAMES, Names, joined, settled
from models.tags.grouping import REPLY_SCHEMA, GroupingError, grouping_prompt, parse_grouping
from models.tags.handbook import Dimension, Page
from models.tags.mining import named_by_values, prefixes

log = logging.getLogger("notemill")


class Draft(NamedTuple):
    """A page before it has names: its groups of spelt values, and how often values are clicked where names come from."""

    category: str
    groups: Sequence[Sequence[str]]
    clicks: Mapping[str, int]


class Named(NamedTuple):
    """The dimensions of a page, and who named what no person has: `teacher` or `clusters`;
    `person` where nothing was left to name."""

    dimensions: tuple[Dimension, ...]
    named_by: str


def named_pages(
    drafts: Sequence[Draft], last: Mapping[str, Page], teacher: Teacher | None, names: Names = NO_NAMES
) -> dict[str, Named]:
    """By category its dimensions, wider categories first, whose names a teacher is shown for those within."""
    found: dict[str, Named] = {}
    for depth in sorted({len(prefixes(d.category)) for d in drafts}):
        level = [d for d in drafts if len(prefixes(d.category)) == depth]
        known, left = {}, []
        for draft in level:
            known[draft.category], rest = settled(draft.groups, names)
            left += [draft._replace(groups=rest)] if rest else []
        replies = _asked(teacher, [_question(d, known, found, last) for d in left]) if teacher and left else {}
        told = {
            draft.category: (_by_teacher(draft, replies[at]) if at in replies else None) or _by_clusters(draft, last)
            for at, draft in enumerate(left)
        }
        for category, dimensions in known.items():
            rest_named = told.get(category, Named((), "person"))
            found[category] = Named(joined([*dimensions, *rest_named.dimensions]), rest_named.named_by)
    return found


def _question(
    draft: Draft,
    known: Mapping[str, tuple[Dimension, ...]],
    found: Mapping[str, Named],
    last: Mapping[str, Page],
) -> Question:
    wider = (found[c] for c in prefixes(draft.category)[:-1] if c in found)
    names = [d.name for named in wider if named.named_by == "teacher" for d in named.dimensions]
    names = [d.name for d in known[draft.category]] + names
    if draft.category in last:
        names += [d.name for d in last[draft.category].dimensions]
    prompt = grouping_prompt(draft.category, draft.groups, list(dict.fromkeys(names)))
    return Question(prompt, reply_schema=REPLY_SCHEMA)


def _asked(teacher: Teacher, questions: Sequence[Question]) -> dict[int, Reply]:
    replies: dict[int, Reply] = {}
    try:
        teacher.ask(questions, replies.__setitem__)
    except TeacherGoneError as error:
        log.warning(
            "build_handbook: the teacher is gone (%s); clusters name the pages it has not answered", error
        )
    return replies


def _by_teacher(draft: Draft, reply: Reply) -> Named | None:
    try:
        if reply.outcome != "ok":
            raise GroupingError(reply.problem or reply.outcome)
        return Named(parse_grouping(reply.text, draft.groups), "teacher")
    except GroupingError as error:
        page = draft.category or "all notes"
        log.warning(
            "build_handbook: the teacher's reply on %s is rejected: %s; clusters name it", page, error
        )
        return None


def _by_clusters(draft: Draft, last: Mapping[str, Page]) -> Named:
    return Named(named_by_values(draft.groups, draft.clicks, last.get(draft.category)), "clusters")
