"""The product's training of a compact recommender on histories that lie in no lake: `train_on`, for the benchmarks.

`python -m benchmarks.recommend_training --source DIR --ids IDS.npy [--model lazy] [--seed 17] [--beams 50]` trains one on
a set (`recommend_data.py`) with the codes of its items in order, and tells HR@10 and NDCG@10 of the held-out valid answers:
beam search inside the catalogue, items of the history left out, items that share an ID share its place by expectation.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.recommend_data import HISTORY, load
from jobs.recommend.base_model import LAZY, Base, compact_base, lazy_base
from jobs.recommend.examples import Lesson, Row, terse_lesson, tokenised, windows
from jobs.recommend.recommender import Recommender
from jobs.recommend.recommender_training import MAX_VALID, evenly, recipe_of
from jobs.recommend.settings import Recommend
from jobs.recommend.training import Training
from jobs.recommend.training_process import accelerator_for
from models.ids.text import codes_to_text
from models.ids.trie import Trie
from models.ids.trie_build import build
from models.ids.trie_torch import on_device
from models.recommend.decoding import beam_search
from models.recommend.judging import judge_ids
from models.recommend.prompts import Instruction, Profile, profile_words
from models.recommend.sequences import PAD, Cases

USERS_A_CALL = 128


class Valid(NamedTuple):
    """Histories of semantic IDs, oldest first, and the ID that came next: they say when to stop."""

    histories: Sequence[list[str]]
    answers: Sequence[str]


class Trained(NamedTuple):
    """The recommender (`.prompt(histories, profiles)`, `.decoder`), its curve, the epoch kept, and the seconds it took."""

    recommender: Recommender
    curve: list[dict[str, float]]
    epoch: int
    seconds: float


def train_on(
    histories: Sequence[list[str]],
    valid: Valid,
    settings: Recommend,
    sizes: tuple[int, ...],
    codes_NL: NDArray[np.integer[Any]],
    profiles: Sequence[Profile] | None = None,
) -> Trained:
    """Learn every item of the histories (semantic IDs, oldest first) but each first one from those before it.

    codes_NL are the IDs of the whole catalogue; profiles, of the users of `histories`, unknown where there are none.
    """
    started = time.monotonic()
    known = list(profiles) if profiles is not None else [Profile()] * len(histories)
    words = {word for profile in [Profile(), *known] for word in profile_words(profile)}
    is_lazy = settings.model == LAZY
    base = (
        lazy_base(settings, sizes, words, codes_NL) if is_lazy else compact_base(settings, sizes, words, [])
    )
    recipe = recipe_of(settings, base)
    train = tokenised(base.tokenizer, lessons(rows_of(histories, known, settings.history), settings, base))
    told = [
        _row("valid", 0, one, h, Profile()) for h, one in zip(valid.histories, valid.answers, strict=True)
    ]
    held = tokenised(base.tokenizer, (terse_lesson(row, settings.history) for row in told))
    training = Training(base.network, recipe, train, evenly(held, MAX_VALID), accelerator_for(recipe))
    best = training.run()
    base.network.load_state_dict(dict(best.weights), strict=False)
    return Trained(recommender_of(base, settings), training.curve, best.epoch, time.monotonic() - started)


def lessons(rows: Iterator[Row], settings: Recommend, base: Base) -> Iterator[Lesson]:
    """As the job makes them: windows, but for an encoder, which reads a row an answer."""
    if base.is_encoder_decoder:
        return (terse_lesson(row, settings.history) for row in rows)
    return windows(rows, settings.history)


def rows_of(histories: Sequence[list[str]], profiles: Sequence[Profile], history: int) -> Iterator[Row]:
    """A row for every item but each user's first."""
    for user, (items, profile) in enumerate(zip(histories, profiles, strict=True)):
        for at in range(1, len(items)):
            yield _row(str(user), at, items[at], items[max(0, at - history) : at], profile)


def _row(user: str, position: int, answer: str, history: list[str], profile: Profile) -> Row:
    return Row("next_item", user, answer, position, history, profile, Instruction("", "", answer))


def recommender_of(base: Base, settings: Recommend) -> Recommender:
    """What the jobs load from a lake, without the counting scorer."""
    manifest = {
        "settings": {"history": settings.history},
        "is_encoder_decoder": base.is_encoder_decoder,
        "prompt_style": base.style,
        "language": "en",
        "quantizer": "benchmark",
    }
    network: Any = base.network
    return Recommender("benchmark", network.eval(), base.tokenizer, base.id_tokens, manifest, None)  # type: ignore[arg-type]


def ranked_ids(
    recommender: Recommender, histories: Sequence[list[str]], trie: Trie, beams: int
) -> NDArray[np.int64]:
    """leaf_QB: the best IDs of the catalogue for users of whom nothing else is known."""
    on_cpu, found = on_device(trie), []
    for start in range(0, len(histories), USERS_A_CALL):
        part = [list(ids) for ids in histories[start : start + USERS_A_CALL]]
        prompt = recommender.prompt(part, [Profile()] * len(part))
        found.append(beam_search(recommender.decoder, prompt, on_cpu, beams).state_QB.numpy())
    return np.concatenate(found)


def trie_of(codes_NL: NDArray[np.integer[Any]], sizes: tuple[int, ...]) -> Trie:
    """Of the IDs alone: items that share one are one leaf."""
    ids_NL = np.unique(codes_NL, axis=0)
    return build(ids_NL, np.zeros(len(ids_NL), dtype=np.int64), sizes).trie


def judged(
    recommender: Recommender, cases: Cases, texts: list[str], codes_NL: NDArray[np.integer[Any]], beams: int
) -> dict[str, float]:
    """HR@10 and NDCG@10 of cases, items of the history left out."""
    trie = trie_of(codes_NL, recommender.id_tokens.sizes)
    histories = [[texts[item] for item in row if item != PAD] for row in cases.history_QT.tolist()]
    leaf_QB = ranked_ids(recommender, histories, trie, beams)
    group_QB, group_N = np.where(leaf_QB < 0, PAD, leaf_QB), trie.walk(codes_NL)
    hits = judge_ids(group_QB, group_N, cases, exclude_seen=True, ks=(10,)).of_items
    return {"hr_10": float(hits.hr_QK.mean()), "ndcg_10": float(hits.ndcg_QK.mean())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument(
        "--ids", type=Path, required=True, help="codes of the items, one row each, in their order"
    )
    parser.add_argument("--model", default=LAZY)
    parser.add_argument("--epochs", type=int, default=Recommend.epochs)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--beams", type=int, nargs="+", default=[20, 50])
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    data, codes_NL = load(args.source), np.load(args.ids, allow_pickle=False)
    texts = [codes_to_text(codes) for codes in codes_NL.tolist()]
    histories = [
        [texts[item] for item in data.train.item_M[start:stop]]
        for start, stop in zip(data.train.indptr_U1[:-1], data.train.indptr_U1[1:], strict=True)
    ]
    valid = Valid([items[-HISTORY:] for items in histories], [texts[item] for item in data.valid.target_Q])
    settings = dataclasses.replace(Recommend(), model=args.model, seed=args.seed, epochs=args.epochs)
    sizes = tuple(int(size) for size in codes_NL.max(axis=0) + 1)
    trained = train_on(histories, valid, settings, sizes, codes_NL)
    facts: dict[str, Any] = {"model": args.model, "epoch": trained.epoch, "seconds": round(trained.seconds)}
    for beams in args.beams:
        began = time.monotonic()
        found = judged(trained.recommender, data.valid, texts, codes_NL, beams)
        facts[f"beams_{beams}"] = {**found, "seconds": round(time.monotonic() - began)}
    logging.info("%s", json.dumps(facts))


if __name__ == "__main__":
    main()
