"""Which answers a recommender is judged on, and what was before them, from literal instructions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.ids import build_trie
from jobs.ids.catalogue_trie import CatalogueTrie, trie_of
from jobs.lake import Lake, LakeError
from jobs.recommend.held_out import HeldOut, held_out, note_places, training_sequences
from models.recommend.sequences import PAD
from tests.jobs.recommend.served import config_file
from tests.jobs.recommend.taught import DAY, make_quantizer, publish_taught, rows_of

HISTORIES = {"u1": ["n00", "n01", "n02", "n03", "n04"], "u2": ["n05", "n06", "n07", "n08"]}
pytestmark = pytest.mark.usefixtures("quick_publish")


def prepared(lake: Lake, rows: list[dict[str, Any]]) -> CatalogueTrie:
    make_quantizer(lake)
    publish_taught(lake, rows)
    build_trie.main([f"--config={config_file(lake)}", f"--day={DAY}"])
    return trie_of(lake, DAY)


def asked(
    lake: Lake, catalogue: CatalogueTrie, part: str = "test", max_users: int = 9, length: int = 3
) -> HeldOut:
    return held_out(
        lake, DAY, catalogue, split="leave_one_out", part=part, max_users=max_users, length=length
    )


def named(catalogue: CatalogueTrie, items: Any) -> list[str]:
    return [note_places(catalogue)[int(item)].as_py() for item in items if item != PAD]


def test_a_user_s_last_note_is_the_answer_and_the_latest_notes_stand_before_it(lake: Lake) -> None:
    catalogue = prepared(lake, rows_of(HISTORIES))
    found = asked(lake, catalogue)
    cases = {
        user: (named(catalogue, found.cases.history_QT[at]), named(catalogue, [found.cases.target_Q[at]]))
        for at, user in enumerate(found.user_ids)
    }
    assert cases == {"u1": (["n01", "n02", "n03"], ["n04"]), "u2": (["n05", "n06", "n07"], ["n08"])}
    assert [len(ids) for ids in found.histories] == [3, 3]
    assert sorted(profile.gender for profile in found.profiles) == ["female", "unknown"]


def test_short_histories_are_padded_on_the_left(lake: Lake) -> None:
    catalogue = prepared(lake, rows_of(HISTORIES))
    found = asked(lake, catalogue, length=6)
    at = found.user_ids.index("u2")
    assert (found.cases.history_QT[at] == PAD).tolist() == [True] * 3 + [False] * 3


def test_an_answer_in_two_languages_is_one_case(lake: Lake) -> None:
    rows = rows_of(HISTORIES)
    again = [{**row, "language": "zh", "instruction_id": row["instruction_id"][::-1]} for row in rows]
    catalogue = prepared(lake, rows + again)
    assert len(asked(lake, catalogue).user_ids) == 2
    assert len(training_sequences(lake, DAY, catalogue, "leave_one_out").item_M) == 3 + 2


def test_fewer_users_are_taken_by_the_hash_of_their_id(lake: Lake) -> None:
    catalogue = prepared(lake, rows_of({f"u{number}": ["n00", "n01", "n02"] for number in range(6)}))
    whole, some = asked(lake, catalogue), asked(lake, catalogue, max_users=2)
    assert some.user_ids == whole.user_ids[:2]
    assert whole.user_ids != sorted(whole.user_ids)


def test_training_ends_before_the_validation_answer(lake: Lake) -> None:
    catalogue = prepared(lake, rows_of(HISTORIES))
    found = training_sequences(lake, DAY, catalogue, "leave_one_out")
    lists = [found.item_M[a:b] for a, b in zip(found.indptr_U1, found.indptr_U1[1:], strict=False)]
    assert sorted(named(catalogue, items) for items in lists) == [["n00", "n01", "n02"], ["n05", "n06"]]


def test_what_came_before_the_first_training_answer_belongs_to_it(lake: Lake) -> None:
    # Of a long sequence the first answers are not asked for; they are known from the history of the first that is.
    rows = [row for row in rows_of(HISTORIES) if not (row["user_id"] == "u1" and row["position"] < 2)]
    catalogue = prepared(lake, rows)
    found = training_sequences(lake, DAY, catalogue, "leave_one_out")
    assert named(catalogue, found.item_M[: found.indptr_U1[1]]) == ["n00", "n01", "n02"]


def test_a_part_without_answers_says_what_is_needed(lake: Lake) -> None:
    rows = [row for row in rows_of(HISTORIES) if row["leave_one_out"] != "valid"]
    catalogue = prepared(lake, rows)
    with pytest.raises(
        LakeError, match="hold no valid answers of split leave_one_out: a user needs three notes"
    ):
        asked(lake, catalogue, part="valid")


def test_a_history_of_notes_without_an_id_is_an_error(lake: Lake) -> None:
    rows = rows_of(HISTORIES)
    rows[-1]["history_note_ids"] = ["n05", "n99", "n07"]
    catalogue = prepared(lake, rows)
    with pytest.raises(
        LakeError, match="name notes that semantic_ids of the day have not: run build_instructions again"
    ):
        asked(lake, catalogue)


def test_users_are_numbered_alike_whatever_their_order(lake: Lake) -> None:
    catalogue = prepared(lake, rows_of(HISTORIES))
    found = asked(lake, catalogue)
    assert np.array_equal(found.user_Q, [int(user[1:]) - 1 for user in found.user_ids])
