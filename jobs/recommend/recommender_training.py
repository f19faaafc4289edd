"""One generation of the recommender: examples and network are prepared in a folder, trained there, and written whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jobs.config import Config
from jobs.lake import Lake, LakeError, write_atomically
from jobs.recommend.adapters import merged, with_adapters
from jobs.recommend.base_model import LAZY, Base, compact_base, language_model_base, lazy_base
from jobs.recommend.collaborative import fit_collaborative, save_collaborative
from jobs.recommend.examples import (
    Examples,
    Lesson,
    save_examples,
    sentence_lesson,
    task_word,
    terse_lesson,
    tokenised,
    windows,
)
from jobs.recommend.instruction_rows import instruction_rows, training_profiles
from jobs.recommend.lazy_files import save_network
from jobs.recommend.many_processes import learn_in_processes
from jobs.recommend.recipe import Recipe
from jobs.recommend.recommender import KIND
from jobs.recommend.recommender_card import recommender_card
from jobs.recommend.recommender_inputs import Inputs, codes_of, learned_from
from jobs.recommend.settings import Recommend
from jobs.recommend.training_process import BASE, LEARNED, RECIPE, open_network, read_recipe
from jobs.recommend.training_state import State, load_state
from jobs.recommend.window_noise import Noise
from jobs.staging import code_hash
from models.recommend.prompts import Profile, profile_words
from schemas.recommend_tables import TASKS

MAX_VALID = 4096  # rows that say when to stop, evenly spread over the users
AVERAGING = 0.995  # of the lazy network's weights, by NDCG@10 on the validation answers of Amazon Scientific
TITLES = 200_000  # of which a compact tokenizer learns words
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "safetensors")
log = logging.getLogger("notemill")


def build(
    lake: Lake, day: str, config: Config, generation: str, inputs: Inputs, folder: Path
) -> dict[str, Any]:
    """Train into `folder` and return the facts for the manifest."""
    settings = config.recommend
    room = training_room(lake, generation)
    base = prepared(lake, day, settings, inputs, room)
    learn_in_processes(room, settings.processes)
    recipe = read_recipe(room)
    learned = load_state(room / LEARNED, recipe.as_json())
    if learned is None:
        raise LakeError(f"recommender {generation}: training ended without weights; its log above says why")
    network = with_learned(open_network(room / BASE, recipe.is_encoder_decoder), recipe, learned)
    save_network(network, folder)
    base.tokenizer.save_pretrained(folder)
    save_collaborative(folder, fit_collaborative(lake, day, settings.split))
    facts = facts_of(day, settings, inputs, base, recipe, learned)
    write_atomically(folder / "card.md", recommender_card(generation, facts).encode())
    return facts


def training_room(lake: Lake, generation: str) -> Path:
    """Where a training keeps what it reads and its state."""
    return lake.root / "artifacts" / KIND / f".{generation}.training"


def with_learned(network: Any, recipe: Recipe, learned: State) -> Any:
    """The network with the best weights of what was trained, as plain weights."""
    adapted = with_adapters(network, recipe)
    missing = adapted.load_state_dict(dict(learned.tensors), strict=False)
    if missing.unexpected_keys:
        raise LakeError(f"learned weights {missing.unexpected_keys[:3]} are not of this network: train again")
    return merged(adapted).eval()


def prepared(lake: Lake, day: str, settings: Recommend, inputs: Inputs, room: Path) -> Base:
    """The network that training starts from; the room holds it with the examples and the recipe.

    All of it follows from the inputs, so that a rerun finds the same or makes it again.
    """
    base = base_of(lake, day, settings, inputs)
    recipe = recipe_of(settings, base)
    is_there = (room / RECIPE).exists() and read_recipe(room) == recipe
    if is_there:
        return base
    train = tokenised(base.tokenizer, training_lessons(lake, day, settings, base))
    valid = evenly(
        tokenised(base.tokenizer, lessons_of(lake, day, settings, base, "valid", ("next_item",))), MAX_VALID
    )
    for part, found in (("train", train), ("valid", valid)):
        if not len(found.learned_N):
            raise LakeError(
                f"recommend_instructions ds={day} has no {part} row for recommend.split: {settings.split}: a recommender "
                "needs rows to learn from and rows that say when to stop; take more days (recommend.history_days)"
            )
        save_examples(room, part, found)
    save_network(base.network, room / BASE)
    write_atomically(room / RECIPE, recipe.as_json().encode())
    log.info(
        "recommender: %d parameters learn %d tokens in %d examples, %d say when to stop",
        base.network.num_parameters(), train.learned_N.sum(), len(train.learned_N), len(valid.learned_N),
    )  # fmt: skip
    return base


def base_of(lake: Lake, day: str, settings: Recommend, inputs: Inputs) -> Base:
    """The network before it learns, and its tokenizer."""
    if inputs.base_folder is not None:
        return language_model_base(inputs.base_folder, inputs.sizes, settings.seed)
    known = [Profile(), *training_profiles(lake, day)]
    words = {word for profile in known for word in profile_words(profile)}
    if settings.model == LAZY:
        return lazy_base(settings, inputs.sizes, words, codes_of(lake, day))
    titles: list[str] = []
    if settings.tasks == "mixed":
        words |= {task_word(task) for task in TASKS}
        titles = _texts(lake, day, settings)
    return compact_base(settings, inputs.sizes, words, titles)


def _texts(lake: Lake, day: str, settings: Recommend) -> list[str]:
    """Inputs and answers of the tasks about titles."""
    rows = instruction_rows(lake, day, settings.split, "train", TASKS[1:], languages_of(settings))
    found: list[str] = []
    for row in rows:
        found += [row.instruction.input, row.instruction.output]
        if len(found) >= TITLES:
            break
    return found


def languages_of(settings: Recommend) -> tuple[str, ...]:
    """The languages of templates that are learned from."""
    return ("en", "zh") if settings.languages == "both" else (settings.languages,)


def learns_windows(settings: Recommend) -> bool:
    """Whether the model reads a stretch of a history once and learns every answer in it."""
    return settings.model in (LAZY, "causal")


def training_lessons(lake: Lake, day: str, settings: Recommend, base: Base) -> Iterator[Lesson]:
    """Everything to learn from: next items, in windows where the network can read them so, and the tasks about titles."""
    if learns_windows(settings):
        yield from windows(
            instruction_rows(lake, day, settings.split, "train", ("next_item",)), settings.history
        )
    else:
        yield from lessons_of(lake, day, settings, base, "train", ("next_item",))
    if settings.tasks == "mixed":
        yield from lessons_of(lake, day, settings, base, "train", TASKS[1:])


def lessons_of(
    lake: Lake, day: str, settings: Recommend, base: Base, part: str, tasks: tuple[str, ...]
) -> Iterator[Lesson]:
    """One lesson for every row of a part."""
    is_terse = base.style == "terse"
    for task in tasks:
        needs_language = not is_terse or task != "next_item"
        languages = languages_of(settings) if needs_language else ()
        for row in instruction_rows(lake, day, settings.split, part, (task,), languages):
            yield terse_lesson(row, settings.history) if is_terse else sentence_lesson(row)


def evenly(examples: Examples, limit: int) -> Examples:
    """At most so many examples, evenly spread."""
    count = len(examples.learned_N)
    if count <= limit:
        return examples
    kept = np.arange(limit) * count // limit
    pieces = [examples.token_M[examples.indptr_N1[row] : examples.indptr_N1[row + 1]] for row in kept]
    indptr_N1 = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    return Examples(np.concatenate(pieces), indptr_N1, examples.learned_N[kept])


def recipe_of(settings: Recommend, base: Base) -> Recipe:
    """How this network is trained."""
    return Recipe(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        patience=settings.patience,
        seed=settings.seed,
        sizes=base.id_tokens.sizes,
        first=base.id_tokens.first,
        pad=base.tokenizer.pad_token_id,
        is_encoder_decoder=base.is_encoder_decoder,
        processes=settings.processes,
        parts=settings.parts,
        precision=settings.precision,
        lora_rank=settings.lora_rank,
        noise=Noise() if settings.noise and settings.model == "causal" else None,
        is_lazy=settings.model == LAZY,
        averaging=AVERAGING if settings.model == LAZY else 0.0,
    )


def facts_of(
    day: str, settings: Recommend, inputs: Inputs, base: Base, recipe: Recipe, learned: State
) -> dict[str, Any]:
    """The manifest: what the recommender depends on, how it was trained, and how that went."""
    return {
        "trained_on": {"day": day, **dict(inputs.reads)},
        "depends_on": {"reads": dict(inputs.reads), "code": code_hash(), "base": inputs.base_files},
        "quantizer": inputs.quantizer,
        "quantizer_manifest": inputs.quantizer_manifest,
        "sizes": list(inputs.sizes),
        "first_id_token": base.id_tokens.first,
        "settings": learned_from(settings),
        "is_encoder_decoder": base.is_encoder_decoder,
        "prompt_style": base.style,
        "language": "zh" if settings.languages == "zh" else "en",
        "num_parameters": base.network.num_parameters(),
        "versions": {name: version(name) for name in PACKAGES},
        **{name: value for name, value in learned.facts.items() if name != "recipe"},
    }
