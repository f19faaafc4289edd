"""Two voices as one scorer: what counts say, and what content says, each as a distribution over the notes.

score = (1 - content share) * counts + content share * content; where one of the two has nothing to say of a history, the
other has all. The share is of what is left once the notes of the history are masked: else a history that counts lead back
into would be told mostly by content.

Shapes: Q cases, T places of a history (-1 is no note), N notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from models.recommend.content import Content
from models.recommend.markov_knn import TRACE, MarkovKnn
from models.recommend.neighbours import Ranked, ranked, without_seen
from models.recommend.sequences import Items

Floats = NDArray[np.float64]


class Shares(NamedTuple):
    """Of every case, the share of each voice; both 0 where neither has anything to say."""

    counts_Q: Floats
    content_Q: Floats


@dataclass(frozen=True)
class Voices:
    """Counts and content about the same N notes; `share` is content's. Raises `ValueError` where they are not."""

    counts: MarkovKnn
    content: Content
    share: float

    def __post_init__(self) -> None:
        if self.counts.num_items != self.content.num_items:
            raise ValueError(
                f"counts speak of {self.counts.num_items} notes, content of {self.content.num_items}: it must be the same"
            )

    @property
    def num_items(self) -> int:
        """N."""
        return self.counts.num_items

    def scores(self, history_QT: Items, *, exclude_seen: bool = True) -> NDArray[np.float32]:
        """score_QN of all notes; below all that is spoken for, popularity puts the others in an order."""
        most = max(float(self.counts.num_users_N.max(initial=0)), 1.0)
        trace_N = (TRACE**2 * self.counts.num_users_N / most).astype(np.float32)
        return np.asarray(self._spoken(history_QT, exclude_seen).toarray() + trace_N, dtype=np.float32)

    def top(self, history_QT: Items, k: int, *, exclude_seen: bool = True) -> Ranked:
        """The best `k` notes that a voice speaks for, best first; fewer, or none, where there are no more."""
        return ranked(self._spoken(history_QT, exclude_seen), k)

    def _spoken(self, history_QT: Items, exclude_seen: bool) -> sp.csr_array:
        said = [voice.spoken(history_QT) for voice in (self.counts, self.content)]
        if exclude_seen:
            said = [without_seen(score_QN, history_QT) for score_QN in said]
        total_Q = [np.asarray(score_QN.sum(axis=1), dtype=np.float64).ravel() for score_QN in said]
        share_Q = shares_of(total_Q[0] > 0, total_Q[1] > 0, self.share)
        parts = [
            sp.diags_array(part_Q / np.maximum(whole_Q, 1e-300)) @ score_QN
            for part_Q, whole_Q, score_QN in zip(share_Q, total_Q, said, strict=True)
        ]
        return sp.csr_array(parts[0] + parts[1], dtype=np.float32)


def shares_of(has_counts_Q: NDArray[np.bool_], has_content_Q: NDArray[np.bool_], share: float) -> Shares:
    """The share of each voice, by who has anything to say. Raises `ValueError` for a share outside 0 to 1."""
    if not 0 <= share <= 1:
        raise ValueError(f"content has a share from 0 to 1, not {share}")
    content_Q = np.where(has_content_Q, np.where(has_counts_Q, share, 1.0), 0.0)
    return Shares(np.where(has_counts_Q, 1 - content_Q, 0.0), content_Q)
