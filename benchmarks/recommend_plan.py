"""What a recommenders' benchmark compares on a set, and what its arms share: data, vectors, voices and trained networks."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.recommend_data import RecommendSet, load
from benchmarks.recommend_generator import Learned, Net, learned
from benchmarks.recommend_ids import Ids, ids_of
from benchmarks.tokenizer_data import Items
from benchmarks.tokenizer_data import load as load_items
from jobs.recommend.base_model import LAZY
from jobs.recommend.near_ids import NearIds, near_ids
from models.recommend import content, markov_knn
from models.recommend.sequences import Cases, Sequences, sequences_of

FLOORS = ("popularity", "item_knn", "markov_knn", "content_knn", "counts_content", "sasrec")
COUNTS, DEPLOYED, FREE, UNMASKED, REFIT = " + counts", " + counts + content", " free", " unmasked", " refit"
VALID_USERS = 4096  # that choose
ENCODER, LEVELS = "minilm", 3


class Plan(NamedTuple):
    """What is compared on a set: generators by the name of their arm, the first one decoded in every way; and what others
    report of the set, as per cent: promises in words, each with the arm it is about, its figure and what to be above."""

    nets: dict[str, Net]
    reported: dict[str, tuple[str, str, float]]
    valid_users: int = VALID_USERS

    @property
    def first(self) -> str:
        return next(iter(self.nets))

    @property
    def alike(self) -> str:
        """The generator that differs from those of other IDs by its IDs alone; empty where there is none."""
        other = next((net for name, net in self.nets.items() if name.startswith("ids: ")), None)
        default = self.nets[self.first]
        if other is None:
            return self.first
        wanted = default._replace(neighbours=other.neighbours, minutes=other.minutes)
        return next((name for name, net in self.nets.items() if net == wanted), "")

    @property
    def arms(self) -> list[str]:
        """All names, what is cheap first."""
        first = self.first
        decoded = [first + way for way in (COUNTS, DEPLOYED, FREE, UNMASKED, REFIT)]
        others = {name: net for name, net in self.nets.items() if name != first}
        # Freely those decode that learned all codes of a level, and those whose tokenizer can put back what is no ID.
        freely = [name for name, net in others.items() if net.model != LAZY or net.ids == "rqvae"]
        return [*FLOORS, first, *decoded, *others, *(name + FREE for name in freely)]


@dataclasses.dataclass(frozen=True)
class Bench:
    """A set and all that its arms share, made when the first of them asks."""

    source: Path
    cache: Path
    plan: Plan
    seed: int
    minutes: float | None

    @cached_property
    def data(self) -> RecommendSet:
        return load(self.source)

    @cached_property
    def items(self) -> Items:
        return load_items(self.source, self.cache, ENCODER)

    @property
    def folder(self) -> Path:
        return self.cache / f"recommend_{self.data.name}"

    @cached_property
    def valid(self) -> Cases:
        """Of evenly spread users, by whom all is chosen."""
        history_QT, target_Q = self.data.valid
        count = min(self.plan.valid_users, len(target_Q))
        at = np.arange(count) * len(target_Q) // count
        return Cases(history_QT[at], target_Q[at])

    @cached_property
    def near(self) -> content.Content:
        x_ND = self.items.x_ND / np.linalg.norm(self.items.x_ND, axis=1, keepdims=True)
        return content.fit(x_ND.astype(np.float32), content.Config())

    def counts(self, sequences: Sequences) -> markov_knn.MarkovKnn:
        return markov_knn.fit(sequences, self.data.num_items, markov_knn.Config())

    def net(self, name: str) -> Net:
        found = self.plan.nets[name]
        return found if self.minutes is None else found._replace(minutes=self.minutes)

    def ids(self, net: Net) -> Ids:
        return ids_of(net.ids, self.items, self.source, self.folder / "ids", LEVELS, self.seed)

    def learned(self, name: str) -> Learned:
        net, room = self.net(name), self.folder / "rooms" / file_of(name)
        near = self.near_ids(net, self.data.train)
        return learned(net, self.data, self.ids(net), self.data.train, self.data.valid, room, self.seed, near)

    def near_ids(self, net: Net, sequences: Sequences) -> NearIds | None:
        """What answers share their weight with, by clicks of the sequences and by content."""
        if not net.neighbours:
            return None
        return near_ids(self.counts(sequences).near_NN, self.near.near_NN, self.ids(net).codes_NL)

    def refitted(self, name: str) -> tuple[Learned, Sequences]:
        """The same network from train and valid answers, for as many epochs as were best without these."""
        epoch = self.learned(name).facts["epoch"]
        net = self.net(name)._replace(epochs=epoch)
        longer = with_answers(self.data.train, self.data.valid)
        room = self.folder / "rooms" / file_of(name + REFIT)
        near, ids = self.near_ids(net, longer), self.ids(net)
        return learned(net, self.data, ids, longer, self.data.valid, room, self.seed, near), longer


def with_answers(sequences: Sequences, cases: Cases) -> Sequences:
    """Each user's items and the answer that came after them."""
    known = [sequences.item_M[start:stop].tolist() for start, stop in pairwise(sequences.indptr_U1.tolist())]
    return sequences_of([[*items, last] for items, last in zip(known, cases.target_Q.tolist(), strict=True)])


def file_of(name: str) -> str:
    """An arm's name as that of a file."""
    return name.replace(" ", "_").replace(":", "")
