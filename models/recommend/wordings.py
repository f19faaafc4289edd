"""The sentences of the recommender's prompts in English and Chinese: data, read by `prompts.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Wordings:
    """All that one language says. A task has several instructions, so that a model learns the task, not a sentence."""

    profile: str  # with {gender}, {age_band}, {marital_status}, {children}
    gender: str  # with {}: a stated gender that is none of `said`
    age_band: str  # with {}
    said: Mapping[str, Mapping[str, str]]  # field, value: the words for it
    history_of_ids: str  # with {}
    history_of_titles: str  # with {}
    no_history: str
    title: str  # with {}: a title among others
    between_titles: str
    between_ids: str
    note_of_id: str  # with {}
    note_of_title: str  # with {}
    tasks: Mapping[str, tuple[str, ...]]


ENGLISH = Wordings(
    profile="The user is {gender}, {age_band}, {marital_status}, {children}.",
    gender="{}",
    age_band="aged {}",
    said={
        "gender": {"unknown": "of unknown gender"},
        "age_band": {"unknown": "of unknown age"},
        "marital_status": {"single": "single", "married": "married", "unknown": "of unknown marital status"},
        "children": {
            "yes": "with children at home",
            "no": "without children at home",
            "unknown": "with or without children (unknown)",
        },
    },
    history_of_ids=" Notes the user acted on, oldest first: {}.",
    history_of_titles=" Titles of the notes the user acted on, oldest first: {}.",
    no_history=" The user has not acted on any note yet.",
    title='"{}"',
    between_titles=", ",
    between_ids=", ",
    note_of_id="The note's ID: {}",
    note_of_title='The note\'s title: "{}"',
    tasks={
        "next_item": (
            "Recommend the next note to this user. Answer with its ID.",
            "Which note will this user act on next? Tell its ID.",
            "From the user's profile and history, predict the ID of the note that comes next.",
        ),
        "id_to_title": (
            "Which note has this ID? Answer with its title.",
            "Tell the title of the note.",
            "Write out the title that belongs to the ID.",
        ),
        "title_to_id": (
            "Which note has this title? Answer with its ID.",
            "Tell the ID of the note.",
            "Write out the ID that belongs to the title.",
        ),
        "ids_to_title": (
            "Recommend the next note to this user. Answer with its title.",
            "Which note will this user act on next? Tell its title.",
            "From the IDs of what the user acted on, predict the title of the note that comes next.",
        ),
        "titles_to_id": (
            "Recommend a next note that follows these titles. Answer with its ID.",
            "Which note will the reader of these titles act on next? Tell its ID.",
            "From the titles of what the user acted on, predict the ID of the note that comes next.",
        ),
    },
)
CHINESE = Wordings(
    profile="该用户{gender}，{age_band}，{marital_status}，{children}。",
    gender="性别为{}",
    age_band="年龄{}",
    said={
        "gender": {"female": "性别为女", "male": "性别为男", "unknown": "性别未知"},
        "age_band": {"unknown": "年龄未知"},
        "marital_status": {"single": "未婚", "married": "已婚", "unknown": "婚姻状况未知"},
        "children": {"yes": "家中有孩子", "no": "家中没有孩子", "unknown": "家中有无孩子未知"},
    },
    history_of_ids="用户由早到晚互动过的笔记：{}。",
    history_of_titles="用户由早到晚互动过的笔记标题：{}。",
    no_history="用户还没有互动过任何笔记。",
    title="《{}》",
    between_titles="、",
    between_ids="、",
    note_of_id="笔记的 ID：{}",
    note_of_title="笔记的标题：《{}》",
    tasks={
        "next_item": (
            "请为该用户推荐下一篇笔记，回答它的 ID。",
            "该用户接下来会与哪篇笔记互动？请给出它的 ID。",
            "根据用户的画像和历史，预测下一篇笔记的 ID。",
        ),
        "id_to_title": (
            "这个 ID 是哪篇笔记？请回答它的标题。",
            "请说出这篇笔记的标题。",
            "请写出该 ID 对应的标题。",
        ),
        "title_to_id": (
            "这个标题是哪篇笔记？请回答它的 ID。",
            "请说出这篇笔记的 ID。",
            "请写出该标题对应的 ID。",
        ),
        "ids_to_title": (
            "请为该用户推荐下一篇笔记，回答它的标题。",
            "该用户接下来会与哪篇笔记互动？请给出它的标题。",
            "根据用户互动过的笔记 ID，预测下一篇笔记的标题。",
        ),
        "titles_to_id": (
            "请根据这些标题推荐下一篇笔记，回答它的 ID。",
            "读过这些标题的用户接下来会与哪篇笔记互动？请给出它的 ID。",
            "根据用户互动过的笔记标题，预测下一篇笔记的 ID。",
        ),
    },
)
BY_LANGUAGE = {"en": ENGLISH, "zh": CHINESE}
