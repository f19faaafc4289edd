"""Who recommends on a day: the recommender that was current as of it, whole, and in the words of the day's IDs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jobs.artifact import Artifacts
from jobs.bounds import require_within
from jobs.ids.catalogue_trie import binding_of, trie_of
from jobs.lake import Lake, LakeError
from jobs.recommend.promotions import KIND, current_recommender
from jobs.recommend.settings import Recommend
from jobs.staging import file_hash


class Speaker(NamedTuple):
    """The current recommender, its quantizer and the partition of IDs that the day's trie belongs to; empty where none is
    promoted yet."""

    recommender: str = ""
    quantizer: str = ""
    trie: str = ""


def speaker_of(lake: Lake, day: str) -> Speaker:
    """Who speaks on a day. Raises `LakeError` where the recommender is not whole, where the day's IDs are of another
    generation than its own, or where their trie is missing, stale or damaged."""
    generation = current_recommender(lake, day)
    if generation is None:
        return Speaker()
    require_whole(lake, generation)
    manifest, binding = Artifacts(lake, KIND).manifest(generation), binding_of(lake, day)
    if manifest["quantizer"] != binding.generation:
        raise LakeError(
            f"recommender {generation} speaks codes of quantizer {manifest['quantizer']}, semantic_ids ds={day} are codes "
            f"of {binding.generation}: train and promote a recommender on the new IDs (train_recommender --day {day}, "
            "evaluate_recommender, promote_recommender), or promote one of that generation by name"
        )
    found = trie_of(lake, day, binding.generation)
    require_words(generation, manifest["sizes"], found.trie.sizes)
    return Speaker(generation, binding.generation, binding.partition)


def require_whole(lake: Lake, generation: str) -> None:
    """Raise `LakeError` where a generation is not there, or a file of it is not the one that its manifest names."""
    artifacts = Artifacts(lake, KIND)
    folder = artifacts.folder(generation)
    for name, wanted in artifacts.manifest(generation)["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != wanted:
            raise LakeError(
                f"{folder / name} is not the file that its manifest names: restore it, or promote another recommender"
            )


def require_words(generation: str, words: Sequence[int], codes: Sequence[int]) -> None:
    """Raise `LakeError` where the day's IDs have codes that the recommender has no word for.

    A level added against collisions grows from day to day, and the recommender has words to spare for it.
    """
    if len(words) != len(codes) or any(have < need for have, need in zip(words, codes, strict=True)):
        raise LakeError(
            f"wrong vocabulary: the day's IDs have levels of {tuple(codes)} codes, recommender {generation} has words for "
            f"{tuple(words)}: train a recommender on the day (train_recommender), and promote it"
        )


def require_servable(settings: Recommend) -> None:
    """Raise `LakeError` where the configured settings make no lists."""
    bounds = (
        ("history_days", 1, 3650),
        ("history", 1, 200),
        ("top", 1, 1000),
        ("beams", 1, 10_000),
        ("guidance", 0, 1),
        ("content", 0, 1),
        ("max_judged", 1, 100_000_000),
    )
    require_within("recommend", settings, bounds)
