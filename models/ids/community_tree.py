"""Semantic IDs that begin with what is clicked together: communities first, text inside them.

A graph of contents joins those that are consumed together with those whose texts are near. The first two codes name a
community of at most K contents, so that the last code can tell all of them apart and an ID has one content before any
collision is handled; the first code names a few such communities that belong together, often only one. With more than
three levels those between part a community further, into about equally many parts a level.
What is traded: the first codes say little of a text, the second code little beyond the first, and the last code carries
what is left, some log2(community) bits; see `figures` for the entropy of each code given those before it.
Shapes: N rows, M contents, L levels, K codes, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from models.ids.communities import Limits, coarse, merged, partition, whole_weights
from models.ids.fixed_point import Floats, Ints, normalized, to_fixed
from models.ids.growth import Contents, contents_of, grow
from models.ids.tokenizer import Codes, Fitted, Vectors
from models.ids.tree import TreeTokenizer

_CHUNK = 1024


@dataclass(frozen=True)
class Config:
    """Sizes, and settings measured on Amazon Scientific and Beauty (benchmark `tokenizers`).

    `text_share`: weight of the text edges for each unit of co-occurrence, at `neighbours` edges a content. `spare`: how
    many communities for each first code. `least`: a community of so few contents loses none. `kin`: the greatest number
    of communities under a first code, in multiples of the average.

    `fill`: the share of its last codes that a community may use. With three levels communities fill up, and a note that is
    new in a full one shares an ID: on Scientific, of a tenth of the items taken as new, 69 % at 1 and 31 % at 0.75, where
    the first two codes align less (0.233 for 0.259 on test pairs). With four levels it is 15 %: take four where notes
    keep coming.
    """

    input_dim: int
    levels: int = 3
    codes: int = 256
    neighbours: int = 10
    text_share: float = 0.15
    spare: float = 1.125
    least: int = 4
    kin: float = 4.0
    fill: float = 1.0


def fit(x_ND: Vectors, config: Config, seed: int, together_NN: sp.csr_array) -> Fitted:
    """Communities, their parts, codes. `together_NN` holds how much rows go together, in any scale; zeros are allowed.

    Raises `ValueError` for fewer than three levels, a graph of other rows or with bad weights, and as `contents_of` does.
    """
    if config.levels < 3:
        raise ValueError(
            f"a community tree has at least 3 levels, two for communities; levels is {config.levels}"
        )
    if together_NN.shape != (len(x_ND), len(x_ND)):
        raise ValueError(
            f"the graph is {together_NN.shape}, the vectors are {len(x_ND)}: give each row a node"
        )
    if not (np.isfinite(together_NN.data) & (together_NN.data >= 0)).all():
        raise ValueError("the graph holds weights that are negative or not finite: build it by `pair_graph`")
    contents = contents_of(x_ND, config.input_dim, config.codes)
    graph_MM = joint_graph(contents, together_NN, config)
    groups = _groups(graph_MM, config)
    tokenizer, codes_ML = grow(contents, groups, config.codes, seed)
    codes_NL = codes_ML[contents.content_N].astype(np.int32)
    return Fitted(tokenizer, codes_NL, _figures(x_ND, tokenizer, codes_NL))


def joint_graph(contents: Contents, together_NN: sp.csr_array, config: Config) -> sp.csr_array:
    """The edges between contents: co-occurrence, and text at `text_share` of its weight (alone where there is none)."""
    member_NM = sp.csr_array(
        (np.ones(len(contents.content_N)), (np.arange(len(contents.content_N)), contents.content_N))
    )
    # Whole weights before rows of equal content are added up, so that their order does not show.
    together_MM = whole_weights(member_NM.T @ whole_weights(together_NN) @ member_NM)
    text_MM = whole_weights(text_neighbours(contents.fixed_MD, config.neighbours))
    return whole_weights(together_MM + config.text_share * text_MM)


def text_neighbours(fixed_MD: Floats, count: int) -> sp.csr_array:
    """Each content's `count` nearest by cosine, weighted by it (none below 0); by brute force, M squared products."""
    unit_MD = to_fixed(normalized(fixed_MD), 2.0**-23)
    total, count = len(unit_MD), min(count, len(unit_MD) - 1)
    found = []
    for at in range(0, total, _CHUNK):
        cosine_BM = np.rint((unit_MD[at : at + _CHUNK] @ unit_MD.T) / 2.0**26)
        cosine_BM[np.arange(len(cosine_BM)), np.arange(at, at + len(cosine_BM))] = -(2.0**21)
        # One key without ties: cosines in steps of 2^-20, then the lower content.
        key_BM = cosine_BM * 2.0**26 - np.arange(total)
        found.append(np.argpartition(-key_BM, count - 1, axis=1)[:, :count])
    near_MC = np.concatenate(found)
    row_J = np.repeat(np.arange(total), near_MC.shape[1])
    weight_J = np.rint(np.einsum("jd,jd->j", unit_MD[row_J], unit_MD[near_MC.ravel()]) / 2.0**26).clip(0)
    return sp.csr_array((weight_J, (row_J, near_MC.ravel())), shape=(total, total))


def _groups(graph_MM: sp.csr_array, config: Config) -> list[Ints]:
    """For each level but the last the group of each content."""
    count, codes = graph_MM.shape[0], config.codes
    wanted = min(count, max(int(config.spare * codes), int(2 * count / (config.fill * codes)) + 1))
    second_M = partition(graph_MM, wanted, Limits(int(config.fill * codes), config.least))
    ones = np.ones(second_M.max() + 1, dtype=np.int64)
    kin = max(2, int(config.kin * len(ones) / codes))
    first_G = merged(coarse(graph_MM, second_M), np.arange(len(ones)), ones, codes, min(kin, codes))
    groups = [first_G[second_M], second_M]
    for left in range(config.levels - 3, 0, -1):
        groups.append(_parted(graph_MM, groups[-1], left + 1))
    return groups


def _parted(graph_MM: sp.csr_array, group_M: Ints, levels_left: int) -> Ints:
    """Part each group of n into about n^(1 / levels left) communities of about equal caps."""
    part_M, total = np.zeros(len(group_M), dtype=np.int64), 0
    for members in np.split(np.argsort(group_M, kind="stable"), np.cumsum(np.bincount(group_M))[:-1]):
        count = round(len(members) ** (1 / levels_left))
        if count > 1:
            inside = sp.csr_array(graph_MM[members][:, members])
            part_M[members] = total + partition(inside, count, Limits(2 * -(-len(members) // count), 1))
        else:
            part_M[members] = total
        total += count
    return part_M


def _figures(x_ND: Vectors, tokenizer: TreeTokenizer, codes_NL: Codes) -> dict[str, float]:
    """Bits of each code given those before it, and how often text alone finds the published first codes."""
    figures, before = {}, 0.0
    for level in range(codes_NL.shape[1]):
        size = np.unique(codes_NL[:, : level + 1], axis=0, return_counts=True)[1] / len(codes_NL)
        bits = float(-(size * np.log2(size)).sum())
        figures[f"bits_{level + 1}"], before = bits - before, bits
    same_NL = np.cumprod(tokenizer.encode(x_ND) == codes_NL, axis=1)
    return figures | {
        f"found_by_text_{level + 1}": float(share) for level, share in enumerate(same_NL.mean(axis=0))
    }
