"""Identifiers from the category path: alone, as a control, and with clusters inside it, after Hi-Gen (arXiv 2404.15675).

The control numbers the children of every category. Learned prefixes have to beat it: it costs nothing, and people who
buy together often buy within a category. Hi-Gen's clustering takes the path first: the first code is the deepest cut of
the paths that has no more categories than codes, and clusters of about equal size inside follow.
Shapes: N rows, M contents, L levels, K codes, D dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.ids.fixed_point import Ints
from models.ids.growth import contents_of, grow
from models.ids.hierarchical import parted
from models.ids.numeric import TableTokenizer
from models.ids.tokenizer import Fitted, Vectors

Path = Sequence[str]


@dataclass(frozen=True)
class Config:
    """Sizes, as of every tokenizer."""

    input_dim: int
    levels: int = 3
    codes: int = 256


def without_root(paths: Sequence[Path]) -> list[tuple[str, ...]]:
    """The paths without leading names that all of them share, which tell nothing apart; an empty path stays empty."""
    cut = [tuple(path) for path in paths]
    while len({path[0] for path in cut if path}) == 1 and any(len(path) > 1 for path in cut):
        cut = [path[1:] for path in cut]
    return cut


def control(paths: Sequence[Path], levels: int) -> Fitted:
    """Codes of the bare path: at each level the number of the category among its siblings, by name; where a path has
    ended, that of a category without a name. IDs are shared by all of a category, and there may be more than K codes.
    """
    cut = [(*path[:levels], *[""] * (levels - len(path))) for path in without_root(paths)]
    children: dict[tuple[str, ...], set[str]] = {}
    for path in cut:
        for at, name in enumerate(path):
            children.setdefault(path[:at], set()).add(name)
    number = {(above, name): at for above, names in children.items() for at, name in enumerate(sorted(names))}
    codes = [[number[path[:at], name] for at, name in enumerate(path)] for path in cut]
    codes_NL = np.array(codes, dtype=np.int32).reshape(len(cut), levels)
    return Fitted(TableTokenizer(codes_NL, int(codes_NL.max(initial=0)) + 1, "a category path"), codes_NL, {})


def fit(x_ND: Vectors, config: Config, seed: int, paths: Sequence[Path]) -> Fitted:
    """The path first, clusters of text inside. Contents of several paths count for the first by name.

    Raises `ValueError` for paths of other rows, fewer than two levels, more top categories than codes, and as
    `contents_of` does.
    """
    if len(paths) != len(x_ND):
        raise ValueError(
            f"there are {len(paths)} category paths and {len(x_ND)} vectors: give each row a path"
        )
    if config.levels < 2:
        raise ValueError(f"one code for the path needs one below it: levels is {config.levels}")
    contents = contents_of(x_ND, config.input_dim, config.codes)
    order_N = sorted(range(len(paths)), key=lambda row: tuple(paths[row]), reverse=True)
    path_of = {int(contents.content_N[row]): tuple(paths[row]) for row in order_N}
    group_M = deepest_cut([path_of[at] for at in range(len(path_of))], config.codes)
    groups = [group_M]
    for left in range(config.levels - 2, 0, -1):
        groups.append(_even(contents.fixed_MD, groups[-1], left + 1, config.codes, seed + left))
    tokenizer, codes_ML = grow(contents, groups, config.codes, seed)
    return Fitted(
        tokenizer, codes_ML[contents.content_N].astype(np.int32), {"categories": float(group_M.max() + 1)}
    )


def deepest_cut(paths: Sequence[Path], codes: int) -> Ints:
    """category_M at the greatest depth with at most `codes` categories. Raises `ValueError` where the top has more."""
    found, cut = None, without_root(paths)
    for depth in range(1, max(map(len, cut), default=0) + 1):
        names, index = np.unique(["\x1f".join(path[:depth]) for path in cut], return_inverse=True)
        if len(names) > codes:
            break
        found = index.astype(np.int64)
    if found is None:
        raise ValueError(f"the paths have no level of at most {codes} categories: give paths, or more codes")
    return found


def _even(fixed_MD: np.ndarray, group_M: Ints, levels_left: int, codes: int, seed: int) -> Ints:
    """Each group of n in about n^(1 / levels left) clusters, in as many as its contents need below if that is more."""
    part_M, total = np.empty(len(group_M), dtype=np.int64), 0
    for members in np.split(np.argsort(group_M, kind="stable"), np.cumsum(np.bincount(group_M))[:-1]):
        due = max(round(len(members) ** (1 / levels_left)), -(-len(members) // codes ** (levels_left - 1)))
        inside = parted(fixed_MD[members], np.zeros(len(members), dtype=np.int64), min(due, codes), seed)
        part_M[members] = total + inside
        total += int(inside.max()) + 1
    return part_M
