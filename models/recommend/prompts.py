"""What a recommender is asked, in words: the user's profile as a sentence and the history as IDs (JD), and LC-Rec's tasks.

The tasks (LC-Rec, arXiv 2311.09049, section 3.3): the next note's ID from IDs; a note's title from its ID and its ID from
its title; the next note's title from IDs and its ID from titles. Every text of a stranger goes through `clean_title`:
what looks like an ID in a prompt is one. `terse` is the same question in a few words of a small vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.recommend.titles import clean_title
from models.recommend.wordings import BY_LANGUAGE, Wordings
from schemas.recommend_tables import UNKNOWN

MAX_VALUE = 32  # characters of a profile's value
_WORD_OF = {"gender": "gender", "age_band": "age", "marital_status": "marital", "children": "children"}


class Profile(NamedTuple):
    """What is known of a user; `unknown` where nothing is. The columns of `users`."""

    gender: str = UNKNOWN
    age_band: str = UNKNOWN
    marital_status: str = UNKNOWN
    children: str = UNKNOWN


class Instruction(NamedTuple):
    """The task in words, what it is about, and the answer; one line each."""

    instruction: str
    input: str
    output: str


def next_item(
    profile: Profile, history_semantic_ids: Sequence[str], answer: str, language: str, wording: int = 0
) -> Instruction:
    """The ID of the next note from profile and IDs, oldest first; `wording` chooses among the task's sentences.

    All functions of a task raise `ValueError` for a language that has no templates.
    """
    words = wordings(language)
    asked = profile_sentence(profile, language) + _history(
        words.history_of_ids, words.between_ids, history_semantic_ids, words
    )
    return Instruction(_task(words, "next_item", wording), asked, answer)


def ids_to_title(
    profile: Profile, history_semantic_ids: Sequence[str], title: str, language: str, wording: int = 0
) -> Instruction:
    """The title of the next note from profile and IDs."""
    asked = next_item(profile, history_semantic_ids, "", language)
    return Instruction(_task(wordings(language), "ids_to_title", wording), asked.input, clean_title(title))


def titles_to_id(
    profile: Profile, history_titles: Sequence[str], answer: str, language: str, wording: int = 0
) -> Instruction:
    """The ID of the next note from profile and titles, oldest first."""
    words = wordings(language)
    titles = [words.title.format(clean_title(title)) for title in history_titles]
    asked = profile_sentence(profile, language) + _history(
        words.history_of_titles, words.between_titles, titles, words
    )
    return Instruction(_task(words, "titles_to_id", wording), asked, answer)


def id_to_title(semantic_id: str, title: str, language: str, wording: int = 0) -> Instruction:
    """A note's title from its ID."""
    words = wordings(language)
    return Instruction(
        _task(words, "id_to_title", wording), words.note_of_id.format(semantic_id), clean_title(title)
    )


def title_to_id(title: str, semantic_id: str, language: str, wording: int = 0) -> Instruction:
    """A note's ID from its title."""
    words = wordings(language)
    return Instruction(
        _task(words, "title_to_id", wording), words.note_of_title.format(clean_title(title)), semantic_id
    )


def profile_sentence(profile: Profile, language: str) -> str:
    """The profile as one sentence that says of every field what it is, or that it is unknown."""
    words = wordings(language)
    told = {field: _said(words, field, value) for field, value in profile._asdict().items()}
    return words.profile.format(**told)


def profile_words(profile: Profile) -> tuple[str, ...]:
    """The profile as four words of a small vocabulary, such as `<gender:female>`."""
    fields = profile._asdict().items()
    return tuple(f"<{_WORD_OF[field]}:{clean_title(value, MAX_VALUE)}>" for field, value in fields)


def terse(profile: Profile, history_semantic_ids: Sequence[str]) -> str:
    """The profile's words and the IDs, oldest first: what a compact model reads."""
    return " ".join([*profile_words(profile), "".join(history_semantic_ids)]).rstrip()


def prompt_text(instruction: Instruction) -> str:
    """Instruction and input as one prompt of a language model; the answer follows on the next line."""
    return f"{instruction.instruction}\n{instruction.input}\n"


def wordings(language: str) -> Wordings:
    """The sentences of a language. Raises `ValueError` where there are none."""
    if language not in BY_LANGUAGE:
        raise ValueError(f"there are no templates in {language!r}: languages are {', '.join(BY_LANGUAGE)}")
    return BY_LANGUAGE[language]


def _task(words: Wordings, task: str, wording: int) -> str:
    return words.tasks[task][wording % len(words.tasks[task])]


def _history(sentence: str, between: str, items: Sequence[str], words: Wordings) -> str:
    return sentence.format(between.join(items)) if items else words.no_history


def _said(words: Wordings, field: str, value: str) -> str:
    said = words.said[field]
    if value in said:
        return said[value]
    if field in ("gender", "age_band"):
        return (words.gender if field == "gender" else words.age_band).format(clean_title(value, MAX_VALUE))
    return said[UNKNOWN]
