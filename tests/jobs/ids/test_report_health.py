"""The health of an index, of whoever's making: a file's in one line, a day's as rows, JSON and a page."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.audit import Audit
from jobs.config import Quantizer
from jobs.ids import assign_ids
from jobs.ids.report_health import main
from jobs.ids.train_quantizer import run as train
from jobs.lake import Lake, LakeError
from jobs.publish_table import publish
from models.ids.text import codes_to_text
from schemas.id_tables import ID_HEALTH
from schemas.tables import NOTE_PAIRS, SEMANTIC_IDS
from tests.jobs.ids.embedded import numbered, publish_embeddings
from tests.jobs.lakes import note, publish_notes, stage_rows

D1, D2 = "2026-03-01", "2026-03-02"
INDEX = {"1": ["<a_0>", "<b_5>"], "2": ["<a_0>", "<b_5>"], "3": ["<a_0>", "<b_6>"], "4": ["<a_1>", "<b_7>"]}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "mine.json").write_text(json.dumps(INDEX))
    return tmp_path / "mine.json"


def config_of(lake: Lake) -> str:
    file = lake.root.parent / "notemill.yaml"
    file.write_text(f"lake: {lake.root}\ntimezone: UTC\nsources: {{}}\n")
    return f"--config={file}"


def publish_ids(lake: Lake, day: str, codes: dict[str, list[int]], generation: str) -> None:
    rank: dict[str, int] = {}
    rows = []
    for note_id, own in codes.items():
        text = codes_to_text(own)
        rank[text] = rank.get(text, -1) + 1
        found = {"note_id": note_id, "codes": own, "semantic_id": text, "tie_break": rank[text]}
        rows.append({**found, "generation": generation, "since": date.fromisoformat(day)})
    stage_rows(lake, SEMANTIC_IDS, day, rows, salt=generation)
    publish(lake, SEMANTIC_IDS, day)


def publish_pairs(lake: Lake, day: str, pairs: list[tuple[str, str, float]]) -> None:
    rows = [
        {"note_id": left, "related_note_id": right, "score": score, "rank": 1, "num_users": 1}
        for left, right, score in pairs
    ]
    stage_rows(lake, NOTE_PAIRS, day, rows)
    publish(lake, NOTE_PAIRS, day)


NOTES_OF_D1 = [
    note("n1", "<b>One</b> & only", category=["shop", "tents"]),
    note("n2", "A tent", category=["shop", "tents"]),
    note("n3", "Soup", category=["shop", "food"]),
    note("n4", "A tent", category=["shop", "tents"]),
]


@pytest.fixture
def day(lake: Lake, quick_publish: None) -> Lake:
    """Four notes: n2 and n4 share text and ID, n1 shares it with them; n9 of the pairs is gone."""
    publish_notes(lake, D1, NOTES_OF_D1)
    publish_ids(lake, D1, {"n1": [0, 1], "n2": [0, 1], "n3": [2, 0], "n4": [0, 1]}, "g-one")
    publish_pairs(lake, D1, [("n1", "n2", 2.0), ("n2", "n9", 5.0), ("n3", "n4", 1.0)])
    return lake


def report(lake: Lake, day: str) -> dict[tuple[int, str], float]:
    main([config_of(lake), f"--day={day}"])
    publish(lake, ID_HEALTH, day)
    rows = pq.read_table(lake.files(ID_HEALTH, day)).to_pylist()
    return {(row["level"], row["metric"]): row["value"] for row in rows}


def page_of(lake: Lake, day: str) -> str:
    return (lake.root / "pages" / "semantic_ids_v1" / f"ds={day}.html").read_text()


def test_the_figures_of_four_notes_by_hand(day: Lake) -> None:
    found = report(day, D1)
    assert (found[0, "notes"], found[0, "ids"], found[0, "largest_group"]) == (4, 2, 3)
    assert (found[0, "shared_share"], found[0, "irreducible_share"], found[0, "avoidable_share"]) == (0.75, 0.5, 0.25)
    assert (found[0, "notes_alone"], found[0, "notes_in_threes_fours"]) == (1, 3)
    # Without the quantizer a codebook is as large as its greatest code: 3 and 2.
    assert (found[1, "codes"], found[1, "codes_used"], found[1, "dead_codes"]) == (3, 2, 1)
    # Pairs n1-n2 of weight 2 and n3-n4 of weight 1: codes join the first, and so does the category under its root.
    assert found[0, "pairs"] == 2
    assert found[1, "prefix_share"] == found[1, "category_share"] == pytest.approx(2 / 3)
    # Of weight 6 n1 and n2 have 2 each, n3 and n4 1: groups {1,2,4} and {3} give (25 + 1 - 10) / (36 - 10).
    assert found[2, "prefix_chance"] == pytest.approx(16 / 26)
    assert found[2, "prefix_lift"] == pytest.approx((2 / 3) / (16 / 26))
    # Targets: n2 twice, n4 once, both in the ID of three.
    assert found[0, "clicked_hit1_cap"] == pytest.approx(1 / 3)
    # No vectors, and no generation before: no rows, not zeros.
    assert not {name for _, name in found if name.startswith("churn") or name == "explained_share"}


def test_the_page_names_the_notes_that_share_an_id_and_runs_nothing_of_theirs(day: Lake) -> None:
    report(day, D1)
    page = page_of(day, D1)
    assert "&lt;b&gt;One&lt;/b&gt; &amp; only" in page
    assert "<b>One" not in page
    assert "2 different texts" in page
    assert "&lt;a_0&gt;&lt;b_1&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_the_json_holds_the_same_figures(day: Lake, tmp_path: Path) -> None:
    main([config_of(day), f"--day={D1}", f"--json={tmp_path / 'own.json'}"])
    found = json.loads((tmp_path / "own.json").read_text())
    assert found == json.loads((day.root / "pages" / "semantic_ids_v1" / f"ds={D1}.json").read_text())
    assert (found["generation"], found["shared_share"], found["unknown_pairs"]) == ("g-one", 0.75, 1)
    assert [level["codes_used"] for level in found["levels"]] == [2, 2]
    assert found["group_sizes"] == [{"notes": 1, "ids": 1}, {"notes": 3, "ids": 1}]


def test_a_day_whose_tables_are_as_they_were_is_reported_once(day: Lake, caplog: pytest.LogCaptureFixture) -> None:
    report(day, D1)
    first, page = day.partition(ID_HEALTH, D1), page_of(day, D1)
    (day.root / "pages" / "semantic_ids_v1" / f"ds={D1}.html").unlink()
    with caplog.at_level(logging.INFO, "notemill"):
        report(day, D1)
    assert "already published from the same inputs" in caplog.text
    assert day.partition(ID_HEALTH, D1) == first
    # The figures are printed all the same, and a page that was tidied away is written again.
    assert "4 items, 75.0 % share their ID" in caplog.text
    assert page_of(day, D1) == page


def test_a_new_generation_is_held_against_the_last_day_of_the_old_one(day: Lake) -> None:
    publish_notes(day, D2, [*NOTES_OF_D1[1:], note("n5", "A lamp")])
    # n2 keeps its ID, n3's second code and n4's first changed; n1 is gone, n5 is new.
    publish_ids(day, D2, {"n2": [0, 1], "n3": [2, 1], "n4": [1, 1], "n5": [1, 0]}, "g-two")
    found = report(day, D2)
    assert (found[0, "churn_kept"], found[0, "churn_new"], found[0, "churn_gone"]) == (3, 1, 1)
    # n2 was second of its codes and is now first: with the tie-break every ID changed.
    assert found[0, "churn_id"] == 1.0
    assert [found[depth, "churn_prefix"] for depth in (1, 2)] == pytest.approx([1 / 3, 2 / 3])
    assert "g-one" in page_of(day, D2)
    # No pairs of that day are published: no figures about them, and the page says so.
    assert (1, "prefix_share") not in found
    assert "No pairs of this day" in page_of(day, D2)


def test_a_day_of_the_same_generation_is_no_churn(day: Lake) -> None:
    publish_notes(day, D2, NOTES_OF_D1)
    publish_ids(day, D2, {"n1": [0, 1], "n2": [0, 1], "n3": [2, 0], "n4": [0, 1]}, "g-one")
    assert (0, "churn_id") not in report(day, D2)


def test_a_trained_quantizer_says_what_its_codes_keep_of_the_vectors(lake: Lake, quick_publish: None) -> None:
    publish_embeddings(lake, D1, numbered(1, 40))
    settings = Quantizer(levels=2, codes=4, epochs=4, seed=3, min_separated_share=0.0, max_shared_share=1.0)
    train(lake, D1, settings, if_missing=True, promote=True)
    assign_ids.main([config_of(lake), f"--day={D1}"])
    publish(lake, SEMANTIC_IDS, D1)
    found = report(lake, D1)
    assert found[0, "explained_share"] < 1
    # The codebooks' sizes are the quantizer's, whatever codes are in use.
    assert (found[1, "codes"], found[2, "codes"]) == (4, 4)
    # Random directions in 8 dimensions: what shares an ID is told to be far apart.
    assert "vectors well apart" in page_of(lake, D1)


def test_the_promises_of_the_table_hold_for_what_is_reported(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as quick:
        quick.setattr("jobs.publish_table.audit", lambda *_: Audit((), {}))
        publish_notes(lake, D1, NOTES_OF_D1)
        publish_ids(lake, D1, {"n1": [0, 1], "n2": [0, 1], "n3": [2, 0], "n4": [0, 1]}, "g-one")
    main([config_of(lake), f"--day={D1}"])
    assert publish(lake, ID_HEALTH, D1)["checks"]["metrics"]["notes_uncounted"] == 0


def test_ids_of_notes_that_are_not_there_are_an_error(day: Lake) -> None:
    publish_ids(day, D1, {"n1": [0, 1], "n8": [0, 1]}, "g-one")
    with pytest.raises(LakeError, match="semantic_ids ds=2026-03-01 has 1 notes that notes of the day has not"):
        main([config_of(day), f"--day={D1}"])


def test_a_day_without_ids_is_an_error_that_says_what_to_run(lake: Lake) -> None:
    with pytest.raises(LakeError, match="table semantic_ids has no published partition"):
        main([config_of(lake), f"--day={D1}"])


def test_items_that_share_their_id_are_counted(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Items 1 and 2 share an ID, 3 and 4 have their own: 2 of 4 share. Level a uses codes 0 and 1, level b 5, 6 and 7.
    with caplog.at_level(logging.INFO, "notemill"):
        main(["--index", str(index)])
    assert "mine: 4 items, 50.0 % share their ID with another, largest group 2, codes used 2/3" in caplog.text


def test_events_give_an_index_its_pairs_and_its_targets(index: Path, tmp_path: Path) -> None:
    def event(user: int, pos: int, item: int, split: str) -> dict[str, Any]:
        return {"user_id": user, "pos": pos, "item_id": item, "split": split}

    events = [event(1, 1, 3, "train"), event(1, 0, 1, "train"), event(1, 2, 4, "test"), event(2, 0, 1, "test")]
    # User 3's items: 1, then one that the index lacks.
    events += [event(3, 0, 1, "train"), event(3, 1, 99, "train")]
    pq.write_table(pa.Table.from_pylist(events), tmp_path / "events.parquet")
    main(["--index", str(index), f"--pairs={tmp_path / 'events.parquet'}", f"--json={tmp_path / 'out.json'}"])
    (found,) = json.loads((tmp_path / "out.json").read_text())
    # The one pair is 1-3: one first code, two IDs. Of the targets 4 is alone and 1 one of two.
    assert (found["pairs"], found["unknown_pairs"]) == (1, 1)
    assert [level["prefix_share"] for level in found["levels"]] == [1.0, 0.0]
    assert found["clicked_hit1_cap"] == 0.75


def test_pairs_may_be_those_of_note_pairs(index: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = {"note_id": ["1", "3"], "related_note_id": ["2", "4"], "score": [3.0, 1.0]}
    pq.write_table(pa.table(rows), tmp_path / "pairs.parquet")
    with caplog.at_level(logging.INFO, "notemill"):
        main(["--index", str(index), f"--pairs={tmp_path / 'pairs.parquet'}"])
    assert "75.0/75.0 % of co-occurring pairs share 1/2/3 codes, Hit@1 is capped at 0.625" in caplog.text


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"a": ["1"]}, "pairs need note_id, related_note_id, score, events need user_id"),
        ({"note_id": ["8"], "related_note_id": ["9"], "score": [1.0]}, "has no pair of two items of"),
        ({"note_id": ["1"], "related_note_id": ["2"], "score": [np.nan]}, "finite"),
    ],
)
def test_a_file_of_no_pairs_is_named(index: Path, tmp_path: Path, columns: dict[str, list[Any]], complaint: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
    with pytest.raises(LakeError, match=rf"pairs\.parquet.*{complaint}"):
        main(["--index", str(index), f"--pairs={tmp_path / 'pairs.parquet'}"])
    (tmp_path / "pairs.parquet").write_text("no Parquet")
    with pytest.raises(LakeError, match=r"pairs\.parquet is no Parquet file of pairs"):
        main(["--index", str(index), f"--pairs={tmp_path / 'pairs.parquet'}"])


@pytest.mark.parametrize("text", ['{"1": ["hello"]}', "{}", '{"1": ["<a_1>"], "2": ["<a_1>", "<b_1>"]}', "[]", "no JSON"])
def test_a_file_of_something_else_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(LakeError, match=r"other\.json is no index of semantic IDs"):
        main(["--index", str(tmp_path / "other.json")])


def test_codes_beyond_the_codebook_say_what_to_give(index: Path) -> None:
    with pytest.raises(LakeError, match="outside a codebook of 6; --codes gives its size"):
        main(["--index", str(index), "--codes=6"])


def test_nothing_to_report_on_says_what_to_give() -> None:
    with pytest.raises(LakeError, match="give --index FILE, or --config and --day"):
        main([])
