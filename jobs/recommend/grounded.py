"""Free decoding, put back into the catalogue: an ID that no note has becomes the ID of the nearest note (after BIGRec).

Near is what the quantizer says of codes: the vectors that it reads from them.

Shapes: Q users, B beams, L levels, S leaves, E width of the quantizer's vectors, M different IDs.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.ids.quantizer import KIND, load_quantizer
from jobs.lake import Lake, LakeError
from jobs.recommend.search import Leaves
from models.ids.tokenizer import Tokenizer, UnknownPrefixError
from models.ids.trie import Trie
from models.recommend.grounding import nearest

log = logging.getLogger("notemill")
MAX_LEAVES = 500_000  # above which the distances of all that is invalid to all there is are no small baseline


def grounded(lake: Lake, quantizer: str, trie: Trie, free: Leaves, depth: int) -> Leaves | None:
    """The first `depth` beams of each user, the invalid ones moved; None, with the reason logged, where this quantizer has
    no vectors of codes that it never gave."""
    if len(trie.note_indptr_S1) - 1 > MAX_LEAVES:
        log.info("free_grounded   left out: %d IDs are more than %d", len(trie.note_indptr_S1) - 1, MAX_LEAVES)
        return None
    try:
        return moved(load_quantizer(Artifacts(lake, KIND), quantizer), trie, free, depth)
    except (UnknownPrefixError, LakeError) as error:
        log.info(
            "free_grounded   left out: quantizer %s reads no vectors from these codes: %s", quantizer, error
        )
        return None


def moved(tokenizer: Tokenizer, trie: Trie, free: Leaves, depth: int) -> Leaves:
    """The same of any tokenizer. Raises `UnknownPrefixError` where it has no vectors of codes that it never gave."""
    kept = Leaves(free.leaf_QB[:, :depth].copy(), free.score_QB[:, :depth], free.codes_QBL[:, :depth].copy())
    is_lost_QB = (kept.leaf_QB < 0) & np.isfinite(kept.score_QB)
    if not is_lost_QB.any():
        return kept
    leaf_codes_SL = trie.ids().astype(np.int64)
    lost_ML, at_M = np.unique(kept.codes_QBL[is_lost_QB], axis=0, return_inverse=True)
    lost_ME, leaf_SE = (
        torch.from_numpy(vectors_of(tokenizer, codes_XL)) for codes_XL in (lost_ML, leaf_codes_SL)
    )
    found_M = nearest(lost_ME, leaf_SE, top=1).place_QR[:, 0].numpy()
    kept.leaf_QB[is_lost_QB] = found_M[at_M.reshape(-1)]
    kept.codes_QBL[is_lost_QB] = leaf_codes_SL[kept.leaf_QB[is_lost_QB]]
    return kept


def vectors_of(tokenizer: Tokenizer, codes_ML: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the codes stand for; one more code that only tells equal IDs apart says nothing."""
    return np.asarray(
        tokenizer.reconstruct(codes_ML[:, : tokenizer.levels].astype(np.int32)), dtype=np.float32
    )
