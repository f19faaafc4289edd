"""What a worker makes of users, without Spark: which notes are reachable, in which order, and when lists are filled up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError
from jobs.recommend import list_workers
from jobs.recommend.fallbacks import Popular
from jobs.recommend.list_workers import Serving, listing, opened, recut
from jobs.recommend.speaker import Speaker, speaker_of
from models.ids.text import codes_to_text
from tests.jobs.recommend.served import D1, D2, IDS_2, generation_of

NOTES = {name: codes_to_text(codes) for name, (codes, _) in IDS_2.items()}
POPULAR = tuple(Popular(name, text, 5) for name, text in sorted(NOTES.items()))
NEAR = pa.struct([("note_id", pa.string()), ("semantic_id", pa.string()), ("score", pa.float64())])
SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("note_ids", pa.list_(pa.string())),
        ("semantic_ids", pa.list_(pa.string())),
        ("neighbours", pa.list_(NEAR)),
        *((name, pa.string()) for name in ("gender", "age_band", "marital_status", "children")),
    ]
)


def asked(user_id: str, *history: str, neighbours: list[tuple[str, float]] | None = None) -> dict[str, Any]:
    """A user nobody knows, as a worker is given one."""
    near = [{"note_id": n, "semantic_id": NOTES[n], "score": s} for n, s in neighbours or ()]
    ids = [NOTES[note_id] for note_id in history]
    unknown = dict.fromkeys(("gender", "age_band", "marital_status", "children"), "unknown")
    return {
        "user_id": user_id,
        "note_ids": list(history),
        "semantic_ids": ids,
        "neighbours": near or None,
        **unknown,
    }


@pytest.fixture(scope="module")
def served(world_template: Path) -> Serving:
    """The second day by the recommender; lists longer than the catalogue."""
    lake = Lake(world_template / "lake")
    generation = generation_of(lake)
    partition = Artifacts(lake, "catalogue_trie").manifest(_trie_of(lake))["partition"]
    speaker = Speaker(generation, "g1", partition)
    return Serving(str(lake.root), D2, speaker, 25, 0.5, 20, True, POPULAR)


def _trie_of(lake: Lake) -> str:
    tries = Artifacts(lake, "catalogue_trie")
    return next(name for name in tries.generations() if tries.manifest(name)["day"] == D2)


def lists(
    serving: Serving, users: list[dict[str, Any]], sizes: list[int] | None = None
) -> list[dict[str, Any]]:
    """The rows for users who come in batches of these sizes."""

    def batches() -> Iterator[pa.RecordBatch]:
        at = 0
        for size in sizes or [len(users)]:
            yield pa.RecordBatch.from_pylist(users[at : at + size], schema=SCHEMA)
            at += size

    return pa.Table.from_batches(listing(serving)(batches())).to_pylist()


def notes(rows: list[dict[str, Any]], source: str = "") -> list[str]:
    return [row["note_id"] for row in rows if source in ("", row["source"])]


def test_a_catalogue_smaller_than_the_list_is_listed_whole_new_notes_too(served: Serving) -> None:
    found = lists(served, [asked("u1", "n01", "n02")])
    assert notes(found)[0] == "n03"
    assert sorted(notes(found, "generative")) == sorted(set(NOTES) - {"n01", "n02"})
    assert [row["rank"] for row in found] == list(range(1, 12))


def test_notes_that_share_an_id_stand_by_rank_with_one_score(served: Serving) -> None:
    found = lists(served, [asked("u1", "n03", "n04")])
    assert notes(found)[:2] == ["n05", "n13"]
    assert found[0]["score"] == found[1]["score"]
    assert found[0]["semantic_id"] == found[1]["semantic_id"] == NOTES["n05"]


def test_of_notes_that_share_an_id_only_the_one_seen_is_masked(served: Serving) -> None:
    found = notes(lists(served, [asked("u1", "n03", "n04", "n13")]))
    assert "n05" in found
    assert "n13" not in found


def test_seen_notes_come_back_where_that_is_asked_for(served: Serving) -> None:
    found = lists(served._replace(exclude_seen=False), [asked("u1", "n01", "n02")])
    assert sorted(notes(found)) == sorted(NOTES)


def test_of_a_wide_enough_search_as_many_are_left_as_asked(served: Serving) -> None:
    # Nine beams for a list of four: five notes of the history may be lost.
    narrow = served._replace(num_beams=9, top=4)
    found = lists(narrow, [asked("u1", "n01", "n02", "n03", "n04", "n05"), asked("u2", "n06")])
    assert [row["source"] for row in found] == ["generative"] * 8


def test_the_model_alone_says_the_same_first_note(served: Serving) -> None:
    found = lists(served._replace(guidance=1.0), [asked("u1", "n01", "n02")])
    assert notes(found)[0] == "n03"
    assert found[0]["score"] != lists(served, [asked("u1", "n01", "n02")])[0]["score"]


def test_users_without_history_get_popular_notes_beside_those_with_one(served: Serving) -> None:
    found = lists(served._replace(top=3), [asked("u1"), asked("u2", "n01")])
    first = [(row["note_id"], row["source"], row["num_history"]) for row in found[:3]]
    assert first == [("n01", "popular", 0), ("n02", "popular", 0), ("n03", "popular", 0)]
    assert {row["source"] for row in found[3:]} == {"generative"}


def test_how_users_come_in_batches_changes_nothing(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_workers, "USERS_A_BATCH", 3)
    names = sorted(set(NOTES) - {"n12", "n13"})
    users = [asked(f"u{at}", *names[at : at + 2 + at % 3]) for at in range(7)]
    whole = lists(served, users)
    assert whole == lists(served, users, [1, 0, 4, 2])
    assert len({row["user_id"] for row in whole}) == 7


def test_batches_are_cut_anew() -> None:
    def batches(*sizes: int) -> Iterator[pa.RecordBatch]:
        return (pa.RecordBatch.from_pydict({"x": pa.array(range(size), pa.int64())}) for size in sizes)

    assert [len(batch) for batch in recut(batches(1, 0, 5, 3), 4)] == [4, 4, 1]
    assert [len(batch) for batch in recut(batches(9), 4)] == [4, 4, 1]
    assert list(recut(batches(), 4)) == []


def test_without_a_recommender_neighbours_come_first_and_popular_notes_fill_up(served: Serving) -> None:
    near = [("n09", 0.7), ("n03", 0.2)]
    silent = served._replace(speaker=Speaker(), top=4)
    found = lists(silent, [asked("u1", "n01", neighbours=near)])
    assert [(row["note_id"], row["score"], row["source"]) for row in found] == [
        ("n09", 0.7, "neighbours"),
        ("n03", 0.2, "neighbours"),
        ("n02", 5.0, "popular"),
        ("n04", 5.0, "popular"),
    ]


def test_ids_that_were_replaced_while_lists_are_made_stop_the_worker(served: Serving) -> None:
    with pytest.raises(LakeError, match="published anew while lists were made"):
        opened(served.root, D2, served.speaker._replace(trie="another"))


def test_who_speaks_is_decided_by_promotions_of_the_day_or_earlier(world: Lake) -> None:
    assert speaker_of(world, D1) == Speaker()
    Artifacts(world, "recommender").promote(generation_of(world), D2)
    assert speaker_of(world, D1) == Speaker()
    found = speaker_of(world, D2)
    assert (found.recommender, found.quantizer) == (generation_of(world), "g1")
