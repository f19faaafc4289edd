"""A recommender on a day's catalogue: from users to the best IDs of that day, leaf by leaf of its trie.

The trie is the day's, so that notes which came after the training are reachable, and notes that are gone are not. Batches
are of a fixed number of users, cut in the order given: the same users in the same order have the same scores.

Shapes: Q users, B beams, L levels, M notes that the collaborative scorer names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.ids.catalogue_trie import CatalogueTrie
from jobs.recommend.collaborative_leaves import Voice, heard, leaf_scores, voice_of
from jobs.recommend.content_neighbours import ContentNotes
from jobs.recommend.recommender import Recommender
from jobs.recommend.speaker import require_words
from models.ids.trie import DenseLevel, Level, Trie
from models.ids.trie_torch import DeviceTrie, on_device
from models.recommend.decoding import Prompt, beam_search, catalogue_states, free_beam_search
from models.recommend.mixing import ItemScores, LeafRanges, Mix, leaf_ranges
from models.recommend.prompts import Profile

USERS_A_CALL = 64


class Asked(NamedTuple):
    """Users: their histories as notes and as IDs, the latest last, and their profiles."""

    note_ids: Sequence[Sequence[str]]
    semantic_ids: Sequence[Sequence[str]]
    profiles: Sequence[Profile]


class Leaves(NamedTuple):
    """leaf_QB, -1 where there is none, best first, their scores (minus infinity: no beam) and codes."""

    leaf_QB: NDArray[np.int64]
    score_QB: NDArray[np.float32]
    codes_QBL: NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """What a search needs, on one device."""

    recommender: Recommender
    catalogue: CatalogueTrie
    trie: DeviceTrie
    ranges: LeafRanges
    counts: Voice
    content: Voice | None
    device: torch.device

    def constrained(self, asked: Asked, num_beams: int, guidance: float, *, exclude_seen: bool) -> Leaves:
        """The best IDs of the catalogue; below a guidance of 1 mixed with the collaborative scorer."""
        longest = max(map(len, asked.note_ids), default=0)
        voices = [voice for voice in (self.counts, self.content) if voice is not None and guidance < 1]
        # One look-up for all users: it costs a pass over all notes.
        told = [(voice, voice.items(asked.note_ids, longest)) for voice in voices]

        def searched(at: slice) -> Leaves:
            mix = None
            if told:
                said = [leaf_scores(voice, items[at], exclude_seen=exclude_seen) for voice, items in told]
                scores = heard(said[0], said[1], voices[1].share) if len(said) > 1 else said[0]
                mix = Mix(ItemScores(*(tensor.to(self.device) for tensor in scores)), self.ranges, guidance)
            prompt = self._prompt(asked, at)
            found = beam_search(self.recommender.decoder, prompt, self.trie, num_beams, mix)
            leaf_QB = found.state_QB.masked_fill(found.state_QB < 0, -1)
            return Leaves(*(tensor.cpu().numpy() for tensor in (leaf_QB, found.score_QB, found.code_QBL)))

        return self._in_parts(len(asked.profiles), num_beams, searched)

    def free(self, asked: Asked, num_beams: int) -> Leaves:
        """The best IDs whether or not a note has them; the leaf of one that none has is -1."""

        def searched(at: slice) -> Leaves:
            found = free_beam_search(self.recommender.decoder, self._prompt(asked, at), num_beams)
            state_QB = catalogue_states(self.trie, found.code_QBL)
            is_there_QB = (state_QB >= 0) & torch.isfinite(found.score_QB)
            leaf_QB = state_QB.masked_fill(~is_there_QB, -1)
            return Leaves(*(tensor.cpu().numpy() for tensor in (leaf_QB, found.score_QB, found.code_QBL)))

        return self._in_parts(len(asked.profiles), num_beams, searched)

    def _prompt(self, asked: Asked, at: slice) -> Prompt:
        made = self.recommender.prompt(
            [list(ids) for ids in asked.semantic_ids[at]], list(asked.profiles[at])
        )
        return Prompt(made.token_QT.to(self.device), made.mask_QT.to(self.device))

    def _in_parts(self, num_users: int, num_beams: int, searched: Callable[[slice], Leaves]) -> Leaves:
        starts = range(0, num_users, USERS_A_CALL)
        found = [searched(slice(start, start + USERS_A_CALL)) for start in starts]
        if not found:
            none_QB = np.empty((0, num_beams))
            codes_QBL = np.empty((0, num_beams, len(self.trie.sizes)), dtype=np.int64)
            return Leaves(none_QB.astype(np.int64), none_QB.astype(np.float32), codes_QBL)
        return Leaves(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def search_of(
    recommender: Recommender,
    catalogue: CatalogueTrie,
    content: ContentNotes | None = None,
    share: float = 0.0,
    device: str = "",
) -> Search:
    """Everything on a device; without one named, on an accelerator where there is one. `share` is that of neighbours by
    content beside counts.

    Raises `LakeError` where the catalogue has codes that the recommender has no word for.
    """
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    recommender.network.to(chosen)
    trie = on_device(widened(catalogue.trie, recommender), chosen)
    counts = voice_of(*recommender.collaborative, catalogue, 1.0)
    near = None if content is None else voice_of(*content, catalogue, share)
    return Search(recommender, catalogue, trie, leaf_ranges(trie), counts, near, chosen)


def widened(trie: Trie, recommender: Recommender) -> Trie:
    """The same trie with the recommender's vocabularies. Raises `LakeError` where it has too few words."""
    sizes = recommender.id_tokens.sizes
    require_words(recommender.generation, sizes, trie.sizes)

    def level(found: Level, size: int) -> Level:
        if not isinstance(found, DenseLevel):
            return found
        missing = size - found.next_SK.shape[1]
        return DenseLevel(np.pad(found.next_SK, ((0, 0), (0, missing)), constant_values=-1))

    levels = tuple(level(*pair) for pair in zip(trie.levels, sizes, strict=True))
    return Trie(sizes, levels, trie.note_indptr_S1)
