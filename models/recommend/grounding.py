"""From what a model said to a note of the catalogue, after BIGRec (arXiv 2308.08434, section 3.3).

In: vectors of answers (generated titles, or decoded IDs that no note has) and of all notes, by the same encoder. Out: the
nearest notes. The distance of each note is scaled to 0..1 among all notes and divided by (1 + boost)^gamma, boost being the
note's popularity or collaborative score, scaled likewise. Notes are read in chunks, twice: once for the range of distances.

Shapes: Q answers, N notes, E dimensions, C notes of a chunk, R nearest notes, M notes that a request has scores of.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.recommend.mixing import ItemScores

CHUNK = 1 << 14
Boost: TypeAlias = Tensor | ItemScores


class Nearest(NamedTuple):
    """The notes nearest to each answer, nearest first, and their scaled distances; -1 and infinity after the last note."""

    place_QR: Tensor
    distance_QR: Tensor


def nearest(
    vector_QE: Tensor, note_NE: Tensor, top: int, boost: Boost | None = None, gamma: float = 1.0, chunk: int = CHUNK
) -> Nearest:
    """The `top` notes by scaled distance over (1 + boost)^gamma. Of equal ones the first in the catalogue comes first.

    `boost` is one number a note [N], or scores of a few notes a request (`ItemScores` of note places; the others have 0).
    Raises `ValueError` where shapes do not fit, or a number is out of its range.
    """
    _require(vector_QE, note_NE, top, boost, gamma, chunk)
    scaled, low_Q1, high_Q1 = _scaled_boost(boost, len(note_NE)), *_range(vector_QE, note_NE, chunk)
    best = Nearest(low_Q1.new_zeros((len(low_Q1), 0), dtype=torch.long), low_Q1[:, :0])
    for first in range(0, len(note_NE), chunk):
        distance_QC = _distances(vector_QE, note_NE[first : first + chunk])
        distance_QC = (distance_QC - low_Q1) / torch.where(high_Q1 > low_Q1, high_Q1 - low_Q1, 1.0)
        if scaled is not None:
            distance_QC = distance_QC / (1 + _of_chunk(scaled, first, distance_QC)) ** gamma
        best = _merged(best, distance_QC, first, top)
    missing = top - best.place_QR.shape[1]
    return Nearest(pad(best.place_QR, (0, missing), value=-1), pad(best.distance_QR.float(), (0, missing), value=math.inf))


def fill_invalid(place_QB: Tensor, vector_QBE: Tensor, note_NE: Tensor, chunk: int = CHUNK) -> Tensor:
    """place_QB with the nearest note in the place of every negative one: an ID that no note has, by its decoded vector."""
    is_invalid_QB = place_QB < 0
    if not bool(is_invalid_QB.any()):
        return place_QB
    found = nearest(vector_QBE[is_invalid_QB], note_NE, 1, chunk=chunk).place_QR[:, 0]
    return place_QB.masked_scatter(is_invalid_QB, found)


def _distances(vector_QE: Tensor, note_CE: Tensor) -> Tensor:
    """In float64: the distance of two like vectors is a difference of large numbers, and titles do repeat."""
    return torch.cdist(vector_QE.double(), note_CE.double(), compute_mode="use_mm_for_euclid_dist")


def _range(vector_QE: Tensor, note_NE: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """The least and the greatest distance of every answer. Raises `ValueError` where one is not a number."""
    ends = [_distances(vector_QE, note_CE).aminmax(dim=1) for note_CE in note_NE.split(chunk)]
    low_Q1 = torch.stack([end.min for end in ends], dim=1).amin(1, keepdim=True)
    high_Q1 = torch.stack([end.max for end in ends], dim=1).amax(1, keepdim=True)
    if not bool((low_Q1.isfinite() & high_Q1.isfinite()).all()):
        raise ValueError("a vector of the answers or the notes has numbers that are not finite: the encoder is broken")
    return low_Q1, high_Q1


def _scaled_boost(boost: Boost | None, num_notes: int) -> Boost | None:
    """From 0 to 1: a number a note among all notes; scores of a few notes among them and the others' 0."""
    if isinstance(boost, ItemScores):
        is_there_QM = (boost.place_QM >= 0) & (boost.place_QM < num_notes)
        share_QM = boost.share_QM.float().masked_fill(~is_there_QM, 0.0)
        most_Q1 = share_QM.amax(1, keepdim=True)
        return ItemScores(boost.place_QM, share_QM / torch.where(most_Q1 > 0, most_Q1, 1.0))
    if boost is None:
        return None
    boost_N = boost.float()
    spread = boost_N.max() - boost_N.min()
    return (boost_N - boost_N.min()) / torch.where(spread > 0, spread, 1.0)


def _of_chunk(boost: Boost, first: int, distance_QC: Tensor) -> Tensor:
    """The scaled boost of the notes of a chunk: [C], or [Q, C]."""
    size = distance_QC.shape[1]
    if not isinstance(boost, ItemScores):
        return boost[first : first + size]
    at_QM = boost.place_QM - first
    is_here_QM = (at_QM >= 0) & (at_QM < size)
    found = torch.zeros_like(distance_QC)
    share_QM = boost.share_QM.to(found.dtype).masked_fill(~is_here_QM, 0.0)
    return found.scatter_reduce(1, at_QM.clamp(0, size - 1), share_QM, reduce="amax")


def _merged(best: Nearest, distance_QC: Tensor, first: int, top: int) -> Nearest:
    """The nearest of those so far and of one more chunk; ties stay in order of the catalogue."""
    place_C = torch.arange(first, first + distance_QC.shape[1], device=distance_QC.device)
    distance_QX = torch.cat([best.distance_QR, distance_QC], dim=1)
    place_QX = torch.cat([best.place_QR, place_C.expand_as(distance_QC)], dim=1)
    kept = min(top, distance_QX.shape[1])
    last_Q1 = distance_QX.kthvalue(kept, dim=1, keepdim=True).values
    is_nearer_QX, is_last_QX = distance_QX < last_Q1, distance_QX == last_Q1
    room_Q1 = kept - is_nearer_QX.sum(1, keepdim=True)
    is_kept_QX = is_nearer_QX | (is_last_QX & (is_last_QX.cumsum(1) <= room_Q1))  # as many of each row
    at_QR = is_kept_QX.nonzero()[:, 1].view(-1, kept)
    distance_QR, order_QR = distance_QX.gather(1, at_QR).sort(dim=1, stable=True)
    return Nearest(place_QX.gather(1, at_QR).gather(1, order_QR), distance_QR)


def _require(
    vector_QE: Tensor, note_NE: Tensor, top: int, boost: Boost | None, gamma: float, chunk: int
) -> None:
    if vector_QE.ndim != 2 or note_NE.ndim != 2 or vector_QE.shape[1] != note_NE.shape[1] or not len(note_NE):
        raise ValueError(
            f"answers {tuple(vector_QE.shape)} and notes {tuple(note_NE.shape)} must be rows of as many numbers, "
            "and at least one note"
        )
    if top < 1 or chunk < 1 or gamma < 0:
        raise ValueError(f"top {top} and chunk {chunk} must be 1 or more, gamma {gamma} 0 or more")
    if isinstance(boost, Tensor) and boost.shape != (len(note_NE),):
        raise ValueError(f"a boost is one number a note, {len(note_NE)} in all; its shape is {tuple(boost.shape)}")
    if isinstance(boost, ItemScores) and len(boost.place_QM) != len(vector_QE):
        raise ValueError(f"scores of {len(boost.place_QM)} requests for {len(vector_QE)} answers")
