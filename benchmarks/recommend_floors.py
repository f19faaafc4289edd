"""What counting and a plain neural baseline reach on a set, before anything generates: the floors of every claim.

`python -m benchmarks.recommend_floors --source DIR [--vectors CACHE] [--without sasrec] [--seed 17]`. DIR holds
`items.jsonl` and `interactions.parquet` (columns user_id, pos, item_id, split). A user's last item is test, the last but
one valid, the rest train, from which alone everything is counted or learned; all items are ranked but those of the history,
which is of at most 20. Equal scores share their places by expectation: an order by item number would leak, because numbers
of these sets follow the events. Figures are per cent of the test answers, with 95 % bootstrap intervals over users;
`less_floor` is NDCG@10 less that of markov_knn, case by case, and the share of the bootstrap that is above 0.

Controls, each of markov_knn: `open` ranks the items of the history as well; `another's` has the history of another user;
`any order` is fitted on sequences whose items stand in random order, and shows what the order of these logs is worth,
much of which is the order of products bought on one day. `chance` scores all items alike.

`--vectors` adds the arms that read: `content_knn`, neighbours by MiniLM vectors of title, description and category path, and
`counts_content`, markov_knn and those by the default share. The vectors are kept in the folder it names. `by_valid` has the
figures of the validation answers, on which settings are chosen.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.recommend_data import RecommendSet, load
from benchmarks.report import write
from benchmarks.tokenizer_data import load as embedded
from jobs.recommend.sasrec_training import Recipe, train_sasrec
from jobs.recommend.settings import Recommend
from models.recommend import content, item_knn, markov_knn, popularity, sasrec
from models.recommend.intervals import difference, interval
from models.recommend.judging import Scores, judge_scores
from models.recommend.ranking import KS, Hits
from models.recommend.sequences import Cases, Sequences
from models.recommend.slices import slices
from models.recommend.voices import Voices

FLOOR = "markov_knn"
# Above these many items the loss over all of them is what training costs: half the width halves it.
MANY_ITEMS = 8_000
# HR@10 and NDCG@10 that other implementations of the same counts reach.
KNOWN = {
    "amazon_scientific": {
        "popularity": (0.0245, None),
        "item_knn": (0.0973, 0.0691),
        FLOOR: (0.1040, 0.0773),
    },
    "amazon_beauty": {"popularity": (0.0120, 0.0056), "item_knn": (0.0569, 0.0326), FLOOR: (0.0747, 0.0482)},
}
NEAR = 0.002


def sasrec_settings(num_items: int, seed: int) -> tuple[sasrec.Config, Recipe]:
    """Ten minutes of one core at most, on a set of these many items."""
    if num_items <= MANY_ITEMS:
        return sasrec.Config(), Recipe(seed=seed)
    return sasrec.Config(dim=64, dropout=0.4), Recipe(
        learning_rate=0.003, judge_epochs=2, patience=2, seed=seed
    )


def counted(data: RecommendSet) -> dict[str, Scores]:
    """The arms that need no training."""
    num = data.num_items
    return {
        "popularity": popularity.fit(data.train, num).scores,
        "item_knn": item_knn.fit(data.train, num, item_knn.Config()).scores,
        FLOOR: markov_knn.fit(data.train, num, markov_knn.Config()).scores,
    }


def read(data: RecommendSet, source: Path, cache: Path) -> dict[str, Scores]:
    """The arms that read the items' texts; nothing of them is trained here."""
    vectors = embedded(source, cache, "minilm").x_ND
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near = content.fit(vectors.astype(np.float32), content.Config())
    counts = markov_knn.fit(data.train, data.num_items, markov_knn.Config())
    return {"content_knn": near.scores, "counts_content": Voices(counts, near, Recommend().content).scores}


def learned(data: RecommendSet, seed: int) -> dict[str, Scores]:
    """SASRec, with softmax cross-entropy over all items."""
    config, recipe = sasrec_settings(data.num_items, seed)
    trained = train_sasrec(data.train, data.num_items, data.valid, config, recipe)
    return {"sasrec": trained.model.scores}


def controls(data: RecommendSet, seed: int) -> dict[str, Hits]:
    """Judged at once, as they need other cases or other rules."""
    num, dice = data.num_items, np.random.default_rng(seed)
    fitted = markov_knn.fit(data.train, num, markov_knn.Config())
    elsewhere = Cases(np.roll(data.test.history_QT, 1, axis=0), data.test.target_Q)
    mixed = markov_knn.fit(in_any_order(data.train, dice), num, markov_knn.Config())
    return {
        "open": judge_scores(fitted.scores, data.test, exclude_seen=False),
        "another's": judge_scores(fitted.scores, elsewhere, exclude_seen=True),
        "any order": judge_scores(mixed.scores, data.test, exclude_seen=True),
        "chance": judge_scores(
            lambda history_QT: np.zeros((len(history_QT), num), np.float32), data.test, exclude_seen=True
        ),
    }


def in_any_order(sequences: Sequences, dice: np.random.Generator) -> Sequences:
    """The same items of each user, shuffled."""
    order_M = np.lexsort((dice.random(len(sequences.item_M)), sequences.users))
    return Sequences(sequences.indptr_U1, sequences.item_M[order_M])


def row_of(arm: str, hits: Hits, floor: Hits, users: np.ndarray, seed: int, **more: Any) -> dict[str, Any]:
    """A line of the table, in per cent."""
    at = [KS.index(5), KS.index(10)]
    found = interval(np.concatenate([hits.hr_QK[:, at], hits.ndcg_QK[:, at]], axis=1), users, seed=seed)
    names = ("hr5", "hr10", "ndcg5", "ndcg10")
    row: dict[str, Any] = {"arm": arm}
    for place, name in enumerate(names):
        value, low, high = (100 * float(part[place]) for part in found)
        row[name] = round(value, 2)
        row[f"{name}_95"] = f"{low:.2f}-{high:.2f}"
    less = difference(hits.ndcg_QK[:, at[1:]], floor.ndcg_QK[:, at[1:]], users, seed=seed)
    value, low, high, above = (float(part[0]) for part in less)
    row["less_floor"] = (
        f"{100 * value:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}, {above:.0%})" if arm != FLOOR else "-"
    )
    return {**row, **more}


def by_slice(arms: Mapping[str, Hits], data: RecommendSet) -> list[dict[str, Any]]:
    """NDCG@10 of each arm on parts of the test answers."""
    at, rows = KS.index(10), []
    for name, is_in_Q in slices(data.test, data.train.counts(data.num_items), data.categories).items():
        row: dict[str, Any] = {"slice": name, "cases": int(is_in_Q.sum())}
        rows.append(
            {
                **row,
                **{
                    arm: round(100 * float(hits.ndcg_QK[is_in_Q, at].mean()), 2) for arm, hits in arms.items()
                },
            }
        )
    return rows


def bars(name: str, rows: list[dict[str, Any]]) -> dict[str, bool]:
    """The counts reach what others report of them, and what knows nothing of the user falls."""
    row = {line["arm"]: line for line in rows}
    found = {}
    for arm, (hr, ndcg) in KNOWN.get(name, {}).items():
        least_hr, least_ndcg = 100 * (hr - NEAR), 100 * ((ndcg or 0) - NEAR)
        told = f"{arm}: HR@10 at least {least_hr:.2f} and NDCG@10 at least {max(least_ndcg, 0):.2f}"
        found[told] = row[arm]["hr10"] >= least_hr and row[arm]["ndcg10"] >= least_ndcg
    found["another user's history gives less than half"] = (
        row["another's"]["ndcg10"] < row[FLOOR]["ndcg10"] / 2
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--source", type=Path, required=True, help="a folder of items.jsonl and interactions.parquet"
    )
    parser.add_argument("--vectors", type=Path, help="a folder that keeps the items' vectors: also judge content")
    parser.add_argument("--without", nargs="*", default=[], choices=["sasrec"], help="leave this out")
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data = load(args.source)
    arms, valid, seconds = {}, {}, {}
    makes: list[Callable[[RecommendSet], dict[str, Scores]]] = [counted]
    if args.vectors is not None:
        makes.append(lambda given: read(given, args.source, args.vectors))
    if "sasrec" not in args.without:
        makes.append(lambda given: learned(given, args.seed))
    for make in makes:
        started = time.process_time()
        made = make(data)
        spent = time.process_time() - started
        arms |= {arm: judge_scores(scores, data.test, exclude_seen=True) for arm, scores in made.items()}
        valid |= {arm: judge_scores(scores, data.valid, exclude_seen=True) for arm, scores in made.items()}
        seconds |= dict.fromkeys(made, round(spent, 1))
    told = [*arms.items(), *controls(data, args.seed).items()]
    users = data.case_users
    rows = [
        row_of(arm, hits, arms[FLOOR], users, args.seed, fit_cpu_s=seconds.get(arm)) for arm, hits in told
    ]
    more = f" --vectors {args.vectors.name}" if args.vectors is not None else ""
    more += " --without sasrec" if "sasrec" in args.without else ""
    write(
        f"recommend_floors_{data.name}" + ("_read" if args.vectors is not None else ""),
        rows,
        bars=bars(data.name, rows),
        command=f"python -m benchmarks.recommend_floors --source {data.name}{more}",
        packages=("numpy", "scipy", "torch"),
        slices=by_slice(arms, data),
        by_valid=[row_of(arm, hits, valid[FLOOR], users, args.seed) for arm, hits in valid.items()],
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
