"""Some held-out users as people read them: titles of the history, of what was recommended, and of what came next."""

from __future__ import annotations

from typing import Any, NamedTuple

from jobs.lake import Lake
from jobs.recommend.arms import Judging
from jobs.recommend.held_out import note_places
from jobs.recommend.search import Leaves
from models.recommend.sequences import PAD
from schemas.tables import NOTES

NUM_EXAMPLES, NUM_SHOWN, MAX_TITLE = 8, 10, 90


class NoteFacts(NamedTuple):
    """Of every note of the day its title, and the first of its categories."""

    titles: dict[str, str]
    categories: dict[str, str]


def note_facts(lake: Lake, day: str) -> NoteFacts:
    """As published for the day."""
    import pyarrow.parquet as pq

    rows = pq.read_table(lake.files(NOTES, day), columns=["note_id", "title", "category"])
    note_ids = rows.column("note_id").to_pylist()
    titles = dict(zip(note_ids, rows.column("title").to_pylist(), strict=True))
    first = [steps[0] if steps else "" for steps in rows.column("category").to_pylist()]
    return NoteFacts(titles, dict(zip(note_ids, first, strict=True)))


def shown_examples(judging: Judging, lists: Leaves, notes: NoteFacts) -> list[dict[str, Any]]:
    """The first users of those who are judged."""
    held, trie = judging.held, judging.catalogue.trie
    note_ids = note_places(judging.catalogue)

    def title(place: int) -> str:
        note_id = note_ids[place].as_py()
        words = " ".join((notes.titles.get(note_id) or f"({note_id})").split())
        return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1] + "…"

    found = []
    for case in range(min(NUM_EXAMPLES, len(held.user_ids))):
        history = [int(item) for item in held.cases.history_QT[case] if item != PAD]
        places = [place for leaf in lists.leaf_QB[case] if leaf >= 0 for place in trie.notes_of(int(leaf))]
        places = [place for place in places if not (judging.settings.exclude_seen and place in history)]
        answer = int(held.cases.target_Q[case])
        found.append(
            {
                "user_id": held.user_ids[case],
                "history": [title(place) for place in history],
                "recommended": [{"title": title(p), "is_answer": p == answer} for p in places[:NUM_SHOWN]],
                "answer": title(answer) if answer != PAD else "a note without an ID",
                "rank": places.index(answer) + 1 if answer in places else None,
            }
        )
    return found
