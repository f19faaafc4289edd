"""IDs from the category path."""

from __future__ import annotations

import numpy as np
import pytest

from models.ids.category import Config, control, deepest_cut, fit, without_root

PATHS = [
    ("Shop", "Nails", "Polish"),
    ("Shop", "Hair"),
    ("Shop", "Nails", "Files"),
    ("Shop", "Hair", "Brushes"),
    (),
]


def test_a_name_that_all_share_is_no_level() -> None:
    assert without_root(PATHS)[:2] == [("Nails", "Polish"), ("Hair",)]
    assert without_root([("A",), ("A",)]) == [("A",), ("A",)]


def test_the_control_numbers_children_by_name_and_a_path_that_ended_as_one_without_a_name() -> None:
    assert control(PATHS, 2).codes_NL.tolist() == [[2, 1], [1, 0], [2, 0], [1, 1], [0, 0]]
    with pytest.raises(ValueError, match="IDs from a category path are a list"):
        control(PATHS, 2).tokenizer.encode(np.zeros((1, 2), dtype=np.float32))


def test_the_deepest_cut_has_no_more_categories_than_codes() -> None:
    assert deepest_cut(PATHS, 5).tolist() == [4, 1, 3, 2, 0]
    assert deepest_cut(PATHS, 4).tolist() == [2, 1, 2, 1, 0]
    with pytest.raises(ValueError, match="no level of at most 2 categories"):
        deepest_cut(PATHS, 2)


def shop(seed: int = 0) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    x_ND = np.random.default_rng(seed).standard_normal((40, 6)).astype(np.float32)
    return x_ND, [("A" if row < 28 else "B",) for row in range(40)]


def test_the_first_code_is_the_category_and_contents_have_ids_of_their_own() -> None:
    x_ND, paths = shop()
    found = fit(x_ND, Config(6, levels=3, codes=8), 1, paths)
    assert len(set(found.codes_NL[:28, 0].tolist())) == len(set(found.codes_NL[28:, 0].tolist())) == 1
    assert found.codes_NL[0, 0] != found.codes_NL[39, 0]
    assert len(np.unique(found.codes_NL, axis=0)) == 40
    assert found.codes_NL.max() < 8


def test_equal_contents_count_for_the_first_of_their_paths_by_name() -> None:
    x_ND, paths = shop()
    x_ND[39] = x_ND[0]
    found = fit(x_ND, Config(6, levels=3, codes=8), 1, paths).codes_NL
    assert found[39].tolist() == found[0].tolist()
    assert found[39, 0] == found[1, 0]


def test_paths_of_other_rows_are_an_error() -> None:
    x_ND, paths = shop()
    with pytest.raises(ValueError, match="there are 39 category paths and 40 vectors"):
        fit(x_ND, Config(6, codes=8), 1, paths[1:])
