"""From an answer to the nearest note: BIGRec's formula by hand, in any chunks, with ties in order of the catalogue."""

from __future__ import annotations

import math

import pytest
import torch

from models.recommend.grounding import fill_invalid, nearest
from models.recommend.mixing import ItemScores

# Notes on a line; the answer at 0 is 0, 1, 2 and 5 away from them: scaled 0, 0.2, 0.4 and 1.
LINE = torch.tensor([[0.0], [1.0], [2.0], [5.0]])
ZERO = torch.tensor([[0.0]])


def test_the_nearest_notes_by_hand() -> None:
    found = nearest(torch.tensor([[0.0], [4.0]]), LINE, top=3)
    assert found.place_QR.tolist() == [[0, 1, 2], [3, 2, 1]]  # 4 is 4, 3, 2 and 1 away
    assert found.distance_QR[0].tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert found.distance_QR[1].tolist() == pytest.approx([0.0, 1 / 3, 2 / 3])


def test_distances_are_euclidean() -> None:
    found = nearest(torch.zeros(1, 2), torch.tensor([[3.0, 4.0], [0.0, 1.0], [0.0, 11.0]]), top=3)
    assert found.place_QR.tolist() == [[1, 0, 2]]
    assert found.distance_QR[0].tolist() == pytest.approx([0.0, 0.4, 1.0])


def test_popular_notes_come_nearer_by_hand() -> None:
    """Counts 10, 10, 30 and 110 are 0, 0, 0.2 and 1: with gamma 1 distances are 0, 0.2, 0.4 / 1.2 and 1 / 2."""
    counts = torch.tensor([10, 10, 30, 110])
    found = nearest(ZERO, LINE, 4, boost=counts)
    assert found.distance_QR[0].tolist() == pytest.approx([0.0, 0.2, 1 / 3, 0.5])
    strong = nearest(ZERO, LINE, 4, boost=counts, gamma=10.0)
    assert strong.place_QR.tolist() == [[0, 3, 2, 1]]  # 1 / 1024, 0.4 / 6.19 and 0.2
    assert strong.distance_QR[0].tolist() == pytest.approx([0.0, 1 / 1024, 0.4 / 1.2**10, 0.2])


def test_gamma_zero_and_equal_counts_change_nothing() -> None:
    plain = nearest(ZERO, LINE, 4)
    for boost, gamma in ((torch.tensor([1, 2, 3, 4]), 0.0), (torch.tensor([7, 7, 7, 7]), 5.0)):
        assert torch.equal(nearest(ZERO, LINE, 4, boost=boost, gamma=gamma).distance_QR, plain.distance_QR)


def test_scores_of_a_few_notes_count_for_their_request_alone() -> None:
    """Of request 0 note 3 has the most (1), note 2 half of it: 0, 0.2, 0.4 / 1.5^2 and 1 / 4."""
    scores = ItemScores(torch.tensor([[3, 2], [-1, -1]]), torch.tensor([[0.6, 0.3], [9.0, 9.0]]))
    found = nearest(ZERO.repeat(2, 1), LINE, 4, boost=scores, gamma=2.0)
    assert found.place_QR.tolist() == [[0, 2, 1, 3], [0, 1, 2, 3]]
    assert found.distance_QR[0].tolist() == pytest.approx([0.0, 0.4 / 2.25, 0.2, 0.25])
    assert found.distance_QR[1].tolist() == pytest.approx([0.0, 0.2, 0.4, 1.0])


def test_any_chunks_give_what_a_whole_matrix_gives() -> None:
    generator = torch.Generator().manual_seed(4)
    vector_QE, note_NE = torch.randn(7, 5, generator=generator), torch.randn(61, 5, generator=generator)
    counts = torch.rand(61, generator=generator)
    scores = ItemScores(
        torch.stack([torch.randperm(61, generator=generator)[:9] for _ in range(7)]), torch.rand(7, 9, generator=generator)
    )
    distance_QN = (vector_QE[:, None] - note_NE).norm(dim=-1)
    low, high = distance_QN.amin(1, keepdim=True), distance_QN.amax(1, keepdim=True)
    dense_QN = torch.zeros(7, 61).scatter(1, scores.place_QM, scores.share_QM / scores.share_QM.amax(1, keepdim=True))
    scaled_N = (counts - counts.min()) / (counts.max() - counts.min())
    for boost, boost_QN in ((None, torch.zeros(1, 61)), (counts, scaled_N[None]), (scores, dense_QN)):
        expected = ((distance_QN - low) / (high - low) / (1 + boost_QN) ** 0.7).sort(dim=1)
        for chunk in (1, 10, 61, 1000):
            found = nearest(vector_QE, note_NE, 12, boost=boost, gamma=0.7, chunk=chunk)
            assert torch.equal(found.place_QR, expected.indices[:, :12])
            assert torch.allclose(found.distance_QR, expected.values[:, :12], atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_notes_of_one_vector_come_in_order_of_the_catalogue(chunk: int) -> None:
    notes = torch.tensor([[2.0], [1.0], [1.0], [3.0], [1.0]])
    assert nearest(ZERO, notes, 2, chunk=chunk).place_QR.tolist() == [[1, 2]]
    assert nearest(ZERO, notes, 4, chunk=chunk).place_QR.tolist() == [[1, 2, 4, 0]]


def test_after_the_last_note_there_is_none() -> None:
    found = nearest(ZERO, LINE[:2], 4)
    assert found.place_QR.tolist() == [[0, 1, -1, -1]]
    assert found.distance_QR.tolist() == [[0.0, 1.0, math.inf, math.inf]]


def test_a_catalogue_of_one_note_is_at_no_distance() -> None:
    assert nearest(ZERO, LINE[3:], 1).distance_QR.tolist() == [[0.0]]


def test_a_note_far_from_the_origin_is_at_no_distance_from_itself() -> None:
    """In float32 the difference of the squares would be noise."""
    notes = torch.tensor([[1000.0, 1000.001], [1000.0, 1000.0]])
    assert nearest(notes[1:], notes, 1).place_QR.tolist() == [[1]]


def test_ids_that_no_note_has_are_replaced_by_the_nearest_note() -> None:
    place = torch.tensor([[2, -1], [-3, 0]])
    vectors = torch.tensor([[[0.0], [4.9]], [[1.2], [0.0]]])
    assert fill_invalid(place, vectors, LINE).tolist() == [[2, 3], [1, 0]]
    assert torch.equal(fill_invalid(place.clamp(min=0), vectors, LINE), place.clamp(min=0))


@pytest.mark.parametrize(
    ("vectors", "notes", "how", "message"),
    [
        (torch.zeros(1, 2), LINE, {}, r"answers \(1, 2\) and notes \(4, 1\) must be rows of as many numbers"),
        (ZERO, LINE[:0], {}, "at least one note"),
        (ZERO, LINE, {"top": 0}, "top 0 and chunk"),
        (ZERO, LINE, {"gamma": -1.0}, "gamma -1.0 0 or more"),
        (ZERO, LINE, {"boost": torch.zeros(3)}, r"one number a note, 4 in all; its shape is \(3,\)"),
        (ZERO, LINE, {"boost": ItemScores(torch.zeros(2, 1).long(), torch.zeros(2, 1))}, "of 2 requests for 1 answers"),
        (torch.tensor([[math.nan]]), LINE, {}, "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(vectors: torch.Tensor, notes: torch.Tensor, how: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest(vectors, notes, **{"top": 1, **how})
