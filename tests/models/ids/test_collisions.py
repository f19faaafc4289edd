"""Collisions: everybody gets an ID of their own by the fewest changes, published IDs stay, contents decide."""

from __future__ import annotations

import time
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.ids.collisions import POLICIES, Placed, place
from models.ids.last_transport import transport
from models.ids.matching import assignment
from models.ids.possible import possible_costs
from models.ids.tokenizer import Codes, UnknownPrefixError

NOBODY = np.empty((0, 2), dtype=np.int32)
RNG = np.random.default_rng


class Line:
    """A stand-in for a tokenizer: every note has a number of its own, code k at each level stands for k."""

    def __init__(self, x_N: NDArray[np.float64], num_codes: int) -> None:
        self.x_N, self.num_codes, self.asked = x_N, num_codes, 0

    def costs(self, rows_R: NDArray[np.int64], codes_RL: Codes) -> NDArray[np.float32]:
        self.asked += len(rows_R)
        prefix_R = codes_RL[:, -2] * self.num_codes if codes_RL.shape[1] > 1 else 0
        return ((self.x_N[rows_R] - prefix_R)[:, None] - np.arange(self.num_codes)).astype(np.float32) ** 2


def line_codes(x_N: NDArray[np.float64], num_codes: int) -> Codes:
    whole = np.clip(np.rint(x_N), 0, num_codes**2 - 1).astype(np.int32)
    return np.stack([whole // num_codes, whole % num_codes], axis=1)


def placed(
    policy: str, x: list[float], num_codes: int = 4, taken: Codes = NOBODY, content: list[int] | None = None
) -> Placed:
    x_N = np.array(x)
    contents = np.arange(len(x_N)) if content is None else np.array(content)
    return place(policy, line_codes(x_N, num_codes), contents, taken, num_codes, Line(x_N, num_codes).costs)


def test_the_nearer_of_two_stays_and_the_other_takes_the_nearest_free_code() -> None:
    # 1.1 and 1.4 both read as 1; 0 is taken by a note of its own, so the nearest free code of 1.4 is 2.
    found = placed("matching", [1.1, 1.4, 0.0])
    assert found.codes_NL.tolist() == [[0, 1], [0, 2], [0, 0]]
    assert found[1:] == (2, 0, 1, 0, 0)


def test_the_fewest_notes_change_also_where_more_changes_would_cost_less() -> None:
    # Three notes at 1 and one at 2: by distance 1.4, 1.4, 1.4 would rather push the note at 2 on to 3; it keeps 2.
    found = placed("matching", [1.4, 1.4, 1.4, 2.0])
    assert found.codes_NL[3].tolist() == [0, 2]
    assert sorted(found.codes_NL[:3, 1].tolist()) == [0, 1, 3]
    assert found.num_changed == 2


def test_no_collision_is_solved_without_any_costs() -> None:
    line = Line(np.arange(8.0), 4)
    codes = line_codes(line.x_N, 4)
    assert place("matching", codes, np.arange(8), NOBODY, 4, line.costs).codes_NL.tolist() == codes.tolist()
    assert line.asked == 0


def test_only_colliding_notes_are_asked_for_costs() -> None:
    line = Line(np.array([0.0, 1.0, 1.2, 3.0, 5.0]), 4)
    place("matching", line_codes(line.x_N, 4), np.arange(5), NOBODY, 4, line.costs)
    assert line.asked == 2


def whole_group_by_brute_force(x_N: NDArray[np.float64], codes_NL: Codes, num_codes: int) -> tuple[int, float]:
    """Fewest changes, then least cost, over every way to give all notes of one prefix different last codes."""
    cost = Line(x_N, num_codes).costs(np.arange(len(x_N)), codes_NL)
    ways = permutations(range(num_codes), len(x_N))
    each = [(sum(int(k != c) for k, c in zip(way, codes_NL[:, 1], strict=True)), way) for way in ways]
    return min((changes, float(sum(cost[i, k] for i, k in enumerate(way)))) for changes, way in each)


@pytest.mark.parametrize("seed", range(12))
def test_matching_agrees_with_every_way_there_is(seed: int) -> None:
    x_N = RNG(seed).uniform(0, 4, size=5)
    codes_NL = np.stack([np.zeros(5), np.clip(np.rint(x_N), 0, 5)], axis=1).astype(np.int32)
    found = place("matching", codes_NL, np.arange(5), NOBODY, 6, Line(x_N, 6).costs).codes_NL
    cost = Line(x_N, 6).costs(np.arange(5), codes_NL)
    got = float(cost[np.arange(5), found[:, 1]].sum())
    changes, least = whole_group_by_brute_force(x_N, codes_NL, 6)
    assert int((found != codes_NL).any(axis=1).sum()) == changes
    assert got == pytest.approx(least, abs=1e-2)
    assert len(set(found[:, 1].tolist())) == 5


def test_published_notes_keep_their_codes_and_new_ones_go_round_them() -> None:
    taken = np.array([[0, 1], [0, 2], [0, 2]], dtype=np.int32)  # two that an older policy left on one ID
    found = placed("matching", [1.0, 2.1, 3.0], taken=taken)
    assert found.codes_NL.tolist()[2] == [0, 3]
    # 0 is the last free code of the prefix: the cheaper of the two gets it, the other enters the sibling 1 at 4.
    assert found.codes_NL.tolist()[:2] == [[0, 0], [1, 0]]
    assert (found.num_changed, found.num_overflow, found.num_tied) == (2, 1, 0)


def test_a_group_larger_than_the_codes_overflows_into_the_nearest_sibling() -> None:
    # Six notes read as 0..3 under prefix 1 (numbers 4 to 7); four fit, the two dearest go to the prefixes beside it.
    found = placed("matching", [4.0, 5.0, 6.0, 7.0, 4.1, 6.9])
    assert found.codes_NL.tolist()[:4] == [[1, 0], [1, 1], [1, 2], [1, 3]]
    assert found.codes_NL.tolist()[4:] == [[0, 3], [2, 0]]
    assert (found.num_overflow, found.num_tied) == (2, 0)


def test_what_goes_beyond_the_space_stays_tied_and_is_counted() -> None:
    found = placed("matching", [1.0] * 7, num_codes=2)  # four IDs for seven notes
    assert len({tuple(c) for c in found.codes_NL.tolist()}) == 4
    assert found.num_tied >= 4


@pytest.mark.parametrize("seed", range(6))
def test_every_note_has_an_id_of_its_own_where_the_siblings_have_room(seed: int) -> None:
    x_N = RNG(seed).normal(32, 3, size=60)  # of 64 IDs, most wanted are those in the middle
    first = place("matching", line_codes(x_N, 8), np.arange(60), NOBODY, 8, Line(x_N, 8).costs)
    assert len({tuple(c) for c in first.codes_NL.tolist()}) == 60
    assert first.num_overflow > 0


def test_equal_contents_are_irreducible_and_get_ids_of_their_own_all_the_same() -> None:
    found = placed("matching", [1.0, 1.0, 1.0, 2.0], content=[5, 5, 9, 1])
    assert (found.num_colliding, found.num_irreducible) == (3, 2)
    assert len({tuple(c) for c in found.codes_NL.tolist()}) == 4


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_decides_nothing(policy: str, seed: int) -> None:
    dice = RNG(seed)
    x_N, content_N = dice.uniform(0, 16, size=40), dice.permutation(40)
    taken = np.array([[0, 1], [2, 2]], dtype=np.int32)
    taken = np.concatenate([taken, np.zeros((2, 1), np.int32)], axis=1) if policy == "extra" else taken
    there = place(policy, line_codes(x_N, 8), content_N, taken, 8, Line(x_N, 8).costs)
    order = dice.permutation(40)
    back = place(policy, line_codes(x_N, 8)[order], content_N[order], taken, 8, Line(x_N[order], 8).costs)
    assert back.codes_NL.tolist() == there.codes_NL[order].tolist()
    assert back[1:] == there[1:]


def test_none_leaves_the_codes_alone_and_counts() -> None:
    found = placed("none", [1.0, 1.0, 2.0])
    assert found.codes_NL.tolist() == [[0, 1], [0, 1], [0, 2]]
    assert found[1:] == (2, 0, 0, 0, 2)


def test_the_extra_code_counts_inside_the_id_and_goes_on_after_published_notes() -> None:
    taken = np.array([[0, 1, 0], [0, 1, 4], [3, 3, 0]], dtype=np.int32)
    found = placed("extra", [1.0, 1.0, 2.0, 15.0], taken=taken, content=[7, 3, 1, 2])
    assert found.codes_NL.tolist() == [[0, 1, 6], [0, 1, 5], [0, 2, 0], [3, 3, 1]]
    assert (found.num_changed, found.num_tied) == (0, 0)


def test_sinkhorn_separates_what_differs_and_leaves_equal_contents_together() -> None:
    found = placed("sinkhorn", [1.3, 0.8, 7.0, 7.0], content=[0, 1, 2, 2])
    assert found.codes_NL[:2].tolist() != [[0, 1], [0, 1]]
    assert found.codes_NL[:, 0].tolist() == [0, 0, 1, 1]
    assert found.codes_NL[2].tolist() == found.codes_NL[3].tolist()
    assert found.num_tied == 2


def test_sinkhorn_moves_no_new_note_onto_a_published_one() -> None:
    taken = np.array([[0, 1], [0, 2]], dtype=np.int32)
    found = placed("sinkhorn", [1.1, 2.2], taken=taken)
    assert {c[1] for c in found.codes_NL.tolist()} <= {0, 3}


def test_the_transport_plan_gives_rows_mass_one_and_codes_equal_mass() -> None:
    plan = np.exp(transport(RNG(0).uniform(size=(6, 3)), epsilon=0.3))
    assert plan.sum(axis=1) == pytest.approx(np.ones(6))
    assert plan.sum(axis=0) == pytest.approx(np.full(3, 2.0), abs=1e-3)


def test_ties_of_cost_go_the_same_way_each_time() -> None:
    rows, columns = assignment(np.zeros((3, 4)), np.ones((3, 4), dtype=np.bool_))
    assert (rows.tolist(), len(set(columns.tolist()))) == ([0, 1, 2], 3)
    again = assignment(np.zeros((3, 4)) + 1e-7, np.ones((3, 4), dtype=np.bool_))[1]
    assert again.tolist() == columns.tolist()


def test_codes_of_one_level_and_of_many_are_placed() -> None:
    one = np.array([[1], [1], [1]], dtype=np.int32)
    line = Line(np.array([1.0, 1.2, 0.9]), 3)
    found = place("matching", one, np.arange(3), np.empty((0, 1), np.int32), 3, line.costs)
    assert sorted(found.codes_NL[:, 0].tolist()) == [0, 1, 2]
    deep = np.full((2, 26), 65_535, dtype=np.int32)  # more than one number of 64 bits can hold

    def even(rows: NDArray[np.int64], codes: Codes) -> NDArray[np.float32]:
        return np.zeros((len(rows), 65_536), np.float32)

    far = place("matching", deep, np.arange(2), np.empty((0, 26), np.int32), 65_536, even).codes_NL
    assert (far[0] != far[1]).sum() == 1


@pytest.mark.parametrize(
    ("policy", "codes", "taken", "message"),
    [
        ("best", [[0, 0]], [[0, 0]], "collision policy 'best' is unknown: it may be none, extra, sinkhorn, matching"),
        ("none", [[0, 4]], [[0, 0]], "arriving codes run from 0 to 4, outside a codebook of 4"),
        ("none", [[0, 1]], [[-1, 0]], "published codes run from -1 to 0, outside a codebook of 4"),
        ("extra", [[0, 1]], [[0, 1]], r"published codes have shape \(1, 2\): under policy 'extra' they need 3 columns"),
    ],
)
def test_what_does_not_fit_is_named(policy: str, codes: list[list[int]], taken: list[list[int]], message: str) -> None:
    arriving, published = np.array(codes, np.int32), np.array(taken, np.int32)
    with pytest.raises(ValueError, match=message):
        place(policy, arriving, np.zeros(1, np.int64), published, 4, Line(np.ones(1), 4).costs)


def test_a_hundred_thousand_notes_with_few_collisions_take_a_moment() -> None:
    dice = RNG(1)
    x_N = dice.uniform(0, 1 << 24, size=100_000)
    whole = x_N.astype(np.int64)
    codes = np.stack([whole >> 16, (whole >> 8) & 255, whole & 255], axis=1).astype(np.int32)
    taken = codes[:50_000]
    started = time.process_time()
    found = place("matching", codes[50_000:], np.arange(50_000), taken, 256, Line(x_N[50_000:] % 65536, 256).costs)
    assert time.process_time() - started < 5
    assert found.num_colliding > 100
    assert len({tuple(c) for c in np.concatenate([found.codes_NL, taken]).tolist()}) == len(
        {tuple(c) for c in taken.tolist()}
    ) + 50_000


class Branches:
    """A tokenizer of two levels that knows the first codes 0 and 2 only, as a tree does."""

    levels, codes, input_dim = 2, 3, 1

    def last_costs(self, x_BD: NDArray[np.float32], codes_BL: Codes) -> NDArray[np.float32]:
        if not np.isin(codes_BL[:, 0], (0, 2)).all():
            raise UnknownPrefixError("prefixes that are not in the tree")
        return (x_BD - 3 * codes_BL[:, :1] - np.arange(3)).astype(np.float32) ** 2

    def encode(self, x_ND: NDArray[np.float32]) -> Codes:
        return np.zeros((len(x_ND), 2), dtype=np.int32)

    def reconstruct(self, codes_NL: Codes) -> NDArray[np.float32]:
        return np.zeros((len(codes_NL), 1), dtype=np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {}


def test_no_note_enters_a_branch_that_is_not_there() -> None:
    tree, x_ND = Branches(), np.array([[0.0], [1.0], [2.0], [2.1]], dtype=np.float32)
    codes = np.array([[0, 0], [0, 1], [0, 2], [0, 2]], dtype=np.int32)
    found = place("matching", codes, np.arange(4), NOBODY, 3, lambda rows, some: possible_costs(tree, x_ND[rows], some))
    assert found.codes_NL[3].tolist() in ([2, 0], [0, 2])
    assert sorted(map(tuple, found.codes_NL.tolist())) == [(0, 0), (0, 1), (0, 2), (2, 0)]
    assert np.isinf(possible_costs(tree, x_ND[:1], np.array([[1, 0]], dtype=np.int32))).all()


def test_a_branch_that_is_not_there_is_opened_where_all_others_are_full() -> None:
    tree, x_ND = Branches(), np.zeros((7, 1), dtype=np.float32)
    codes = np.array([[0, 0], [0, 1], [0, 2], [2, 0], [2, 1], [2, 2], [0, 2]], dtype=np.int32)
    found = place("matching", codes, np.arange(7), NOBODY, 3, lambda rows, some: possible_costs(tree, x_ND[rows], some))
    assert len(set(map(tuple, found.codes_NL.tolist()))) == 7
    assert (found.codes_NL[:, 0] == 1).sum() == 1
