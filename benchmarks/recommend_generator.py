"""Generators of a set's next items: each learns in a folder as the product's job does, within a budget of CPU minutes, and
is searched as the product's lists are.

A training is a process of its own (`jobs.recommend.training_process`), so that its memory is its own, a budget can cut it,
and a later call goes on from the state it left. What it was cut with is told: the best epoch so far stands for it.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from benchmarks.recommend_data import RecommendSet
from benchmarks.recommend_ids import Ids
from benchmarks.recommend_training import lessons, recommender_of, rows_of
from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.lake import write_atomically
from jobs.recommend.base_model import LAZY, Base, compact_base, lazy_base
from jobs.recommend.collaborative import Collaborative
from jobs.recommend.content_neighbours import ContentNotes
from jobs.recommend.examples import Lesson, Row, save_examples, task_word, terse_lesson, tokenised
from jobs.recommend.lazy_files import save_network
from jobs.recommend.near_ids import NearIds, save_near_ids
from jobs.recommend.recommender import Recommender
from jobs.recommend.recommender_training import MAX_VALID, evenly, recipe_of, with_learned
from jobs.recommend.search import Asked, Search, search_of
from jobs.recommend.settings import Recommend
from jobs.recommend.training_process import BASE, LEARNED, RECIPE, STATE, open_network, read_recipe
from jobs.recommend.training_state import State, load_state
from models.ids.trie_build import build
from models.recommend import prompts
from models.recommend.content import Content
from models.recommend.markov_knn import MarkovKnn
from models.recommend.prompts import Instruction, Profile, profile_words
from models.recommend.sequences import PAD, Cases, Sequences
from schemas.recommend_tables import TASKS

ROOT = Path(__file__).resolve().parents[1]
SPENT, GRACE = "spent.json", 5
LANGUAGE = "en"


class Net(NamedTuple):
    """What is trained: which IDs it speaks, which network, and its budget of CPU minutes. `is_mixed`: it also learns items'
    titles from their IDs and back, and, of each user's last training item, its ID from titles and its title from IDs
    (LC-Rec). `neighbours`: the weight that answers' neighbours have in what a lazy network learns."""

    ids: str = "community"
    model: str = LAZY
    epochs: int = Recommend.epochs
    minutes: float = 10.0
    is_mixed: bool = False
    neighbours: float = 0.0


class Learned(NamedTuple):
    """A recommender without its voices, and how it came about."""

    recommender: Recommender
    facts: dict[str, Any]


def histories_of(sequences: Sequences, texts: list[str]) -> list[list[str]]:
    """Each user's items as semantic IDs."""
    return [
        [texts[item] for item in sequences.item_M[start:stop]]
        for start, stop in pairwise(sequences.indptr_U1.tolist())
    ]


def learned(
    net: Net,
    data: RecommendSet,
    ids: Ids,
    sequences: Sequences,
    valid: Cases,
    room: Path,
    seed: int,
    near: NearIds | None,
) -> Learned:
    """Train on the sequences what is not trained yet; `valid` says which epoch is kept. `near`: neighbours to learn too."""
    settings = dataclasses.replace(
        Recommend(), model=net.model, epochs=net.epochs, seed=seed, neighbours=net.neighbours
    )
    base = base_of(net, data, ids, settings)
    recipe = recipe_of(settings, base)
    if not ((room / RECIPE).exists() and read_recipe(room) == recipe):
        known = histories_of(sequences, ids.texts)
        told = list(lessons(rows_of(known, [Profile()] * len(known), settings.history), settings, base))
        if net.is_mixed:
            told += [terse_lesson(row, settings.history) for row in titled(data, ids, sequences)]
        save_examples(room, "train", tokenised(base.tokenizer, told))
        held = tokenised(base.tokenizer, _held(valid, ids, settings))
        save_examples(room, "valid", evenly(held, MAX_VALID))
        save_network(base.network, room / BASE)
        if near is not None:
            save_near_ids(room, near)
        for left in (SPENT, LEARNED):  # of another recipe
            (room / left).unlink(missing_ok=True)
        write_atomically(room / RECIPE, recipe.as_json().encode())
    spent = in_process(room, 60 * net.minutes)
    whole = load_state(room / LEARNED, recipe.as_json())
    best = whole or _best_so_far(room, recipe.as_json())
    network = with_learned(open_network(room / BASE, recipe.is_encoder_decoder), recipe, best)
    waited = best.facts.get("clock", {}).get("waited_share")
    facts = {
        "model": net.model, "ids": net.ids, "parameters": sum(p.numel() for p in network.parameters()),
        "epoch": best.facts["best_epoch"], "epochs": net.epochs, "is_cut": whole is None, **spent,
        "input_wait": None if waited is None else round(waited, 4), "curve": best.facts["curve"],
        "learned_tokens": int(np.load(room / "train.learned_N.npy").sum()),
    }  # fmt: skip
    return Learned(recommender_of(base._replace(network=network), settings), facts)


def base_of(net: Net, data: RecommendSet, ids: Ids, settings: Recommend) -> Base:
    """The network before it learns; where titles are learned, with words for them."""
    words = set(profile_words(Profile()))
    if net.model == LAZY:
        return lazy_base(settings, ids.sizes, words, ids.codes_NL)
    if not net.is_mixed:
        return compact_base(settings, ids.sizes, words, [])
    return compact_base(settings, ids.sizes, words | {task_word(task) for task in TASKS}, data.titles)


def titled(data: RecommendSet, ids: Ids, sequences: Sequences) -> Iterator[Row]:
    """LC-Rec's tasks about titles, one row an item or a user, in the product's words."""
    texts, titles, nobody = ids.texts, data.titles, Profile()
    for item, (text, title) in enumerate(zip(texts, titles, strict=True)):
        if title:
            yield _row("id_to_title", item, prompts.id_to_title(text, title, LANGUAGE))
            yield _row("title_to_id", item, prompts.title_to_id(title, text, LANGUAGE))
    for user, (start, stop) in enumerate(pairwise(sequences.indptr_U1.tolist())):
        *known, last = sequences.item_M[start:stop][-Recommend.history - 1 :].tolist()
        names = [titles[item] for item in known if titles[item]]
        if names and titles[last]:
            yield _row("titles_to_id", user, prompts.titles_to_id(nobody, names, texts[last], LANGUAGE))
            told = prompts.ids_to_title(nobody, [texts[item] for item in known], titles[last], LANGUAGE)
            yield _row("ids_to_title", user, told)


def _row(task: str, number: int, words: Instruction) -> Row:
    return Row(task, str(number), "", 0, [], Profile(), words)


def _held(valid: Cases, ids: Ids, settings: Recommend) -> Iterator[Lesson]:
    texts = ids.texts
    for history, target in zip(valid.history_QT.tolist(), valid.target_Q.tolist(), strict=True):
        known = [texts[item] for item in history if item != PAD]
        asked = Row("next_item", None, texts[target], 0, known, Profile(), Instruction("", "", texts[target]))
        yield terse_lesson(asked, settings.history)


def _best_so_far(room: Path, recipe: str) -> State:
    state = load_state(room / STATE, recipe)
    if state is None or not state.under("best."):
        raise SystemExit(
            f"{room}: the budget ended before one epoch was judged: give more --minutes and run it again"
        )
    return State(state.under("best."), state.facts)


def in_process(room: Path, seconds: float) -> dict[str, Any]:
    """Learn what the room holds until the budget of CPU seconds is spent, all calls together; what it took."""
    path = room / SPENT
    spent = json.loads(path.read_bytes()) if path.exists() else {"cpu_s": 0.0, "seconds": 0.0, "peak_mib": 0}
    left = math.ceil(seconds - spent["cpu_s"])
    if (room / LEARNED).exists() or left <= 0 or spent.get("cut_at", 0) >= seconds:
        return spent
    started = time.monotonic()
    child = subprocess.Popen(command_of(room), cwd=ROOT)
    resource.prlimit(child.pid, resource.RLIMIT_CPU, (left, left + GRACE))
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        _, status, usage = os.wait4(child.pid, 0)
        raise
    finally:
        child.returncode = os.waitstatus_to_exitcode(status)
        spent = {
            "cpu_s": round(spent["cpu_s"] + usage.ru_utime + usage.ru_stime, 1),
            "seconds": round(spent["seconds"] + time.monotonic() - started, 1),
            "peak_mib": max(spent["peak_mib"], usage.ru_maxrss // 1024),
        }
        if child.returncode == -signal.SIGXCPU:
            spent["cut_at"] = seconds  # within the last second of it
        write_atomically(path, json.dumps(spent).encode())
    if child.returncode not in (0, -signal.SIGXCPU):
        raise SystemExit(f"the training in {room} ended with {child.returncode}: its last lines say why")
    return spent


def command_of(room: Path) -> list[str]:
    """What trains a room."""
    return [sys.executable, "-m", "jobs.recommend.training_process", str(room.resolve())]


def search_on(
    recommender: Recommender, ids: Ids, counts: MarkovKnn, near: Content | None, share: float
) -> Search:
    """The product's search over the set's items, whose names are their numbers."""
    names = pa.array([str(item) for item in range(len(ids.codes_NL))])
    built = build(ids.codes_NL, ids.ranks, ids.sizes)
    catalogue = CatalogueTrie(built.trie, pa.chunked_array([names.take(pa.array(built.order_N))]), {})
    voiced = dataclasses.replace(recommender, collaborative=Collaborative(counts, names))
    return search_of(voiced, catalogue, near and ContentNotes(near, names), share, device="cpu")


def asked(cases: Cases, ids: Ids) -> Asked:
    """Users by their histories alone: nothing else is known of them."""
    texts = ids.texts
    known = [[item for item in row if item != PAD] for row in cases.history_QT.tolist()]
    return Asked(
        [[str(item) for item in items] for items in known],
        [[texts[item] for item in items] for items in known],
        [Profile()] * len(known),
    )
