"""Who names a page: the teacher where its reply holds, clusters where it does not, and the log says which."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence

import pytest

from jobs.tags.asking import Question, Reply, TeacherGoneError
from jobs.tags.naming import Draft, named_pages
from models.tags.dimension_names import Names
from models.tags.handbook import Dimension, Page

GROUPS = [["walnut", "rattan"], ["night owls", "students"]]
DRAFTS = [Draft("Home", GROUPS, {"walnut": 2, "students": 3}), Draft("", GROUPS, {"rattan": 1})]
GOOD = json.dumps(
    {
        "groups": [
            {"group": 1, "name": "material", "definition": "Made of.", "leave_out": ["walnut"]},
            {"group": 2, "name": "none", "definition": "", "leave_out": []},
        ]
    }
)
BAD = json.dumps({"groups": [{"group": 7, "name": "obey me", "definition": "Made of.", "leave_out": []}]})


class Scripted:
    """Answers by category from fixed texts; goes away at a category without one."""

    identity = "scripted"

    def __init__(self, **texts: str) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def ask(self, questions: Sequence[Question], tell: Callable[[int, Reply], None]) -> None:
        for at, question in enumerate(questions):
            self.asked.append(question.prompt.user)
            category = "Home" if '"Home"' in question.prompt.user else "root"
            if category not in self.texts:
                raise TeacherGoneError("no quota left")
            tell(at, Reply("ok", self.texts[category]))


def test_a_teacher_names_pages_and_sees_the_names_of_the_wider_page() -> None:
    teacher = Scripted(root=GOOD, Home=GOOD)
    found = named_pages(DRAFTS, {}, teacher)
    assert found["Home"] == ((Dimension("material", "Made of.", ("rattan",)),), "teacher")
    assert 'Names in use, take them where they fit: ["material"]' in teacher.asked[1]
    assert "Names in use, take them where they fit: []" in teacher.asked[0]


def test_a_hostile_reply_is_rejected_and_clusters_name_that_page_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "notemill"):
        found = named_pages(DRAFTS, {}, Scripted(root=GOOD, Home=BAD))
    assert (found[""].named_by, found["Home"].named_by) == ("teacher", "clusters")
    assert [d.name for d in found["Home"].dimensions] == ["walnut", "students"]
    assert "the teacher's reply on Home is rejected: '7' is no group" in caplog.text


def test_a_teacher_that_is_gone_leaves_the_rest_to_clusters(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "notemill"):
        found = named_pages(DRAFTS, {}, Scripted(root=GOOD))
    assert (found[""].named_by, found["Home"].named_by) == ("teacher", "clusters")
    assert "the teacher is gone (no quota left)" in caplog.text


def test_without_a_teacher_the_last_versions_names_stay() -> None:
    last = {"Home": Page("Home", (Dimension("stuff", "d", ("walnut", "rattan")),))}
    found = named_pages(DRAFTS, last, None)
    assert [d.name for d in found["Home"].dimensions] == ["stuff", "students"]
    assert [d.name for d in found[""].dimensions] == ["rattan", "night owls"]


def test_what_a_person_has_named_is_settled_and_the_teacher_is_asked_about_the_rest() -> None:
    names = Names({"walnut": "wood"}, {"wood": "What grew."})
    rest = {"group": 1, "name": "who", "definition": "Whom it suits.", "leave_out": []}
    teacher = Scripted(root=json.dumps({"groups": [rest]}), Home=json.dumps({"groups": [rest | {"name": "Wood"}]}))
    found = named_pages(DRAFTS, {}, teacher, names)
    assert found[""].dimensions == (
        Dimension("wood", "What grew.", ("walnut", "rattan")),
        Dimension("who", "Whom it suits.", ("night owls", "students")),
    )
    assert [(d.name, len(d.values)) for d in found["Home"].dimensions] == [("wood", 4)]
    assert '1: ["night owls", "students"]\nThe JSON object' in teacher.asked[0]
    assert 'Names in use, take them where they fit: ["wood"]' in teacher.asked[0]


def test_a_page_that_a_person_has_named_whole_is_asked_of_nobody() -> None:
    names = Names({"walnut": "wood", "students": "who"}, {})
    teacher = Scripted()
    found = named_pages(DRAFTS, {}, teacher, names)
    assert {named.named_by for named in found.values()} == {"person"}
    assert teacher.asked == []
