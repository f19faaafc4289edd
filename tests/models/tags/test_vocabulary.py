"""How the vocabulary of one dimension grows: each rule once, at its boundary, with similarities written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pytest

from models.tags.decisions import DecisionError, parse_decisions
from models.tags.likeness import UNREAD, Encode, Encoded, Likeness
from models.tags.vocabulary import Row, Rules, grown

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
RULES = Rules(merge_similarity=0.92, review_similarity=0.85, min_notes=2)


def notes(**counts: int) -> dict[str, np.ndarray]:
    """Surfaces (`_` for a blank) on notes of their own: the first on 0.., the second on 1000.., and so on."""
    return {
        name.replace("_", " "): np.arange(count, dtype=np.int32) + 1000 * number
        for number, (name, count) in enumerate(counts.items())
    }


def angles(degrees: Mapping[str, float], unread: Sequence[str] = ()) -> Encode:
    """An encoder that puts tags on a circle, so that cosines are known; an unnamed tag stands alone."""

    def encode(tags: Sequence[str]) -> Encoded:
        vectors = np.zeros((len(tags), 2 + len(tags)), np.float32)
        for row, tag in enumerate(tags):
            turned = np.deg2rad(degrees.get(tag, 0))
            vectors[row, :2] = (np.cos(turned), np.sin(turned)) if tag in degrees else 0
            vectors[row, 2 + row] = 0 if tag in degrees else 1
        return Encoded(vectors, np.array([UNREAD if tag in unread else 0 for tag in tags]))

    return encode


ALONE = angles({})


def by_surface(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    return {row.surface: (row.tag, row.status) for row in rows}


def test_spellings_stand_for_the_one_most_notes_have() -> None:
    found = grown([], notes(tote_bag=3, tote_bags=5, totebag=1), RULES, ALONE, DAY)
    assert by_surface(found) == {
        "tote bag": ("tote bags", "variant"),
        "tote bags": ("tote bags", "canonical"),
        "totebag": ("tote bags", "variant"),
    }
    assert [row.num_notes for row in found] == [3, 5, 1]


def test_a_tag_on_too_few_notes_is_rare_and_its_spellings_count_together() -> None:
    found = by_surface(grown([], notes(cork=1, linen=2, tea_dress=1, tea_dresses=1), RULES, ALONE, DAY))
    assert found["cork"] == ("cork", "rare")
    assert found["linen"] == ("linen", "canonical")
    assert found["tea dress"] == ("tea dress", "canonical")
    assert found["tea dresses"] == ("tea dress", "variant")


def test_two_spellings_on_one_note_are_one_note() -> None:
    both = {"tea dress": np.array([7], np.int32), "tea dresses": np.array([7], np.int32)}
    assert by_surface(grown([], both, RULES, ALONE, DAY)) == {
        "tea dress": ("tea dress", "rare"),
        "tea dresses": ("tea dresses", "rare"),
    }


def test_a_rare_tag_becomes_canonical_when_it_grows_and_stays_so_when_it_goes() -> None:
    first = grown([], notes(cork=1), RULES, ALONE, DAY)
    second = grown(first, notes(cork=2), RULES, ALONE, NEXT)
    third = grown(second, {}, RULES, ALONE, date(2026, 1, 7))
    assert [row.status for row in (*first, *second, *third)] == ["rare", "canonical", "canonical"]
    assert second == third == [Row("cork", "cork", "canonical", 2, None, None, DAY)]


def test_a_misspelling_stands_for_its_far_more_frequent_twin() -> None:
    found = by_surface(grown([], notes(polyester=8, polyster=2, corduroy=8, cordurroy=3), RULES, ALONE, DAY))
    assert found["polyster"] == ("polyester", "variant")
    assert found["cordurroy"] == ("cordurroy", "canonical")


def test_near_synonyms_merge_from_the_configured_similarity_on() -> None:
    encode = angles({"sofa": 0, "couch": 23.07, "settee": 31.7, "bench": 31.9})  # cosines 0.92003, 0.8508, 0.84897
    found = {r.surface: r for r in grown([], notes(sofa=5, couch=4, settee=3, bench=2), RULES, encode, DAY)}
    assert found["couch"][1:3] == ("sofa", "merged")
    assert found["couch"].nearest == "sofa"
    assert found["couch"].similarity == pytest.approx(0.92003, abs=1e-4)
    assert found["settee"][1:3] == ("settee", "review")
    assert found["bench"][1:3] == ("bench", "canonical")
    assert found["bench"].nearest == "sofa"


@pytest.mark.parametrize(
    ("left", "right"),
    [("size 38", "size 39"), ("red", "blue"), ("dry skin", "oily skin"), ("scented", "unscented")],
)
def test_what_excludes_each_other_never_merges_however_near(left: str, right: str) -> None:
    seen = {left: np.arange(5, dtype=np.int32), right: np.arange(10, 14, dtype=np.int32)}
    found = by_surface(grown([], seen, RULES, angles({left: 0, right: 1}), DAY))
    assert found == {left: (left, "canonical"), right: (right, "canonical")}


def test_a_wider_tag_is_put_to_a_person() -> None:
    encode = angles({"leather": 0, "nappa leather": 1})
    found = by_surface(grown([], notes(leather=5, nappa_leather=3), RULES, encode, DAY))
    assert found["nappa leather"] == ("nappa leather", "review")


def test_two_tags_of_one_note_are_two_things() -> None:
    encode = angles({"sofa": 0, "couch": 1})
    seen = {"sofa": np.arange(5, dtype=np.int32), "couch": np.array([4, 9], np.int32)}
    assert by_surface(grown([], seen, RULES, encode, DAY))["couch"] == ("couch", "canonical")


def test_a_value_that_carries_its_dimension_is_not_merged_away_unseen() -> None:
    encode = angles({"regular fit": 0, "classic cut": 1, "straight cut": 2})
    found = by_surface(grown([], notes(regular_fit=90, classic_cut=10, straight_cut=9), RULES, encode, DAY))
    assert found["classic cut"] == ("classic cut", "review")  # 10 of 109 notes: one of the few values there are
    assert found["straight cut"] == ("regular fit", "merged")


def test_text_that_no_encoder_reads_is_never_merged_only_put_to_a_person() -> None:
    unread = ("美利奴羊毛", "美利奴羊绒", "小户型", "大户型", "软木")
    encode = angles(dict.fromkeys(unread, 0.0), unread)  # what a blind encoder says: all the same
    seen = {tag: np.arange(3, dtype=np.int32) + 10 * n for n, tag in enumerate(unread)}
    found = {r.surface: r for r in grown([], seen, RULES, encode, DAY)}
    assert {r.status for r in found.values()} == {"canonical", "review"}
    assert found["美利奴羊绒"][4:6] == ("美利奴羊毛", 0.8)
    assert found["美利奴羊绒"].status == "review"
    assert [s for s in unread if found[s].status == "canonical"] == ["美利奴羊毛", "小户型", "大户型", "软木"]


def test_a_language_is_not_compared_with_one_that_another_encoder_reads() -> None:
    vectors = np.array([[1, 0], [1, 0]], np.float32)
    likeness = Likeness(["red", "rot"], Encoded(vectors, np.array([0, 1])))
    assert likeness.before(1, np.array([True, True]), 0.5) == []


def test_what_was_canonical_stays_so_beside_a_newer_and_more_frequent_twin() -> None:
    first = grown([], notes(sofa=2), RULES, ALONE, DAY)
    found = by_surface(grown(first, notes(sofas=50, couch=60), RULES, angles({"sofa": 0, "couch": 1}), NEXT))
    assert found["sofa"] == ("sofa", "canonical")
    assert found["sofas"] == ("sofa", "variant")
    assert found["couch"] == ("couch", "review")  # a pillar of its own


def test_the_last_vocabulary_is_kept_though_the_rules_have_changed() -> None:
    first = grown([], notes(sofa=5, couch=4), RULES, angles({"sofa": 0, "couch": 1}), DAY)
    strict = Rules(merge_similarity=1.0, review_similarity=1.0, min_notes=99)
    assert grown(first, notes(sofa=5, couch=4), strict, ALONE, NEXT) == first


def test_a_blocked_tag_is_blocked_in_every_spelling_until_the_list_lets_it_go() -> None:
    first = grown([], notes(slim_fit=3, slim_fits=2, cork=2), RULES, ALONE, DAY)
    listed = Rules(0.92, 0.85, 2, blocked=frozenset(["slimfit"]))
    second = by_surface(grown(first, notes(slim_fit=3, slimfit=1), listed, ALONE, NEXT))
    assert {s: status for s, (_, status) in second.items()} == {
        "cork": "canonical",
        "slim fit": "blocked",
        "slim fits": "blocked",
        "slimfit": "blocked",
    }
    third = by_surface(grown(grown(first, {}, listed, ALONE, NEXT), {}, RULES, ALONE, NEXT))
    assert third["slim fit"] == ("slim fit", "canonical")
    assert third["slim fits"] == ("slim fit", "variant")


def decided(*lines: str) -> Rules:
    text = "surface,dimension,decision\n" + "\n".join(f"{line}" for line in lines)
    return Rules(0.92, 0.85, 2, decisions=parse_decisions(text).get("style", {}))


def test_a_person_decides_over_all_rules_and_over_the_last_vocabulary() -> None:
    encode = angles({"sofa": 0, "couch": 1})
    first = grown([], notes(sofa=5, sofas=3, couch=4, settee=1), RULES, encode, DAY)
    rules = decided("couch,style,canonical", "Settees,style,blocked", "SOFA,style,merge:Divan", "settee,style,canonical")
    second = by_surface(grown(first, notes(divan=1, settees=1), rules, encode, NEXT))
    assert second == {
        "couch": ("couch", "canonical"),
        "divan": ("divan", "canonical"),
        "settee": ("settee", "canonical"),
        "settees": ("settees", "blocked"),
        "sofa": ("divan", "merged"),
        "sofas": ("divan", "variant"),
    }


def test_a_merge_into_what_nobody_wrote_yet_waits() -> None:
    rules = decided("sofa,style,merge:divan")
    assert by_surface(grown([], notes(sofa=2), rules, ALONE, DAY)) == {"sofa": ("sofa", "canonical")}


def test_blocking_a_tag_blocks_what_stands_for_it_and_what_comes_later() -> None:
    encode = angles({"sofa": 0, "couch": 1})
    first = grown([], notes(sofa=5, couch=4), RULES, encode, DAY)
    second = by_surface(grown(first, notes(sofas=1), decided("sofa,style,blocked"), encode, NEXT))
    assert {status for _, status in second.values()} == {"blocked"}


def test_the_outcome_hangs_on_no_order_of_what_comes_in() -> None:
    encode = angles({"a1": 0, "b": 5, "c": 20, "d": 25, "e": 50})
    seen = notes(a_frame=2, b=2, c=2, d=3, e=9, bs=1)
    last = grown([], notes(d=3, f=3), RULES, ALONE, DAY)
    one = grown(last, seen, RULES, encode, NEXT)
    other = grown(last[::-1], dict(reversed(seen.items())), RULES, encode, NEXT)
    assert one == other
    assert [row.surface for row in one] == sorted(row.surface for row in one)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the first line must be surface,dimension,decision"),
        ("surface,decision\nsofa,blocked\n", "line 1"),
        ("surface,dimension,decision\nsofa,style\n", "line 2 has 2 fields"),
        ("surface,dimension,decision\n\nsofa,style,remove\n", "line 3: decision is 'remove'"),
        ("surface,dimension,decision\nsofa,style,blocked:now\n", "line 2: decision is 'blocked:now'"),
        ("surface,dimension,decision\n!!,style,blocked\n", "line 2: surface is '!!'"),
        ("surface,dimension,decision\nsofa,,blocked\n", "line 2: dimension is ''"),
        (f"surface,dimension,decision\n{'x' * 65},style,blocked\n", "line 2: surface is 'xxx"),
        ("surface,dimension,decision\nsofa,style,merge:\n", "line 2: the tag behind merge: is ''"),
        ("surface,dimension,decision\nsofa,style,merge:SOFA\n", "cannot be merged into itself"),
        ("surface,dimension,decision\nsofa,style,blocked\nSofa,style,canonical\n", "decided otherwise in line 2"),
        ("surface,dimension,decision\na,s,merge:b\nb,s,merge:a\n", "line 2: 'a' of 's' is merged in a circle"),
        ('surface,dimension,decision\n"sofa,style,blocked\n', "it is no CSV"),
    ],
)
def test_a_line_that_is_no_decision_is_named(text: str, problem: str) -> None:
    with pytest.raises(DecisionError, match=problem.replace("(", r"\(")):
        parse_decisions(text)
