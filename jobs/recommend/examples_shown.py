"""Some held-out users as people read them: titles of the history, of what was recommended, and of what came next."""

from __future__ import annotations

from typing import Any, NamedTuple

from jobs.recommend.arms import Judging
from jobs.recommend.note_facts import NoteFacts
from jobs.recommend.search import Leaves
from models.recommend.sequences import PAD

NUM_EXAMPLES, NUM_SHOWN, MAX_TITLE = 8, 10, 90


class Shown(NamedTuple):
    """One user, all notes by their places in the trie; the answer is -1 where it has none."""

    user_id: str
    history: list[int]
    recommended: list[int]
    answer: int


def shown_cases(judging: Judging, lists: Leaves) -> list[Shown]:
    """The first users of those who are judged, with their whole lists."""
    held, trie = judging.held, judging.catalogue.trie
    found = []
    for case in range(min(NUM_EXAMPLES, len(held.user_ids))):
        history = [int(item) for item in held.cases.history_QT[case] if item != PAD]
        places = [place for leaf in lists.leaf_QB[case] if leaf >= 0 for place in trie.notes_of(int(leaf))]
        if judging.settings.exclude_seen:
            places = [place for place in places if place not in history]
        found.append(Shown(held.user_ids[case], history, places, int(held.cases.target_Q[case])))
    return found


def places_of(cases: list[Shown]) -> set[int]:
    """All notes that are shown of them."""
    shown = {place for case in cases for place in (*case.history, *case.recommended[:NUM_SHOWN], case.answer)}
    return shown - {PAD}


def examples_of(cases: list[Shown], notes: NoteFacts) -> list[dict[str, Any]]:
    """Plain data for the page."""

    def title(place: int) -> str:
        words = notes.titles.get(place, "a note without an ID")
        return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1] + "…"

    return [
        {
            "user_id": case.user_id,
            "history": [title(place) for place in case.history],
            "recommended": [
                {"title": title(place), "is_answer": place == case.answer}
                for place in case.recommended[:NUM_SHOWN]
            ],
            "answer": title(case.answer),
            "rank": case.recommended.index(case.answer) + 1 if case.answer in case.recommended else None,
        }
        for case in cases
    ]
