"""Residual k-means: level by level, k-means of what the levels before left of each vector.

Plain as in RQ-KMeans (OneRec) and GRID's RK-means (arXiv 2507.22224); balanced with at most ceil(N / K) rows a code in
the fit, so that no level wastes its codes (OneRec; MiniOneRec). New rows get their nearest codes in either case. Rows
that do not fit into memory come as blocks: k-means on a sample, then one look at all rows a level.

In: x_ND float32. Out: `Fitted`, with codebooks over the vectors themselves. Shapes: N rows, L levels, K codes, D dims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from models.ids.balanced import balanced, prices
from models.ids.blocks import BLOCK_ROWS, Product, Vectors, block, block_starts, checked, content_order, in_order
from models.ids.lloyd import Pass, lloyd, moved, refine
from models.ids.residual_codes import ResidualTokenizer, from_tensors
from models.ids.tokenizer import Codes, Fitted

__all__ = ["Config", "fit", "fit_streamed", "from_tensors"]

Blocks = Callable[[], Iterable[Vectors]]
SAMPLE_ROWS_A_CODE = 256  # a streamed fit starts from k-means on so many rows a code, faiss.Kmeans' own bound


@dataclass(frozen=True)
class Config:
    """`beam` is encoding's: 1 is nearest codes level by level; `balanced` bounds the size of the fitted rows' clusters;
    `balanced_iterations` follow the plain ones.
    """

    levels: int = 3
    codes: int = 256
    iterations: int = 20
    balanced: bool = False
    balanced_iterations: int = 5
    beam: int = 1


def fit(x_ND: Vectors, config: Config, seed: int) -> Fitted:
    """Codebooks of these rows; they may come in any order.

    Raises `ValueError` for rows that are not finite numbers and where there are fewer rows than codes.
    """
    rows_ND = _enough(checked(x_ND), config)
    order_N = content_order(rows_ND)
    residual_ND = rows_ND[order_N]
    books, codes, inertia = [], [], 0.0
    for level in range(config.levels):
        found = lloyd(residual_ND, config.codes, seed + level, config.iterations)
        book_KD = _filled(found.centroids_KD, config.codes)
        if config.balanced:
            book_KD, index_N = _balanced_level(residual_ND, book_KD, config.balanced_iterations)
        else:
            index_N = ResidualTokenizer(book_KD[None]).encode(residual_ND)[:, 0]
        residual_ND = residual_ND - book_KD[index_N]
        inertia = float((residual_ND.astype(np.float64) ** 2).sum(axis=1).mean())
        books.append(book_KD)
        codes.append(index_N)
    tokenizer = ResidualTokenizer(np.stack(books), config.beam)
    codes_NL = np.empty((len(rows_ND), config.levels), dtype=np.int32)
    codes_NL[order_N] = np.stack(codes, axis=1)
    if not config.balanced:  # what new rows get and what the fitted ones have is then the same to the last tie
        codes_NL = tokenizer.encode(rows_ND)
    return Fitted(tokenizer, codes_NL, {"squared_error": inertia})


def fit_streamed(blocks: Blocks, config: Config, seed: int) -> Fitted:
    """The same for rows that come as blocks, always the same ones in the same order: `blocks()` starts anew.

    Memory holds a block, the sample, the codebooks and the codes. Balanced clusters need all rows: `ValueError`.
    """
    if config.balanced:
        raise ValueError("balanced clusters need all rows at once: use fit, or residual k-means without balance")
    sample_ND = _enough(_sample(blocks, SAMPLE_ROWS_A_CODE * config.codes, seed), config)
    books: list[Vectors] = []
    inertia = 0.0
    for level in range(config.levels):
        residual = _residuals(books)
        start_KD = _filled(lloyd(residual(sample_ND), config.codes, seed + level, config.iterations).centroids_KD, config.codes)
        refined = refine(blocks(), start_KD, residual)
        inertia = refined.inertia
        books.append(refined.centroids_KD)
    tokenizer = ResidualTokenizer(np.stack(books), config.beam)
    codes_NL = np.concatenate([tokenizer.encode(x_ND) for x_ND in blocks()])
    return Fitted(tokenizer, codes_NL, {"squared_error": inertia})


def _enough(x_ND: Vectors, config: Config) -> Vectors:
    if config.levels < 1 or config.codes < 1:
        raise ValueError(f"{config.levels} levels of {config.codes} codes: there must be at least one of each")
    if len(x_ND) < config.codes:
        raise ValueError(f"{len(x_ND)} rows cannot make {config.codes} codes a level: ask for fewer codes or give more rows")
    return x_ND


def _filled(centroids_KD: Vectors, codes: int) -> Vectors:
    """Exactly K centroids: where the rows are too much alike to make so many, they repeat, and a repeat is never used."""
    return centroids_KD[np.arange(codes) % len(centroids_KD)]


def _residuals(books: list[Vectors]) -> Callable[[Vectors], Vectors]:
    if not books:
        return checked
    tokenizer = ResidualTokenizer(np.stack(books))

    def residual(x_ND: Vectors) -> Vectors:
        rows_ND = checked(x_ND, tokenizer.input_dim)
        return rows_ND - tokenizer.reconstruct(tokenizer.encode(rows_ND))

    return residual


def _sample(blocks: Blocks, wanted: int, seed: int) -> Vectors:
    """At most `wanted` rows, each with the same odds: those with the smallest of numbers drawn row by row."""
    dice = np.random.default_rng(seed)
    kept_ND, kept_N = None, np.empty(0)
    for x_ND in blocks():
        rows_ND, drawn_N = checked(x_ND), dice.random(len(x_ND))
        kept_ND = rows_ND if kept_ND is None else np.concatenate([kept_ND, rows_ND])
        kept_N = np.concatenate([kept_N, drawn_N])
        if len(kept_N) > wanted:
            best = np.sort(np.argpartition(kept_N, wanted - 1)[:wanted])
            kept_ND, kept_N = kept_ND[best], kept_N[best]
    if kept_ND is None:
        raise ValueError("there are no rows: the blocks to fit on are empty")
    return kept_ND


def _costs(x_ND: Vectors, book_KD: Vectors) -> Vectors:
    """Squared distances but for |x|^2, which is the same for all codes of a row."""
    codes_KD = torch.from_numpy(book_KD)
    product, norms_K = Product(-2 * codes_KD), codes_KD.square().sum(1)
    cost_NK = np.empty((len(x_ND), len(book_KD)), dtype=np.float32)

    def some(start: int) -> None:
        real = min(BLOCK_ROWS, len(x_ND) - start)
        cost_NK[start : start + real] = (product(block(x_ND, start)) + norms_K)[:real].numpy()

    for _ in in_order(some, block_starts(len(x_ND))):
        pass
    return cost_NK


def _balanced_level(x_ND: Vectors, book_KD: Vectors, iterations: int) -> tuple[Vectors, Codes]:
    """Codes of at most ceil(N / K) rows and their means, in turns; the assignment to the last means."""
    capacity = -(-len(x_ND) // len(book_KD))
    for index_N in _turns(x_ND, book_KD, capacity, iterations):
        sums_KD = np.zeros(book_KD.shape)
        for at in range(0, len(x_ND), 8192):  # np.add.at goes row by row, in the order of the rows
            np.add.at(sums_KD, index_N[at : at + 8192], x_ND[at : at + 8192])
        counts_K = np.bincount(index_N, minlength=len(book_KD))
        book_KD[:] = moved(x_ND, book_KD, Pass(index_N, sums_KD, counts_K, np.zeros(len(x_ND), np.float32)))
    return book_KD, index_N


def _turns(x_ND: Vectors, book_KD: Vectors, capacity: int, iterations: int) -> Iterator[Codes]:
    for _ in range(iterations):
        cost_NK = _costs(x_ND, book_KD)
        yield balanced(cost_NK, capacity, prices(cost_NK))
