"""Residual quantizers beside FAISS: notes encoded a second at equal reconstruction, k-means seconds at equal inertia, rows
that do not fit into memory, and how long an RQ-VAE takes to its stopping rule.

    python -m benchmarks.quantizer_speed                       # 1,000,000 made-up vectors of 384 dimensions
    python -m benchmarks.quantizer_speed --vectors beauty.npy  # and the RQ-VAE on vectors of yours, rows x dimensions

Both sides get the same rows, codebooks, iterations and threads, and take turns, so that a busy machine hits both; a ratio
is the median over the turns. CPU seconds are those of all threads; on a machine that does other things too they say more
than the clock, though FAISS' threads also spend them waiting for each other. FAISS encodes with `use_beam_LUT` on, which
is its faster way.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import faiss
import numpy as np
import torch

from benchmarks.report import write
from jobs.ids.fit_rqvae import fit as fit_rqvae
from jobs.ids.recipe import tiger_recipe
from models.ids.health import health, row_groups
from models.ids.lloyd import assign, lloyd
from models.ids.residual_codes import ResidualTokenizer
from models.ids.residual_kmeans import Config, fit, fit_streamed
from models.ids.rqvae import Config as RQVAEConfig
from models.ids.tokenizer import Vectors

DIMS, CODES, ITERATIONS = 384, 256, 20
BLOCK, BEAUTY_ROWS, RQVAE_SECONDS = 65_536, 12_101, 300.0
BEAMS = (1, 5)  # nearest codes level by level, and FAISS' own max_beam_size


def made_up(rows: int, number: int = 0) -> Vectors:
    """Unit vectors around 2,000 centres, in dimensions that matter less and less, as sentence encoders give."""
    centres = np.random.default_rng(1).normal(size=(2000, DIMS)).astype(np.float32)
    dice = np.random.default_rng(1000 + number)
    x = centres[dice.integers(0, 2000, rows)] + 0.7 * dice.standard_normal((rows, DIMS), dtype=np.float32)
    x *= (1 / np.sqrt(1 + np.arange(DIMS) / 30)).astype(np.float32)
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), dtype=np.float32)


class Took(NamedTuple):
    """Seconds on the clock and seconds of all cores."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    start, used = time.perf_counter(), time.process_time()
    done = work()
    return Took(time.perf_counter() - start, time.process_time() - used), done


def turns(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[list[Took], list[Took], Any, Any]:
    """What either side took, in turns, and what the last turn gave."""
    mine, other, found, peer = [], [], None, None
    for _ in range(rounds):
        took, found = timed(ours)
        mine.append(took)
        took, peer = timed(theirs)
        other.append(took)
    return mine, other, found, peer


def figure(what: str, mine: list[Took], other: list[Took], rows: int, quality: tuple[float, float]) -> dict[str, Any]:
    """A row of the table: ours beside FAISS."""
    both = list(zip(mine, other, strict=True))
    return {
        "what": what,
        "rows": rows,
        "seconds": median(a.wall for a in mine),
        "rows_a_second": rows / median(a.wall for a in mine),
        "faiss_seconds": median(b.wall for b in other),
        "times_faiss": median(b.wall / a.wall for a, b in both),
        "cpu_times_faiss": median(b.cpu / a.cpu for a, b in both),
        "squared_error": quality[0],
        "faiss_squared_error": quality[1],
    }


def squared_error(x_ND: Vectors, made_ND: Vectors) -> float:
    return float(((x_ND - made_ND) ** 2).sum(axis=1).mean(dtype=np.float64))


def encoding(x_ND: Vectors, rounds: int) -> Iterator[dict[str, Any]]:
    """Both encode all rows with the same codebooks."""
    sample = x_ND[: 64 * CODES]
    for levels in (3, 4):
        books = fit(sample, Config(levels=levels, codes=CODES, iterations=5), seed=1).tokenizer.tensors()["codebooks_LKD"]
        for beam in BEAMS:
            ours, theirs = ResidualTokenizer(np.asarray(books, dtype=np.float32), beam), faiss_quantizer(books, beam)
            mine, other, codes, packed = turns(lambda: ours.encode(x_ND), lambda: theirs.compute_codes(x_ND), rounds)  # noqa: B023
            part = slice(0, 100_000)
            quality = (
                squared_error(x_ND[part], ours.reconstruct(codes[part])),
                squared_error(x_ND[part], theirs.decode(packed[part])),
            )
            yield figure(f"encode, {levels} levels, beam {beam}", mine, other, len(x_ND), quality)


def faiss_quantizer(books: Any, beam: int) -> Any:
    levels, codes, dims = books.shape
    quantizer = faiss.ResidualQuantizer(dims, levels, int(np.log2(codes)))
    faiss.copy_array_to_vector(np.ascontiguousarray(books, dtype=np.float32).ravel(), quantizer.codebooks)
    quantizer.is_trained, quantizer.max_beam_size, quantizer.use_beam_LUT = True, beam, 1
    quantizer.compute_codebook_tables()
    return quantizer


def clustering(x_ND: Vectors, rounds: int) -> dict[str, Any]:
    """K-means of all rows, the same number of iterations; the error is that of the final centroids."""

    def theirs() -> Any:
        found = faiss.Kmeans(DIMS, CODES, niter=ITERATIONS, seed=1, max_points_per_centroid=len(x_ND))
        found.train(x_ND)
        return found.centroids

    mine, other, found, peer = turns(lambda: lloyd(x_ND, CODES, 1, ITERATIONS).centroids_KD, theirs, rounds)
    errors = [float(assign(x_ND, centroids).distance_N.mean(dtype=np.float64)) for centroids in (found, peer)]
    return figure(f"k-means, {ITERATIONS} iterations", mine, other, len(x_ND), (errors[0], errors[1]))


def streaming(rows: int) -> dict[str, Any]:
    """Residual k-means of rows that are made as they are read: seconds, and by how much memory grew."""

    def blocks() -> Iterator[Vectors]:
        for number, start in enumerate(range(0, rows, BLOCK)):
            yield made_up(min(BLOCK, rows - start), number)

    making, _ = timed(lambda: [len(x) for x in blocks()])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took, fitted = timed(lambda: fit_streamed(blocks, Config(), seed=1))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    looks = Config().levels + 2  # the sample, one look a level, the codes
    return {
        "rows": rows,
        "seconds_without_making_rows": took.wall - looks * making.wall,
        "peak_grew_mib": grown,
        "rows_would_take_mib": rows * DIMS * 4 / 2**20,
        **fitted.figures,
    }


def rqvae(x_ND: Vectors, what: str) -> dict[str, Any]:
    """The RQ-VAE as it is by default, on one thread as always."""
    threads = torch.get_num_threads()
    took, fitted = timed(lambda: fit_rqvae(x_ND, RQVAEConfig(x_ND.shape[1]), tiger_recipe(100, seed=1), settling="no"))
    torch.set_num_threads(threads)
    found = health(fitted.codes_NL, CODES, row_groups(x_ND))
    levels = {"perplexities": [level.perplexity for level in found.levels]}
    figures = levels | {"separable_unique_rate": found.separable_unique_rate, "shared_share": found.shared_share}
    return {"vectors": what, "rows": len(x_ND), "seconds": took.wall, "best_epoch": fitted.figures["epoch"], **figures}


def arg_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("quantizer_speed", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--streamed-rows", type=int, default=1_000_000, help="0 leaves this part out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vectors", type=Path, help="a .npy file of float32 rows x dimensions to train the RQ-VAE on")
    parser.add_argument("--no-rqvae", action="store_true")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    if args.vectors and not args.vectors.exists():
        sys.exit(f"{args.vectors} is absent: write your vectors there with numpy.save, or leave --vectors out")
    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    streamed = streaming(args.streamed_rows) if args.streamed_rows else None  # first: it measures the peak of memory
    x_ND = made_up(args.rows)
    rows = [*encoding(x_ND, args.rounds), clustering(x_ND, args.rounds)]
    bars = {
        "encodes at least as fast as FAISS at the same beam and no worse reconstruction": all(
            row["times_faiss"] >= 1 and row["squared_error"] <= 1.0001 * row["faiss_squared_error"] for row in rows[:-1]
        ),
        "trains k-means at least as fast as FAISS at an error no more than 1 % above": (
            rows[-1]["times_faiss"] >= 1 and rows[-1]["squared_error"] <= 1.01 * rows[-1]["faiss_squared_error"]
        ),
    }
    trained = None
    if not args.no_rqvae:
        real = np.load(args.vectors, allow_pickle=False) if args.vectors else made_up(min(args.rows, BEAUTY_ROWS))
        trained = rqvae(real, args.vectors.name if args.vectors else "made up")
        bars["RQ-VAE to its stopping rule under five minutes"] = trained["seconds"] < RQVAE_SECONDS
    if streamed:
        bars["streamed residual k-means keeps its memory under 1 GiB"] = streamed["peak_grew_mib"] < 1024
    write(
        "quantizer_speed",
        rows,
        bars=bars,
        command=f"python -m benchmarks.quantizer_speed {' '.join(argv)}".strip(),
        packages=("torch", "numpy", "faiss-cpu"),
        threads=args.threads,
        streamed=streamed,
        rqvae=trained,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
