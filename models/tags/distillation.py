"""How a student learns a teacher's tags: losses on replies, what is drawn how often, and when the two agree.

Two tasks from one reply, after step-by-step distillation (Hsieh et al. 2023, arXiv 2305.02301, section 3.2): the rationale
(`chain`, the reply as it came) and the answer (`tags`, its grounded tags alone), so that a student answers with tags
alone. Sampling, hard examples and slices are ours. Shapes: B replies, T tokens, V the vocabulary, K the teacher's best
tokens, N notes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.tags.chain import PICTURE, folded
from models.tags.prompt import Task

if TYPE_CHECKING:
    from torch import Tensor

Slice = Literal["frozen", "stopping", "training"]
IGNORED = -100  # the label of a token that nothing is learned from: prompt and padding
FROZEN_PERCENT, STOPPING_PERCENT = 15, 7  # of all notes, by the hash of their id


class Told(NamedTuple):
    """How well a student tells replies: loss_B (nats a token), wrong_B (share of tokens that it would have said
    otherwise), and the mean loss over all tokens of the batch."""

    loss_B: Tensor
    wrong_B: Tensor
    mean_loss: Tensor


def reply_loss(logits_BTV: Tensor, tokens_BT: Tensor) -> Told:
    """Cross-entropy of reply tokens. `logits_BTV[:, t]` speaks of `tokens_BT[:, t]`; `IGNORED` tokens count for nothing."""
    import torch.nn.functional as F

    is_reply_BT = tokens_BT != IGNORED
    loss_BT = F.cross_entropy(
        logits_BTV.float().transpose(1, 2), tokens_BT, ignore_index=IGNORED, reduction="none"
    )
    wrong_BT = (logits_BTV.argmax(-1) != tokens_BT) & is_reply_BT
    num_B = is_reply_BT.sum(1).clamp(min=1)
    return Told(loss_BT.sum(1) / num_B, wrong_BT.sum(1) / num_B, loss_BT.sum() / is_reply_BT.sum().clamp(min=1))


def top_k_divergence(logits_TV: Tensor, ids_TK: Tensor, logprobs_TK: Tensor) -> Tensor:
    """Forward KL of the teacher's distribution from the student's, in nats a token; all tokens beside the teacher's
    best K are one bucket on both sides, so that nothing is assumed of what was not stored."""
    import torch

    log_q_TV = logits_TV.float().log_softmax(-1)
    p_TK = logprobs_TK.float().exp()
    known_T = (p_TK * (logprobs_TK.float() - log_q_TV.gather(-1, ids_TK))).sum(-1)
    if ids_TK.shape[-1] == logits_TV.shape[-1]:
        return known_T.mean()
    # Rounding can lift the sum of K probabilities over 1; then there is no rest.
    rest_T = (1 - p_TK.sum(-1)).clamp(min=1e-7)
    log_q_rest_T = log_q_TV.scatter(-1, ids_TK, -torch.inf).logsumexp(-1)
    return (known_T + rest_T * (rest_T.log() - log_q_rest_T)).mean()


def category_weights(categories: Sequence[str], temperature: float) -> NDArray[np.float64]:
    """weight_N, summing to 1: a category of n notes is drawn in proportion to n^(1/temperature), its notes alike.

    1 leaves categories as they come, a high temperature makes them equal (the smoothing of multilingual training, as in
    XLM-R, arXiv 1911.02116, section 3.1).
    """
    sizes = Counter(categories)
    weight_N = np.array([sizes[c] ** (1 / temperature) / sizes[c] for c in categories])
    return weight_N / weight_N.sum()


def with_hard_examples(
    weight_N: NDArray[np.float64], wrong_N: NDArray[np.float64], emphasis: float
) -> NDArray[np.float64]:
    """`weight_N` with notes drawn up to 1 + `emphasis` times as often, the more of their reply the student gets wrong."""
    raised_N = weight_N * (1 + emphasis * wrong_N)
    return raised_N / raised_N.sum()


def drawn(weight_N: NDArray[np.float64], count: int, dice: np.random.Generator) -> NDArray[np.int64]:
    """`count` note numbers in random order: each note `count * weight` times, rounded down or up by chance.

    Systematic sampling: with replacement a round would leave out a third of all notes by bad luck alone.
    """
    order_N = dice.permutation(len(weight_N))
    edges_N = np.cumsum(weight_N[order_N])
    points = (dice.random() + np.arange(count)) / count * edges_N[-1]
    found = order_N[np.minimum(np.searchsorted(edges_N, points, side="right"), len(order_N) - 1)]
    return dice.permutation(found)


def tasks(count: int, rationale_weight: float, dice: np.random.Generator) -> list[Task]:
    """The task of each of `count` draws: `chain` with probability w / (1 + w), so that the expected loss is in
    proportion to L_tags + w * L_chain at the cost of one reply a draw."""
    share = rationale_weight / (1 + rationale_weight)
    return ["chain" if value < share else "tags" for value in dice.random(count)]


def tags_reply(
    dimensions: Sequence[str], tags: Sequence[str], evidence: Sequence[str], *, sees_picture: bool = True
) -> str:
    """The grounded tags as a reply to the task `tags`; without those from the picture where it is not seen, because a
    student would learn to make them up."""
    rows = zip(dimensions, tags, evidence, strict=True)
    values = [
        {"dimension": d, "value": t, "evidence": e}
        for d, t, e in rows
        if sees_picture or folded(e) != PICTURE
    ]
    return json.dumps({"values": values}, ensure_ascii=False)


def slice_of(note_id: str) -> Slice:
    """Which notes judge promotion (`frozen`), which say when to stop, and which are learned from; for good, by hash."""
    place = int(hashlib.sha256(f"tagger slice {note_id}".encode()).hexdigest()[:12], 16) % 100
    if place < FROZEN_PERCENT:
        return "frozen"
    return "stopping" if place < FROZEN_PERCENT + STOPPING_PERCENT else "training"


class Agreement(NamedTuple):
    """Tags of a student held against a teacher's: how many both gave, the student gave, the teacher gave."""

    num_both: int
    num_student: int
    num_teacher: int

    @property
    def f1(self) -> float:
        """2 * both / (student + teacher); 1 where neither gave a tag."""
        given = self.num_student + self.num_teacher
        return 2 * self.num_both / given if given else 1.0

    @property
    def precision(self) -> float:
        """Share of the student's tags that the teacher gave; 1 where the student gave none."""
        return self.num_both / self.num_student if self.num_student else 1.0

    @property
    def recall(self) -> float:
        """Share of the teacher's tags that the student gave; 1 where the teacher gave none."""
        return self.num_both / self.num_teacher if self.num_teacher else 1.0


def agreement(student: Iterable[tuple[str, str]], teacher: Iterable[tuple[str, str]]) -> Agreement:
    """The two sides' (dimension, value) of one note, compared as folded text."""
    left, right = ({(folded(d), folded(v)) for d, v in side} for side in (student, teacher))
    return Agreement(len(left & right), len(left), len(right))


def pooled(parts: Iterable[Agreement]) -> Agreement:
    """Many notes' agreements as one: the counts are added, so that a note counts by its tags."""
    counts = list(parts)
    return Agreement(*(sum(part[i] for part in counts) for i in range(3)))
