"""Stand-ins: what is replaced by what, how often, and that an epoch's steps are the same ones again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from jobs.recommend.batches import Piece
from jobs.recommend.stand_ins import StandIns, stand_ins_of
from jobs.recommend.steps import Process, Steps
from models.recommend.id_tokens import IdTokens
from models.recommend.soft_targets import Near
from tests.jobs.recommend.small_training import examples, recipe

IDS = IdTokens(10, (4, 4))
CODES = np.array([(0, 0), (1, 1), (2, 2), (3, 3)])
NEAR = Near(
    np.array([[1, 2, 3], [2, -1, -1], [-1, -1, -1], [0, 1, -1]]),
    np.array([[0.5, 0.3, 0.2], [1, 0, 0], [0, 0, 0], [0.5, 0.5, 0]], dtype=np.float32),
)
WORD = 7


@pytest.fixture(scope="module")
def stand_ins() -> StandIns:
    return stand_ins_of(NEAR, CODES, IDS)


def tokens_of(*codes: int) -> list[int]:
    """A word, then notes of codes (n, n)."""
    return [WORD, *(token for code in codes for token in (10 + code, 14 + code))]


def piece_of(*codes: int) -> Piece:
    return Piece(np.array(tokens_of(*codes), dtype=np.int32), 2)


def codes_of(piece: Piece) -> list[int]:
    assert piece.token_T[0] == WORD
    assert (piece.token_T[1::2] + 4 == piece.token_T[2::2]).all()
    return [int(token) - 10 for token in piece.token_T[1::2]]


def test_the_nearest_are_drawn_most_and_a_note_without_neighbours_stays(stand_ins: StandIns) -> None:
    dice = np.random.default_rng(1)
    found = Counter(int(stand_ins.drawn(0, dice)[0]) - 10 for _ in range(4000))
    assert {code: count / 4000 for code, count in found.items()} == pytest.approx(
        {1: 0.5, 2: 0.3, 3: 0.2}, abs=0.03
    )
    assert {int(stand_ins.drawn(1, dice)[0]) - 10 for _ in range(50)} == {2}
    assert stand_ins.drawn(2, dice).tolist() == [12, 16]


def test_a_tenth_of_known_and_learned_notes_is_replaced_by_what_reads_like_them(stand_ins: StandIns) -> None:
    before = piece_of(0, 1, 2, 3, 0)
    found = [stand_ins.replaced(before, np.random.default_rng(seed)) for seed in range(4000)]
    notes = np.array([codes_of(piece) for piece in found])
    assert (notes != [0, 1, 2, 3, 0]).mean(axis=0) == pytest.approx([0.1, 0.1, 0, 0.1, 0.1], abs=0.02)
    assert [set(column) for column in notes.T.tolist()] == [
        {0, 1, 2, 3},
        {1, 2},
        {2},
        {3, 0, 1},
        {0, 1, 2, 3},
    ]
    assert {piece.learned for piece in found} == {2}
    assert before.token_T.tolist() == tokens_of(0, 1, 2, 3, 0)  # what examples hold is not written to


@pytest.mark.parametrize(
    "tokens",
    [
        [WORD, 10, 15, 11, 14],  # codes (0, 1) and (1, 0), which no ID has
        [*tokens_of(0, 1), WORD],  # ends with a word: a title's task
        [WORD, 14],  # half an ID
        [WORD],
    ],
)
def test_what_is_no_id_of_the_catalogue_stays(stand_ins: StandIns, tokens: list[int]) -> None:
    before = Piece(np.array(tokens, dtype=np.int32), 1)
    for seed in range(100):
        assert stand_ins.replaced(before, np.random.default_rng(seed)).token_T.tolist() == tokens


def test_a_pair_is_an_id_with_neighbours_and_one_of_them_after_a_profile(stand_ins: StandIns) -> None:
    found = [stand_ins.pair(piece_of(2, 2, 2), np.random.default_rng(seed)) for seed in range(600)]
    assert {piece.learned for piece in found} == {2}
    pairs = Counter(tuple(codes_of(piece)) for piece in found)
    assert set(pairs) == {(0, 1), (0, 2), (0, 3), (1, 2), (3, 0), (3, 1)}
    assert pairs[1, 2] / 600 == pytest.approx(1 / 3, abs=0.06)  # of three IDs that have neighbours


def steps(rank: int = 0, count: int = 1) -> Steps:
    """Steps of 10 examples, by 4; 16 IDs, of which the next one always reads alike."""
    ids = IdTokens(3, (4, 4))
    codes_NL = np.array([(first, second) for first in range(4) for second in range(4)])
    near = Near((np.arange(16)[:, None] + 1) % 16, np.ones((16, 1), dtype=np.float32))
    process = Process(rank, count, torch.device("cpu"))
    return Steps(examples(), recipe(is_lazy=True), process, stand_ins_of(near, codes_NL, ids))


def rows(found: Steps, step: int) -> list[list[list[int]]]:
    """The tokens of every step of the rest of an epoch."""
    return [
        [row.masked_select(mask > 0).tolist() for row, mask in zip(part.token_BT, part.mask_BT, strict=True)]
        for parts, _ in found.rest_of_epoch(step)
        for part in parts
    ]


def test_an_epoch_has_half_as_many_pairs_as_ids_and_is_the_same_again_from_any_step() -> None:
    one = steps()
    assert (one.stand_ins.num_pairs if one.stand_ins else 0, one.an_epoch) == (8, 5)
    whole = rows(one, 0)
    assert sum(map(len, whole)) == 10 + 8
    assert rows(steps(), 3) == whole[3:]
    assert rows(steps(), 0) == whole
    told = [sorted(row for step in epoch for row in step) for epoch in (whole, rows(steps(), 5))]
    assert told[0] != told[1]  # another epoch, other stand-ins


def test_processes_share_the_same_pairs() -> None:
    one, two = (rows(steps(rank, 2), 0) for rank in (0, 1))
    both = [sorted([*mine, *others]) for mine, others in zip(one, two, strict=True)]
    assert both == [sorted(step) for step in rows(steps(), 0)]


def test_held_out_answers_stay_as_they_are() -> None:
    valid, plain = steps(), Steps(examples(), recipe(), Process(0, 1, torch.device("cpu")))
    for mine, other in zip(valid.once(), plain.once(), strict=True):
        assert torch.equal(mine.token_BT, other.token_BT)
