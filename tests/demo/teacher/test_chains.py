"""The chains that the teacher learns from: right by hand, and accepted by the reader of replies."""

from __future__ import annotations

import json

import numpy as np

from demo.interests import INTERESTS
from demo.teacher.chains import Fact, facts_of, reply_text
from demo.teacher.handbooks import drawn_page, true_page
from demo.teacher.lessons import School, draw_lessons
from models.tags.chain import parse_reply
from models.tags.prompt import NoteText, prompt_for

LAMP = next(i for i, interest in enumerate(INTERESTS) if interest.key == "bedside_lamp")
SERUM = next(i for i, interest in enumerate(INTERESTS) if interest.key == "face_serum")
NOTE = NoteText(
    "A night lamp for small flats", "You can tell there is real walnut in it.", ("Home", "Lighting")
)
SAID = {
    "material": 0,
    "scene": 0,
    "brand": 1,
}  # walnut, small flats, and Mokuya, which the text does not name
FACTS = (
    Fact("product", "night lamp", "night lamp"),
    Fact("material", "walnut", "walnut"),
    Fact("scene", "small flats", "small flats"),
    Fact("colour", "red", "picture"),
)


def test_facts_are_what_the_truth_says_and_the_note_shows() -> None:
    assert facts_of(NOTE, LAMP, 0, SAID, {"colour": 0}) == FACTS


def test_a_chain_follows_the_page_and_leaves_out_what_it_does_not_ask_for() -> None:
    names = {"colour": "shade", "price": "price", "material": "fabric"}
    assert json.loads(reply_text(FACTS, names, "chain")) == {
        "text": ["night lamp", "walnut", "small flats"],
        "picture": "red",
        "dimensions": [
            "fabric",
            "shade",
        ],  # the page asks for no product and no scene, the note states no price
        "values": [
            {"dimension": "fabric", "value": "walnut", "evidence": "walnut"},
            {"dimension": "shade", "value": "red", "evidence": "picture"},
        ],
        "tags": ["fabric: walnut", "shade: red"],
    }


def test_a_reply_of_tags_alone_has_the_values_alone() -> None:
    assert json.loads(reply_text(FACTS[:1], None, "tags")) == {
        "values": [{"dimension": "product", "value": "night lamp", "evidence": "night lamp"}]
    }


def test_every_reply_of_the_training_is_read_with_all_its_tags_grounded(school: School) -> None:
    tasks, num_tags = set(), 0
    for round_ in range(3):
        for lesson in draw_lessons(school, round_):
            note = next(
                t for t in school.texts if json.dumps(t.shown(), ensure_ascii=False) in lesson.prompt.user
            )
            read = parse_reply(lesson.reply, note.evidence_text(), has_picture=lesson.picture >= 0)
            told = json.loads(lesson.reply)
            assert (read.problem, read.num_ungrounded, read.num_repeated) == ("", 0, 0), lesson
            assert len(read.tags) == len(told["values"])
            tasks.add("chain" if "tags" in told else "tags")
            num_tags += len(read.tags)
    assert tasks == {"chain", "tags"}
    assert num_tags > 1000


def test_pages_call_dimensions_as_the_catalogue_does_and_name_the_words_of_the_category() -> None:
    page, names = true_page(SERUM, ("style", "audience"))
    assert names == {"style": "finish", "audience": "skin"}
    assert page.dimensions[0].values == ("dewy", "matte", "barely-there", "glossy", "velvet")
    assert (
        "- finish: The style that it follows. Such as: dewy, matte"
        in prompt_for(NOTE, page, "chain", has_picture=False).user
    )


def test_drawn_pages_leave_dimensions_out_and_vary() -> None:
    pages = [drawn_page(LAMP, np.random.default_rng(seed)) for seed in range(200)]
    assert {len(names) for _, names in pages} >= {5, 7, 10}
    assert len({page.version for page, _ in pages}) > 195
    assert all([*names.values()] == [d.name for d in page.dimensions] for page, names in pages)
    assert all(len({*names.values()}) == len(names) for _, names in pages)


def test_some_pages_hold_values_of_both_languages_by_turns() -> None:
    pages = [drawn_page(LAMP, np.random.default_rng(seed))[0] for seed in range(100)]
    prices = [d.values for page in pages for d in page.dimensions if d.name == "price"]
    assert ("budget", "平价", "premium", "高端") in [values[:4] for values in prices]
    assert ("premium",) in prices or ("budget",) in prices


def test_a_note_without_a_picture_gets_no_word_of_its_looks(school: School) -> None:
    without = [lesson for lesson in draw_lessons(school, 0) if lesson.picture < 0]
    assert len(without) > 5
    assert not any('"picture"}' in lesson.reply for lesson in without)
