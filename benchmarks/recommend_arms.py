"""Every way to recommend the next item of a set, side by side: counts, content, SASRec, and generators by IDs, network and
decoding; behind `recommend_scientific` and `recommend_beauty`.

`--source DIR --cache DIR [--arms NAMES] [--minutes M]`. A user's last item is test, the last but one valid, the rest train;
a history is of at most 20 items, which are masked (`unmasked` says what the deployed arm earns without); all items are
ranked. Items that share an ID share its place by expectation; `id_hr10` counts the ID instead, as others do. Whatever is
chosen (epochs, guidance) is chosen on the validation answers of evenly spread users; test answers are looked at once.

An arm that is trained and judged is kept in the cache, and one whose training was cut goes on; the table has all arms that
are kept. Floors: `popularity`, `item_knn`, `markov_knn`, `content_knn`, `counts_content`, `sasrec`. Then the generators of
the set's plan, alone; and of the first of them, which is the product's default: `+ counts` and `+ counts + content` (the
deployed way, with D3's guidance), `free` (no trie), `unmasked`, and `refit`, which learned from valid answers too.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.recommend_floors import counted, learned, read
from benchmarks.recommend_generator import Learned, asked, search_on
from benchmarks.recommend_ids import Ids
from benchmarks.recommend_kept import Arm, kept
from benchmarks.recommend_plan import (
    COUNTS,
    DEPLOYED,
    FLOORS,
    FREE,
    REFIT,
    UNMASKED,
    Bench,
    Plan,
    file_of,
)
from benchmarks.recommend_table import tell
from jobs.recommend.arms import padded_lists
from jobs.recommend.grounded import moved
from jobs.recommend.search import Leaves, Search
from jobs.recommend.settings import Recommend
from models.ids.tokenizer import UnknownPrefixError
from models.recommend.judging import IdHits, Scores, judge_ids, judge_scores
from models.recommend.ranking import KS
from models.recommend.sequences import Cases

AT_10 = KS.index(10)
log = logging.getLogger("notemill")
GUIDANCE = (0.15, 0.25, 0.35, 0.5)  # of which the validation answers choose


def make(bench: Bench, name: str) -> Arm:
    """An arm by its name, kept or made."""
    ways: dict[str, Callable[[Bench, str], Arm]] = {
        DEPLOYED: partial(mixed, is_read=True), COUNTS: partial(mixed, is_read=False),
        FREE: free, UNMASKED: unmasked, REFIT: refit,
    }  # fmt: skip
    decided_by: dict[str, Any] = {"seed": bench.seed, "valid_users": bench.plan.valid_users}
    if name in FLOORS:
        return kept(bench.folder / "arms", name, decided_by, lambda: floor(bench, name))
    way = next((way for way in ways if name.endswith(way)), "")
    base = name.removesuffix(way)
    decided_by |= {"net": bench.net(base)._asdict(), "guidance": list(GUIDANCE) if way else []}
    judge = ways[way] if way else alone
    return kept(bench.folder / "arms", file_of(name), decided_by, lambda: judge(bench, base))


def floor(bench: Bench, name: str) -> Arm:
    """An arm that scores all items."""
    data = bench.data
    if name == "sasrec":
        found = learned(data, bench.seed)
    elif name in ("content_knn", "counts_content"):
        found = read(data, bench.source, bench.cache)
    else:
        found = counted(data)
    scores: Scores = found[name]
    hits = [judge_scores(scores, cases, exclude_seen=True) for cases in (bench.valid, data.test)]
    return Arm(hits[0], hits[1], None, {})


def alone(bench: Bench, name: str) -> Arm:
    """A generator inside the catalogue, without another's opinion."""
    found, search, ids = _searched(bench, name, is_read=False)
    facts = {**found.facts, "shared_ids": round(ids.shared_share, 4)}
    return _decoded(bench, ids, lambda cases: _lists(search, cases, ids, 1.0), facts)


def mixed(bench: Bench, name: str, is_read: bool) -> Arm:
    """With counts, and where it reads with content: the guidance with the best NDCG@10 of validation answers."""
    _, search, ids = _searched(bench, name, is_read)
    guidance, tried = _guided(bench, search, ids)
    facts = {"guidance": guidance, "valid_by_guidance": tried, "content": Recommend.content if is_read else 0}
    return _decoded(bench, ids, lambda cases: _lists(search, cases, ids, guidance), facts)


def unmasked(bench: Bench, name: str) -> Arm:
    """The deployed arm, where items of the history may come again."""
    _, search, ids = _searched(bench, name, is_read=True)
    guidance = make(bench, name + DEPLOYED).facts["guidance"]
    return _decoded(
        bench, ids, lambda cases: _lists(search, cases, ids, guidance, is_masked=False), {}, is_masked=False
    )


def refit(bench: Bench, name: str) -> Arm:
    """The deployed arm, counts and network learned from validation answers too: its own figures on those mean nothing."""
    found, longer = bench.refitted(name)
    ids = bench.ids(bench.net(name))
    search = search_on(found.recommender, ids, bench.counts(longer), bench.near, Recommend.content)
    guidance = make(bench, name + DEPLOYED).facts["guidance"]
    return _decoded(bench, ids, lambda cases: _lists(search, cases, ids, guidance), found.facts)


def free(bench: Bench, name: str) -> Arm:
    """Without a trie: what is no ID of an item is lost; where the tokenizer has vectors of such codes, it is put back."""
    _, search, ids = _searched(bench, name, is_read=False)
    lists = search.free(asked(bench.data.test, ids), Recommend.beams)
    target_QL = ids.codes_NL[bench.data.test.target_Q]
    is_there_QB = np.isfinite(lists.score_QB)
    facts: dict[str, Any] = {
        "valid_ids": float((lists.leaf_QB >= 0).sum() / is_there_QB.sum()),
        "first_valid": float((lists.leaf_QB[:, 0] >= 0).mean()),
        "exact_match": float((lists.codes_QBL[:, 0] == target_QL).all(axis=1).mean()),
    }
    if ids.tokenizer is not None:
        try:
            there = moved(ids.tokenizer, search.catalogue.trie, lists, max(KS))
            hits = _judged(there, bench.data.test, search, ids).of_items
            facts |= {
                "grounded_hr10": hits.hr_QK[:, AT_10].mean(),
                "grounded_ndcg10": hits.ndcg_QK[:, AT_10].mean(),
            }
        except UnknownPrefixError as error:
            facts["grounded"] = f"left out: {error}"
    return _decoded(
        bench, ids, lambda cases: (search, search.free(asked(cases, ids), Recommend.beams)), facts
    )


def _searched(bench: Bench, name: str, is_read: bool) -> tuple[Learned, Search, Ids]:
    found, ids = bench.learned(name), bench.ids(bench.net(name))
    near = bench.near if is_read else None
    return (
        found,
        search_on(found.recommender, ids, bench.counts(bench.data.train), near, Recommend.content),
        ids,
    )


def _guided(bench: Bench, search: Search, ids: Ids) -> tuple[float, dict[str, float]]:
    tried = {}
    for guidance in GUIDANCE:
        _, lists = _lists(search, bench.valid, ids, guidance)
        tried[guidance] = float(_judged(lists, bench.valid, search, ids).of_items.ndcg_QK[:, AT_10].mean())
        log.info("guidance %.2f: NDCG@10 of valid %.4f", guidance, tried[guidance])
    best = max(tried, key=lambda guidance: tried[guidance])
    return best, {str(guidance): round(value, 4) for guidance, value in tried.items()}


def _lists(
    search: Search, cases: Cases, ids: Ids, guidance: float, is_masked: bool = True
) -> tuple[Search, Leaves]:
    num_beams = min(Recommend().num_beams, search.catalogue.trie.num_leaves)
    return search, search.constrained(asked(cases, ids), num_beams, guidance, exclude_seen=is_masked)


def _judged(lists: Leaves, cases: Cases, search: Search, ids: Ids, is_masked: bool = True) -> IdHits:
    group_N = search.catalogue.trie.walk(ids.codes_NL).astype(np.int64)
    return judge_ids(padded_lists(lists.leaf_QB), group_N, cases, exclude_seen=is_masked)


def _decoded(
    bench: Bench,
    ids: Ids,
    decode: Callable[[Cases], tuple[Search, Leaves]],
    facts: dict[str, Any],
    is_masked: bool = True,
) -> Arm:
    found = []
    for cases in (bench.valid, bench.data.test):
        search, lists = decode(cases)
        found.append(_judged(lists, cases, search, ids, is_masked))
    return Arm(found[0].of_items, found[1].of_items, found[1].of_ids, facts)


def main(name: str, plan: Plan, doc: str | None) -> None:
    parser = argparse.ArgumentParser(
        description=f"{doc}\n\n{__doc__}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="the folder of the set")
    parser.add_argument(
        "--cache", type=Path, required=True, help="where vectors, trainings and arms are kept"
    )
    parser.add_argument(
        "--arms", nargs="*", choices=plan.arms, metavar="ARM", help=f"of {', '.join(plan.arms)}"
    )
    parser.add_argument("--minutes", type=float, help="of one core, of each training, for the plan's own")
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a training's state is closed as after Ctrl-C
    bench = Bench(args.source, args.cache, plan, args.seed, args.minutes)
    for arm in args.arms if args.arms is not None else plan.arms:
        make(bench, arm)
    there = [arm for arm in plan.arms if (bench.folder / "arms" / f"{file_of(arm)}.npz").exists()]
    arms = {arm: make(bench, arm) for arm in there}
    tell(name, arms, bench.data.case_users, plan, args.source.name, args.seed)
