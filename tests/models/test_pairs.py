"""The arithmetic of co-occurrence pairs, against numbers worked by hand and against brute force."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
import pytest

from models.notes.click_lists import (
    Clicks,
    Lists,
    block_of,
    click_lists,
    cut,
    first_clicks,
    num_blocks_for,
    stable_order,
    without,
)
from models.notes.pairs import encoded, joined, related_notes

Row = tuple[int, int, int]  # user, second, note
Found = dict[int, list[tuple[int, float, int]]]  # note -> [(related note, score, users)], best first

NOTE = 2  # hashes are even: bit 0 is taken
SPREAD = 1 << 57  # notes are told into blocks by their upper bits


def clicks_of(rows: Iterable[Row], check: dict[int, int] | None = None) -> Clicks:
    user, ts, note = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Clicks(user, np.array([(check or {}).get(u, 0) for u in user], np.int32), ts, note)


def batches_of(rows: list[Row], size: int) -> Iterator[Clicks]:
    for start in range(0, len(rows), size):
        yield clicks_of(rows[start : start + size])


def related(
    rows: list[Row], *, low: float = 0.01, high: float = 30.0, top: int = 10, cap: int = 1000, blocks: int = 1,
    batch: int = 1000, hot: Iterable[int] = (), parts: int = 1,
) -> Found:
    """The whole way of the arrays, without Spark."""
    by_block: dict[int, list[Lists]] = defaultdict(list)
    for third in range(3):  # users come in several tasks, whose lists meet in the blocks
        some = [row for row in rows if row[0] % 3 == third]
        lists, _ = click_lists(batches_of(some, batch), cap, compact_at=batch)
        for block, part in cut(without(lists, np.array(sorted(hot), np.int64)), blocks):
            by_block[block].append(part)
    found: Found = defaultdict(list)
    for block, all_lists in by_block.items():
        encodings = [encoded(lists, block, blocks, high) for lists in all_lists]
        notes = np.unique(np.concatenate([encoding.notes_E for encoding in encodings]))
        all_places = [joined(encodings[at::parts], notes) for at in range(min(parts, len(encodings)))]
        for result in related_notes(all_places, len(notes), low=low, high=high, top=top):
            for a, b, score, rank, users in zip(*result, strict=True):
                found[int(notes[a])].append((int(notes[b]), float(score), int(users)))
                assert rank == len(found[int(notes[a])])
    return dict(found)


def brute_force(rows: list[Row], *, low: float, high: float, top: int, cap: int, hot: Iterable[int] = ()) -> Found:
    """The definition, in exact fractions."""
    first: dict[int, dict[int, int]] = defaultdict(dict)
    for user, ts, note in rows:
        first[user][note] = min(ts, first[user].get(note, ts))
    score: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
    users: dict[tuple[int, int], int] = defaultdict(int)
    for clicked in first.values():
        for a in clicked:
            for b in clicked:
                if len(clicked) <= cap and clicked[a] < clicked[b] and not {a, b} & set(hot):
                    score[a, b] += Fraction(1, len(clicked))
                    users[a, b] += 1
    found: Found = defaultdict(list)
    for (a, b), value in sorted(score.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        if Fraction(str(low)) <= value <= Fraction(str(high)) and len(found[a]) < top:
            found[a].append((b, round(float(value), 9), users[a, b]))
    return {a: pairs for a, pairs in found.items() if pairs}


A, B, C, D = (NOTE * n for n in (1, 2, 3, 4))


def test_three_users_worked_by_hand() -> None:
    # User 1 clicks A, B, C (each pair gets 1/3), user 2 A, C (1/2), user 3 C, A (1/2).
    rows = [(1, 10, A), (1, 20, B), (1, 30, C), (2, 10, A), (2, 15, C), (3, 7, C), (3, 9, A)]
    assert related(rows) == {
        A: [(C, 0.833333333, 2), (B, 0.333333333, 1)],
        B: [(C, 0.333333333, 1)],
        C: [(A, 0.5, 1)],
    }


def test_only_the_first_click_of_a_user_on_a_note_counts() -> None:
    # A at 1, B at 2, A again at 3: B is after A, A is not after B; N is 2, not 3.
    assert related([(1, 3, A), (1, 1, A), (1, 2, B)]) == {A: [(B, 0.5, 1)]}


def test_clicks_in_the_same_microsecond_are_in_no_order() -> None:
    # A and B together, then C and D together.
    rows = [(1, 5, A), (1, 5, B), (1, 6, C), (1, 6, D)]
    assert related(rows) == {A: [(C, 0.25, 1), (D, 0.25, 1)], B: [(C, 0.25, 1), (D, 0.25, 1)]}


def test_a_score_exactly_at_a_bound_is_kept_and_the_next_one_is_not() -> None:
    # 60 users of two notes: s(A -> B) = 60 / 2 = 30. With a 61st: 30.5. One user of 100 notes: 0.01; of 101: 0.0099.
    sixty = [(user, ts, note) for user in range(60) for ts, note in ((1, A), (2, B))]
    assert related(sixty) == {A: [(B, 30.0, 60)]}
    assert related([*sixty, (60, 1, A), (60, 2, B)]) == {}
    assert related([(1, n, NOTE * n) for n in range(100)])[0][0] == (2, 0.01, 1)
    assert related([(1, n, NOTE * n) for n in range(101)]) == {}


def test_a_bound_is_met_by_a_sum_that_doubles_miss() -> None:
    # 300 users of ten notes: 300 additions of 0.1 give 30.000000000000056 in doubles; s is 30.
    rows = [(user, n, NOTE * n) for user in range(300) for n in range(10)]
    assert related(rows)[0] == [(NOTE * n, 30.0, 300) for n in range(1, 10)]


def test_the_eleventh_note_is_cut_and_ties_go_to_the_smaller_hash() -> None:
    # Twelve equal scores of 1/13; the ten smallest hashes stay, whatever the order of the clicks.
    rows = [(1, 0, NOTE * 50), *((1, 1 + (n * 5) % 12, NOTE * (n + 1)) for n in range(12))]
    assert [b for b, _, _ in related(rows)[NOTE * 50]] == [NOTE * (n + 1) for n in range(10)]
    assert {users for _, _, users in related(rows)[NOTE * 50]} == {1}


def test_a_user_above_the_cap_is_left_out_and_counted() -> None:
    rows = [(1, 1, A), (1, 2, B), (1, 3, C), (2, 1, A), (2, 2, B)]
    assert related(rows, cap=2) == {A: [(B, 0.5, 1)]}
    assert related(rows, cap=3) == {A: [(B, 0.833333333, 2), (C, 0.333333333, 1)], B: [(C, 0.333333333, 1)]}
    assert click_lists(batches_of(rows, 100), 2)[1] == 1


def test_a_user_who_clicks_without_end_is_known_for_one_and_not_held() -> None:
    rows = [(1, ts, NOTE * (ts % 5000)) for ts in range(20_000)] + [(2, 1, A), (2, 2, B)]
    lists, num_hot = click_lists(batches_of(rows, 500), 100, compact_at=1000)
    assert (lists.notes_P.tolist(), num_hot) == ([A, B], 1)
    firsts, lengths = first_clicks(clicks_of(rows), 101)
    assert (len(firsts.ts_C), lengths.tolist()) == (103, [101, 2])


def test_many_clicks_on_few_notes_do_not_make_a_user_hot() -> None:
    rows = [(1, ts, NOTE * (ts % 3)) for ts in range(1000)]
    assert related(rows, cap=3, batch=7) == related(rows[:3], cap=3)


def test_a_hot_note_makes_no_pairs_but_counts_in_n() -> None:
    # A and B in one microsecond, B hot: A stays before C, which stays tied to nothing; N is 3.
    rows = [(1, 1, B), (1, 1, A), (1, 2, C)]
    assert related(rows, hot=[B]) == {A: [(C, 0.333333333, 1)]}


def test_two_users_under_one_hash_are_told_by_the_second_hash() -> None:
    one = Clicks(*(np.array(c) for c in ([7, 7, 7, 7], [1, 2, 1, 2], [1, 2, 3, 4], [A, B, C, D])))
    one = one._replace(check_C=one.check_C.astype(np.int32))
    lists, _ = click_lists([one], 10)
    assert lists.lengths_U.tolist() == [2, 2]
    assert lists.notes_P.tolist() == [A, C, B, D]


@pytest.mark.parametrize("seed", range(20))
def test_any_log_agrees_with_brute_force_whatever_the_blocks_batches_and_parts(seed: int) -> None:
    draw = random.Random(seed)
    notes = [note * SPREAD for note in range(-40, 40)]
    weights = [1 / (1 + rank) for rank in range(80)]
    rows = [
        (draw.randrange(-15, 15), draw.randrange(60), draw.choices(notes, weights)[0])
        for _ in range(draw.randrange(1, 600))
    ]
    bounds = {"low": draw.choice([0.01, 0.05, 0.2]), "high": draw.choice([0.3, 1.0, 30.0]), "top": draw.choice([1, 3, 10])}
    cap, hot = draw.choice([5, 12, 1000]), draw.sample(notes, draw.choice([0, 2]))
    expected = brute_force(rows, cap=cap, hot=hot, **bounds)
    for blocks, batch, parts in ((1, 1000, 1), (7, 13, 3), (64, 1, 2)):
        assert related(rows, cap=cap, hot=hot, blocks=blocks, batch=batch, parts=parts, **bounds) == expected


def test_stable_order_is_a_stable_argsort_for_small_and_large_keys() -> None:
    keys = np.array([3, 1, 3, 0, 1], np.int64)
    assert stable_order(keys).tolist() == [3, 1, 4, 0, 2]
    assert stable_order(keys << 60).tolist() == [3, 1, 4, 0, 2]
    assert stable_order(keys[:0]).tolist() == []


def test_blocks_cover_the_whole_range_of_the_hash() -> None:
    hashes = np.array([-(1 << 63), -2, 0, (1 << 63) - 2], np.int64)
    assert block_of(hashes, 4).tolist() == [2, 3, 0, 1]


def test_blocks_grow_until_places_and_pairs_fit() -> None:
    # 100 users of 10 notes: 1,000 places and 4,500 pairs in one block; in two, a list keeps 10 - (1 - 2^-10) = 9.001.
    histogram = np.zeros(11, np.int64)
    histogram[10] = 100
    assert num_blocks_for(histogram, 1000, 4500) == 1
    assert num_blocks_for(histogram, 999, 4500) == 2
    assert num_blocks_for(histogram, 900, 4500) == 3
    assert num_blocks_for(histogram, 1000, 1499) == 4
    assert num_blocks_for(np.zeros(1, np.int64), 1000, 1000) == 1
