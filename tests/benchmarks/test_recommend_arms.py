"""The recommenders' benchmark from end to end on twenty users: what is chosen, what is kept, and what its table says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import recommend_arms, recommend_generator
from benchmarks.recommend_arms import make
from benchmarks.recommend_generator import Net, in_process, titled
from benchmarks.recommend_ids import Ids, ids_of
from benchmarks.recommend_kept import Arm, kept
from benchmarks.recommend_plan import COUNTS, DEPLOYED, FREE, REFIT, Bench, Plan, with_answers
from benchmarks.recommend_table import BASES, bars, differences, intervals, tell
from jobs.recommend import training_process
from models.recommend.ranking import KS, Hits
from models.recommend.sequences import Cases, sequences_of

ITEMS, USERS = 8, 20
PLAN = Plan(
    {"lazy": Net("random", epochs=2)}, {"HR@10 above 1": ("lazy", "hr10", 1.0)}, valid_users=USERS // 2
)


def write_set(folder: Path, last: int) -> Path:
    """Users go round in a ring of items; the test answer is so many items further on than the next."""
    folder.mkdir()
    items = [{"item_id": n, "title": f"The {n}", "categories": f"All,{n % 2}"} for n in range(ITEMS)]
    (folder / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    rows = []
    for user in range(USERS):
        ring = [(user + at) % ITEMS for at in range(5)]
        ring[-1] = (ring[-1] + last) % ITEMS
        splits = ("train", "train", "train", "valid", "test")
        rows += [(user, at, item, split) for at, (item, split) in enumerate(zip(ring, splits, strict=True))]
    frame = pd.DataFrame(rows, columns=["user_id", "pos", "item_id", "split"])
    frame.to_parquet(folder / "interactions.parquet")
    return folder


@pytest.fixture(scope="module")
def patched() -> Any:
    """Vectors of a generator's dice, and training in this process."""

    def here(room: Path, seconds: float) -> dict[str, Any]:
        training_process.learn(room)
        return {"seconds": 1.0, "cpu_s": 1.0, "peak_mib": 1}

    vectors = np.random.default_rng(1).normal(size=(ITEMS, 4)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.tokenizer_data._vectors", lambda texts, cache, encoder: vectors)
        patch.setattr(recommend_generator, "in_process", here)
        yield patch


def bench_of(folder: Path, last: int) -> Bench:
    return Bench(write_set(folder / "ring", last), folder / "cache", PLAN, seed=3, minutes=None)


NAMES = ("markov_knn", "counts_content", "lazy", "lazy" + COUNTS, "lazy" + DEPLOYED, "lazy" + FREE)


@pytest.fixture(scope="module")
def bench(patched: Any, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return bench_of(tmp_path_factory.mktemp("one"), last=0)


@pytest.fixture(scope="module")
def arms(bench: Bench) -> dict[str, Arm]:
    return {name: make(bench, name) for name in NAMES}


@pytest.fixture(scope="module")
def others(patched: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arm]:
    """The same set with other test answers."""
    other = bench_of(tmp_path_factory.mktemp("two"), last=2)
    return {name: make(other, name) for name in ("markov_knn", "lazy", "lazy" + DEPLOYED)}


def test_counting_finds_the_ring_and_everyone_is_judged_on_all_test_answers(arms: dict[str, Arm]) -> None:
    assert arms["markov_knn"].test.hr_QK[:, 0].mean() == 1
    assert {name: (len(arm.valid.hr_QK), len(arm.test.hr_QK)) for name, arm in arms.items()} == dict.fromkeys(
        NAMES, (USERS // 2, USERS)
    )


def test_what_is_chosen_knows_nothing_of_the_test_answers(
    arms: dict[str, Arm], others: dict[str, Arm]
) -> None:
    assert others["markov_knn"].test.hr_QK[:, 0].mean() == 0
    for name in others:
        assert np.array_equal(arms[name].valid.ndcg_QK, others[name].valid.ndcg_QK)
    mine, theirs = arms["lazy"].facts, others["lazy"].facts
    assert (mine["epoch"], mine["curve"]) == (theirs["epoch"], theirs["curve"])
    chosen = arms["lazy" + DEPLOYED].facts
    assert chosen["guidance"] == others["lazy" + DEPLOYED].facts["guidance"]
    tried = chosen["valid_by_guidance"]
    assert tried[str(chosen["guidance"])] == max(tried.values())
    assert len(tried) == len(recommend_arms.GUIDANCE)


def test_a_second_run_trains_and_judges_nothing_again(
    bench: Bench, arms: dict[str, Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("made again")

    monkeypatch.setattr(recommend_arms, "alone", never)
    monkeypatch.setattr(recommend_arms, "mixed", never)
    again = make(bench, "lazy")
    assert np.array_equal(again.test.ndcg_QK, arms["lazy"].test.ndcg_QK)
    assert again.facts == arms["lazy"].facts
    longer = Bench(bench.source, bench.cache, PLAN, bench.seed, minutes=99.0)
    with pytest.raises(AssertionError, match="made again"):
        make(longer, "lazy")


def test_decoding_without_a_trie_tells_how_much_of_it_is_no_item(arms: dict[str, Arm]) -> None:
    facts = arms["lazy" + FREE].facts
    assert 0 <= facts["exact_match"] <= facts["first_valid"] <= 1
    assert 0 < facts["valid_ids"] < 1


def test_a_refit_learns_from_the_validation_answers_as_well(bench: Bench, arms: dict[str, Arm]) -> None:
    found = make(bench, "lazy" + REFIT)
    assert found.facts["epochs"] == arms["lazy"].facts["epoch"]
    assert found.facts["learned_tokens"] == arms["lazy"].facts["learned_tokens"] + 3 * USERS


def test_the_table_has_every_arm_with_intervals_and_says_which_bars_hold(
    arms: dict[str, Arm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.report.RESULTS", tmp_path)
    tell("recommend_ring", arms, np.arange(USERS), PLAN, "ring", 3)
    found = json.loads((tmp_path / "recommend_ring.json").read_text())
    assert [row["arm"] for row in found["figures"]] == list(NAMES)
    assert "popularity" in found["not_run"]
    assert found["bar"]["lazy: HR@10 above 1"] is True
    assert found["differences"]["floor"]["markov_knn"]["ndcg10"] == [0.0, 0.0, 0.0, 0.5]
    assert "training waits for data" in capsys.readouterr().out


def arm_of(hit: list[float], wait: float | None = None) -> Arm:
    figure_QK = np.repeat(np.array([hit]).T, len(KS), axis=1)
    hits = Hits(figure_QK, figure_QK)
    return Arm(hits, hits, None, {"input_wait": wait})


def test_bars_are_missed_where_a_network_adds_nothing_beyond_noise_or_waits_for_data() -> None:
    made = {
        "markov_knn": arm_of([0.0] * 50 + [1.0] * 50),
        "counts_content": arm_of([0.0] * 40 + [1.0] * 60),
        "sasrec": arm_of([0.0] * 90 + [1.0] * 10),
        "lazy": arm_of([0.0] * 50 + [1.0] * 50, wait=0.06),
        "lazy" + DEPLOYED: arm_of([0.0] * 41 + [1.0] * 59),
        "ids: random": arm_of([0.0] * 80 + [1.0] * 20),
        "ids: rqvae": arm_of([0.0] * 51 + [1.0] * 49),
    }
    users = np.arange(100)
    less = {short: differences(made, base, users, 1) for short, base in {**BASES, "alike": "lazy"}.items()}
    held = bars(PLAN, intervals(made, users, 1), less, made)
    assert held == {
        "lazy: HR@10 above 1": True,
        "lazy: NDCG@10 not below our SASRec's beyond noise": True,
        "lazy: NDCG@10 above our SASRec's beyond noise": True,
        "lazy + counts + content: NDCG@10 not below our SASRec's beyond noise": True,
        "lazy + counts + content: NDCG@10 above our SASRec's beyond noise": True,
        "lazy + counts + content: NDCG@10 above the count floor's beyond noise": True,
        "lazy + counts + content: the network adds NDCG@10 to counts and content beyond noise": False,
        "lazy: its IDs give more NDCG@10 than ids: random beyond noise": True,
        "lazy: its IDs give more NDCG@10 than ids: rqvae beyond noise": False,
        "training waits for data less than 5 % of its time, in every arm": False,
    }


def test_an_arm_is_made_again_where_what_decided_it_is_another(tmp_path: Path) -> None:
    first = kept(tmp_path, "one", {"seed": 1}, lambda: arm_of([1.0]))
    same = kept(tmp_path, "one", {"seed": 1}, lambda: arm_of([0.0]))
    other = kept(tmp_path, "one", {"seed": 2}, lambda: arm_of([0.0]))
    assert [arm.test.hr_QK[0, 0] for arm in (first, same, other)] == [1.0, 1.0, 0.0]


def test_items_that_share_an_id_are_ranked_among_themselves(tmp_path: Path) -> None:
    ids = Ids(np.array([[1, 2], [0, 0], [1, 2], [1, 2], [3, 0]], dtype=np.int32))
    assert ids.ranks.tolist() == [0, 0, 1, 2, 0]
    assert (ids.shared_share, ids.sizes, ids.texts[0]) == (0.6, (256, 256), "<a_1><b_2>")


def test_ids_that_nothing_makes_end_with_the_names_of_those_that_are_made(bench: Bench) -> None:
    with pytest.raises(
        SystemExit, match="magic makes no IDs: community, rqvae, category, random, sequential"
    ):
        ids_of("magic", bench.items, bench.source, bench.folder / "ids", 3, 1)


def test_titles_are_learned_from_ids_and_back_and_the_last_training_item_from_titles(bench: Bench) -> None:
    ids = bench.ids(PLAN.nets["lazy"])
    rows = list(titled(bench.data, ids, sequences_of([[0, 1], [5]])))
    assert [row.task for row in rows[-2:]] == ["titles_to_id", "ids_to_title"]
    assert len(rows) == 2 * ITEMS + 2
    assert rows[-2].instruction.output == ids.texts[1]
    assert "The 0" in rows[-2].instruction.input
    assert rows[-1].instruction.output == "The 1"


def test_answers_follow_what_a_user_did_before() -> None:
    found = with_answers(sequences_of([[1, 2], [3]]), Cases(np.array([[1, 2], [-1, 3]]), np.array([4, 5])))
    assert (found.indptr_U1.tolist(), found.item_M.tolist()) == ([0, 3, 5], [1, 2, 4, 3, 5])


def test_a_budget_of_cpu_time_cuts_a_training_and_is_spent_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [sys.executable, "-c", "while True: pass"]
    monkeypatch.setattr(recommend_generator, "command_of", lambda room: busy)
    first = in_process(tmp_path, 0.5)  # the limit is of whole seconds
    assert 0.5 <= first["cpu_s"] < 3
    monkeypatch.setattr(recommend_generator, "command_of", lambda room: ["/nowhere"])
    assert in_process(tmp_path, 0.5) == first


def test_a_training_that_fails_ends_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(recommend_generator, "command_of", lambda room: failing)
    with pytest.raises(SystemExit, match="ended with 3: its last lines say why"):
        in_process(tmp_path, 9.0)
