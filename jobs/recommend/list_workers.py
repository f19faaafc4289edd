"""What workers make of users: their lists, a batch at a time, from the recommender, the neighbours and the popular notes.

A worker loads the recommender once. Scores are kept to 5 decimals and ties ordered by the place of the ID, then by the
note's rank in it, so that the last bits of a sum decide nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from jobs.ids.catalogue_trie import CatalogueTrie, trie_of
from jobs.lake import Lake, LakeError
from jobs.recommend.fallbacks import Popular
from jobs.recommend.speaker import Speaker
from models.ids.text import codes_to_text
from models.recommend.lists import Candidate, composed
from models.recommend.prompts import Profile
from schemas.recommend_tables import PROFILE, RECOMMENDATIONS

if TYPE_CHECKING:
    from jobs.recommend.search import Search

Batches = Iterator[pa.RecordBatch]
USERS_A_BATCH = 256
TELL_SECONDS = 10.0
DECIMALS = 5


class Serving(NamedTuple):
    """What lists are made with: who speaks, how it decodes, how long a list is, and the popular notes that fill it."""

    root: str
    day: str
    speaker: Speaker
    num_beams: int
    guidance: float
    top: int
    exclude_seen: bool
    popular: tuple[Popular, ...]
    content: str = ""  # the day's neighbours by content, and their share
    content_share: float = 0.0


def listing(serving: Serving) -> Callable[[Batches], Batches]:
    """From user_id, note_ids, semantic_ids, neighbours (null where there are none) and the profile to rows of the table.

    Batches are cut anew, so that how Spark cut them changes nothing.
    """

    def lists(batches: Batches) -> Batches:
        started = told = time.monotonic()
        num_users = 0
        for batch in recut(batches, USERS_A_BATCH):
            users = batch.to_pylist()
            found = generated(serving, users) if serving.speaker.recommender else [[] for _ in users]
            yield rows_of(serving, users, found)
            num_users, now = num_users + len(users), time.monotonic()
            if now - told > TELL_SECONDS:
                told = now
                sys.stderr.write(
                    f"recommend: a worker at {num_users} users, {num_users / (now - started):.0f} users/s\n"
                )

    return lists


def recut(batches: Batches, size: int) -> Batches:
    """The same rows in batches of `size`, the last one smaller."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(map(len, waiting)) >= size:
            rows = pa.Table.from_batches(waiting).combine_chunks()
            yield from rows.slice(0, size).to_batches()
            waiting = rows.slice(size).to_batches()
    if sum(map(len, waiting)):
        yield from pa.Table.from_batches(waiting).combine_chunks().to_batches()


def generated(serving: Serving, users: Sequence[dict[str, Any]]) -> list[list[Candidate]]:
    """What the recommender says to each user, best first; of users without history nothing."""
    from jobs.recommend.search import Asked

    at = [row for row, user in enumerate(users) if user["note_ids"]]
    asked = Asked(
        [users[row]["note_ids"] for row in at],
        [users[row]["semantic_ids"] for row in at],
        [Profile(**{column.name: users[row][column.name] for column in PROFILE}) for row in at],
    )
    search = opened(
        serving.root, serving.day, serving.speaker, serving.content, serving.content_share
    )
    leaves = search.constrained(asked, serving.num_beams, serving.guidance, exclude_seen=serving.exclude_seen)
    found: list[list[Candidate]] = [[] for _ in users]
    for number, row in enumerate(at):
        scored = zip(leaves.leaf_QB[number].tolist(), leaves.score_QB[number].tolist(), strict=True)
        best = sorted(((-round(score, DECIMALS), leaf) for leaf, score in scored if leaf >= 0))
        codes = dict(zip(leaves.leaf_QB[number].tolist(), leaves.codes_QBL[number].tolist(), strict=True))
        most = serving.top + len(users[row]["note_ids"])
        found[row] = spelt(
            search.catalogue, [(leaf, -score + 0.0, codes[leaf]) for score, leaf in best], most
        )
    return found


def spelt(
    catalogue: CatalogueTrie, leaves: Sequence[tuple[int, float, Sequence[int]]], most: int
) -> list[Candidate]:
    """The notes of leaves in order of their rank, at most `most`."""
    found: list[Candidate] = []
    for leaf, score, codes in leaves:
        if len(found) >= most:
            break
        places = catalogue.trie.notes_of(leaf)
        notes = catalogue.note_ids.slice(places.start, min(len(places), most - len(found))).to_pylist()
        found += [Candidate(note_id, codes_to_text(codes), score, "generative") for note_id in notes]
    return found


def rows_of(
    serving: Serving, users: Sequence[dict[str, Any]], generative: Sequence[Sequence[Candidate]]
) -> pa.RecordBatch:
    """The rows of these users' lists."""
    popular = [Candidate(p.note_id, p.semantic_id, float(p.num_users), "popular") for p in serving.popular]
    rows: list[dict[str, Any]] = []
    for user, first in zip(users, generative, strict=True):
        near = [
            Candidate(n["note_id"], n["semantic_id"], n["score"], "neighbours")
            for n in user["neighbours"] or ()
        ]
        seen: Collection[str] = user["note_ids"] if serving.exclude_seen else ()
        for rank, candidate in enumerate(composed([first, near, popular], seen, serving.top), start=1):
            rows.append(
                {
                    "user_id": user["user_id"],
                    "rank": rank,
                    **candidate._asdict(),
                    "num_history": len(user["note_ids"]),
                    "recommender": serving.speaker.recommender,
                }
            )
    return pa.RecordBatch.from_pylist(rows, schema=RECOMMENDATIONS.arrow_schema())


@lru_cache(maxsize=1)
def opened(root: str, day: str, speaker: Speaker, content: str = "", share: float = 0.0) -> Search:
    """The recommender on the day's catalogue, once a worker. Raises `LakeError` where its IDs were replaced meanwhile."""
    import torch

    from jobs.recommend.content_neighbours import open_content
    from jobs.recommend.recommender import load_recommender
    from jobs.recommend.search import search_of

    torch.set_num_threads(1)  # a worker a core; and bits must not depend on their number
    lake = Lake(Path(root))
    catalogue = trie_of(lake, day, speaker.quantizer)
    if catalogue.manifest["partition"] != speaker.trie:
        raise LakeError(
            f"semantic_ids ds={day} were published anew while lists were made: run recommend again"
        )
    recommender = load_recommender(lake, speaker.recommender)
    return search_of(recommender, catalogue, open_content(lake, content), share)
