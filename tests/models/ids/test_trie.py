"""The catalogue trie: a small one by hand, and what holds for any."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from models.ids import trie_build
from models.ids.trie import DeadPrefixError, DenseLevel, PackedLevel, Trie, from_tensors
from models.ids.trie_build import build


def drawn(num_notes: int, sizes: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """codes_NL with many shared prefixes and IDs, and the rank of each note under its ID, with gaps."""
    rng = np.random.default_rng(seed)
    codes_NL = np.stack([rng.integers(0, size, num_notes) for size in sizes], axis=1)
    seen: dict[bytes, int] = {}
    ranks = [seen.setdefault(row.tobytes(), -1) for row in codes_NL]
    for at, row in enumerate(codes_NL):
        ranks[at] = seen[row.tobytes()] = seen[row.tobytes()] + int(rng.integers(1, 3))
    return codes_NL, np.array(ranks)


def same(one: Trie, other: Trie) -> bool:
    left, right = one.tensors(), other.tensors()
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and np.array_equal(left[name], right[name]) for name in left
    )


@pytest.fixture
def five() -> trie_build.Built:
    """Five notes, three levels of 3, 4 and 300 codes; the last two share an ID, the later of them first."""
    codes = np.array([[2, 0, 9], [0, 3, 299], [0, 3, 7], [0, 1, 7], [0, 1, 7]])
    return build(codes, np.array([0, 0, 0, 4, 1]), (3, 4, 300))


def test_five_notes_by_hand(five: trie_build.Built) -> None:
    first, second, third = five.trie.levels
    assert isinstance(first, DenseLevel)
    assert isinstance(second, DenseLevel)
    assert isinstance(third, PackedLevel)
    assert first.next_SK.tolist() == [[0, -1, 1]]
    assert second.next_SK.tolist() == [[-1, 0, -1, 1], [2, -1, -1, -1]]
    assert third.indptr_S1.tolist() == [0, 1, 3, 4]
    assert third.code_C.tolist() == [7, 7, 299, 9]
    assert third.width == 2
    assert five.trie.note_indptr_S1.tolist() == [0, 2, 3, 4, 5]
    assert five.order_N.tolist() == [4, 3, 2, 1, 0]
    assert (five.trie.num_leaves, five.trie.num_notes) == (4, 5)


def test_a_leaf_gives_its_notes_in_order_of_rank(five: trie_build.Built) -> None:
    leaf = int(five.trie.walk(np.array([[0, 1, 7]]))[0])
    assert five.order_N[list(five.trie.notes_of(leaf))].tolist() == [4, 3]
    assert list(five.trie.notes_of(3)) == [4]
    with pytest.raises(ValueError, match="4 is no leaf of this catalogue: they are 0 to 3"):
        five.trie.notes_of(4)
    with pytest.raises(ValueError, match="-1 is no leaf"):
        five.trie.notes_of(-1)


def test_what_may_follow_a_prefix(five: trie_build.Built) -> None:
    assert five.trie.allowed([]) == [0, 2]
    assert five.trie.allowed([0]) == [1, 3]
    assert five.trie.allowed([0, 3]) == [7, 299]
    with pytest.raises(ValueError, match="nothing follows"):
        five.trie.allowed([0, 3, 7])


def test_a_dead_prefix_names_its_row_its_code_and_what_may_stand_there(five: trie_build.Built) -> None:
    prefixes = np.array([[0, 3], [0, 2], [1, 0]])
    assert five.trie.states(prefixes).tolist() == [1, -2, -1]
    message = r"row 1: code 2 after <a_0> is in no ID .*prefix \[0, 2\] is dead: 2 of 4 codes may stand there \(1, 3\)"
    with pytest.raises(DeadPrefixError, match=message):
        five.trie.walk(prefixes)
    with pytest.raises(DeadPrefixError, match=r"row 0: code 1 after the root"):
        five.trie.walk(prefixes[2:])
    with pytest.raises(DeadPrefixError):
        five.trie.allowed([2, 3])


def test_codes_outside_a_level_are_rejected_and_never_wrap_around(five: trie_build.Built) -> None:
    wrong = [[0, 3, -1], [0, -1, 7], [-1, 0, 9], [-3, 3, 7], [0, 4, 7], [3, 0, 9], [0, 3, 300], [0, 3, 2**40]]
    assert not five.trie.validate(np.array(wrong)).any()
    assert five.trie.contains([0, 3, 299])
    assert not five.trie.contains([0, 3])
    assert not five.trie.contains([])
    with pytest.raises(ValueError, match=r"IDs of this catalogue have 3 codes; the shape of these is \(1, 2\)"):
        five.trie.validate(np.array([[0, 3]]))
    with pytest.raises(ValueError, match="with at most 3 codes"):
        five.trie.states(np.array([[0, 3, 7, 1]]))


@pytest.mark.parametrize("sizes", [(5,), (3, 4), (4, 3, 5), (2, 3, 2, 4), (1, 4, 1, 3)])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_id_of_the_catalogue_is_accepted_and_every_other_of_the_space_rejected(
    sizes: tuple[int, ...], seed: int
) -> None:
    codes_NL, rank_N = drawn(13, sizes, seed)
    trie, order_N = build(codes_NL, rank_N, sizes)
    known = {tuple(row) for row in codes_NL.tolist()}
    space = np.array(list(product(*map(range, sizes))))
    assert trie.validate(space).tolist() == [tuple(row) in known for row in space.tolist()]
    assert [tuple(row) for row in trie.ids().tolist()] == sorted(known)
    for length in range(len(sizes) + 1):
        known_prefixes = {row[:length] for row in known}
        prefixes = np.array(list(product(*map(range, sizes[:length]))), dtype=int).reshape(prod(sizes[:length]), length)
        expected = [tuple(row) in known_prefixes for row in prefixes.tolist()]
        assert (trie.states(prefixes) >= 0).tolist() == expected
    by_hand = sorted(range(13), key=lambda at: (codes_NL[at].tolist(), rank_N[at]))
    assert order_N.tolist() == by_hand


def test_a_level_too_large_for_a_table_is_packed_and_answers_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    codes_NL, rank_N = drawn(400, (40, 40, 40), 3)
    dense = build(codes_NL, rank_N, (40, 40, 40)).trie
    monkeypatch.setattr(trie_build, "DENSE_ENTRIES", 0)
    packed = build(codes_NL, rank_N, (40, 40, 40)).trie
    assert {type(level) for level in packed.levels} == {PackedLevel}
    space = np.array(list(product(range(40), repeat=3)))
    assert np.array_equal(dense.states(space), packed.states(space))
    assert np.array_equal(dense.ids(), packed.ids())


@pytest.mark.parametrize(("size", "kind"), [(256, np.uint8), (257, np.int16), (32768, np.int16), (32769, np.int32)])
def test_codes_take_the_smallest_type_that_holds_the_level(size: int, kind: type) -> None:
    codes_NL = np.array([[0, 0, size - 1], [0, 0, 0]])
    trie = build(codes_NL, np.zeros(2, dtype=int), (1, 1, size)).trie
    assert isinstance(trie.levels[2], PackedLevel)
    assert trie.levels[2].code_C.dtype == kind
    assert trie.ids().tolist() == [[0, 0, 0], [0, 0, size - 1]]


def test_ids_wider_than_one_word_are_ordered_by_all_their_codes() -> None:
    sizes = (2, 8192, 2, 8192, 8192, 2, 8192, 8192)  # 68 bits
    codes_NL, rank_N = drawn(300, sizes, 4)
    order_N = build(codes_NL, rank_N, sizes).order_N
    assert order_N.tolist() == sorted(range(300), key=lambda at: (codes_NL[at].tolist(), rank_N[at]))


def test_shuffled_rows_make_the_same_trie_and_the_same_notes_at_its_places() -> None:
    codes_NL, rank_N = drawn(200, (4, 5, 6), 5)
    shuffle = np.random.default_rng(0).permutation(200)
    there, back = build(codes_NL, rank_N, (4, 5, 6)), build(codes_NL[shuffle], rank_N[shuffle], (4, 5, 6))
    assert same(there.trie, back.trie)
    assert np.array_equal(there.order_N, shuffle[back.order_N])


def test_arrays_lead_back_to_the_same_trie(five: trie_build.Built) -> None:
    assert same(from_tensors(five.trie.tensors()), five.trie)


def test_arrays_that_are_missing_or_do_not_fit_are_refused(five: trie_build.Built) -> None:
    whole = five.trie.tensors()
    with pytest.raises(ValueError, match="the trie has no array 'level_2_indptr'"):
        from_tensors({name: array for name, array in whole.items() if name != "level_2_indptr"})
    with pytest.raises(ValueError, match="level 2 of the trie has 2 states, the one before it leads to 3"):
        from_tensors({**whole, "level_2_indptr": whole["level_2_indptr"][:-1]})
    with pytest.raises(ValueError, match="lists notes of 3 IDs, its levels lead to 4"):
        from_tensors({**whole, "note_indptr": whole["note_indptr"][:-1]})


ONE = np.array([[0, 1]])
RANK = np.zeros(1, dtype=int)


@pytest.mark.parametrize(
    ("codes", "ranks", "sizes", "message"),
    [
        (np.empty((0, 3), dtype=int), RANK[:0], (2, 2, 2), r"at least one of each; the shape of the codes is \(0, 3\)"),
        (np.array([1, 2]), RANK, (2,), r"the shape of the codes is \(2,\)"),
        (ONE, RANK, (2, 1), "codes of level 1 run from 1 to 1, outside a vocabulary of 1"),
        (-ONE, RANK, (2, 2), "codes of level 1 run from -1 to -1"),
        (ONE, RANK, (2, 2, 2), "there are 3 sizes"),
        (ONE, np.zeros(2, dtype=int), (2, 2), r"the shape of the ranks is \(2,\)"),
        (ONE, RANK - 1, (2, 2), "ranks from 0"),
        (ONE * 1.0, RANK, (2, 2), "must be whole numbers; they are float64"),
        (ONE.repeat(3, 0), np.array([0, 5, 0]), (2, 2), r"rows 0 and 2 have the same codes \[0, 1\] and the same rank 0"),
    ],
)
def test_what_makes_no_trie_is_refused(
    codes: np.ndarray, ranks: np.ndarray, sizes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(codes, ranks, sizes)
