"""Building the catalogue trie, and one decoding step with it beside `prefix_allowed_tokens_fn` over a Python trie.

    python -m benchmarks.trie [--rows 1000000 10000000] [--batch 32] [--beams 20] [--device cpu] [--threads 1]

The catalogues are drawn: codes of every level even and independent, which has the most states for its size. The step is
what a recommender pays at every code of an ID: of batch x beams prefixes, scores of all codes of the level in, the same
with what leads to no note at minus infinity out. The peer is what LC-Rec, GENRE and others hand to `generate`: nested
dictionaries walked from the root, under transformers' own `PrefixConstrainedLogitsProcessor`. Rounds alternate.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from transformers import PrefixConstrainedLogitsProcessor

from benchmarks import report
from jobs.ids.catalogue_trie import Binding, read_trie, write_trie
from jobs.lake import Lake
from jobs.staging import file_hash
from models.ids.trie import Trie
from models.ids.trie_build import Built, build
from models.ids.trie_torch import DeviceTrie, constrained_topk, masked, on_device, require_alive, start

SHAPES = ((3, 256), (4, 256), (5, 256), (3, 8192))
STEP_SHAPE = (4, 256)
ROUNDS = 7
CALLS = 20  # of our step in a round: one takes less than a slice of a shared processor
BUILD_BAR_S, STEP_BAR, BYTES_BAR_MB = 5.0, 20.0, 40.0


def catalogue(num_notes: int, levels: int, codes: int, seed: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """codes_NL, and the rank of every note among those of its codes."""
    codes_NL = np.random.default_rng(seed).integers(0, codes, (num_notes, levels), dtype=np.int32)
    key_N = codes_NL.astype(np.int64) @ codes ** np.arange(levels)
    order_N = np.argsort(key_N, kind="stable")
    rank_N = np.empty(num_notes, dtype=np.int32)
    rank_N[order_N] = np.arange(num_notes) - np.searchsorted(key_N[order_N], key_N[order_N])
    return codes_NL, rank_N


def timed(do: Callable[[], Any], device: str = "cpu") -> tuple[Any, float]:
    """What it gives, and the seconds until the device has it."""
    started = time.perf_counter()
    found = do()
    if device != "cpu":
        torch.cuda.synchronize()
    return found, time.perf_counter() - started


def build_row(num_notes: int, levels: int, codes: int) -> tuple[dict[str, Any], Trie]:
    """Seconds and bytes of one catalogue, in memory and through files."""
    codes_NL, rank_N = catalogue(num_notes, levels, codes)
    (trie, order_N), build_s = timed(lambda: build(codes_NL, rank_N, (codes,) * levels))
    is_known_N, validate_s = timed(lambda: trie.validate(codes_NL))
    if not is_known_N.all():
        raise AssertionError("the trie lacks IDs of its own catalogue")
    millions = num_notes / 1e6
    row = {
        "notes": num_notes,
        "levels": levels,
        "codes": codes,
        "IDs": trie.num_leaves,
        "build s/M": build_s / millions,
        "validate s/M": validate_s / millions,
        "trie MB/M": sum(array.nbytes for array in trie.tensors().values()) / 1e6 / millions,
        **through_files(Built(trie, order_N), millions),
    }
    return row, trie


def through_files(built: Built, millions: float) -> dict[str, float]:
    """Writing and reading the artifact, with note ids of 24 characters that nothing can be guessed from."""
    num_notes = built.trie.num_notes
    drawn = np.random.default_rng(11).bytes(12 * num_notes).hex().encode()
    ends = pa.py_buffer(np.arange(0, len(drawn) + 1, 24, dtype=np.int32))
    note_ids = pa.chunked_array([pa.StringArray.from_buffers(num_notes, ends, pa.py_buffer(drawn))])
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        binding = Binding("2026-01-01", "0" * 16, "g0", "0")
        path, write_s = timed(lambda: write_trie(lake, binding, built.trie, note_ids))
        files = {"files": {p.name: file_hash(p) for p in path.iterdir()}}
        _, read_s = timed(lambda: read_trie(path, files))
        size = sum(p.stat().st_size for p in path.iterdir())
    return {"write s/M": write_s / millions, "read s/M": read_s / millions, "disk MB/M": size / 1e6 / millions}


def python_trie(ids_SL: np.ndarray) -> dict[int, Any]:
    """The peer's: a dictionary a prefix."""
    root: dict[int, Any] = {}
    for codes in ids_SL.tolist():
        node = root
        for code in codes:
            node = node.setdefault(code, {})
    return root


def peer_step(root: dict[int, Any], beams: int) -> PrefixConstrainedLogitsProcessor:
    """The peer's step; the first token of a sequence is the decoder's start."""

    def allowed(_: int, sequence: torch.Tensor) -> list[int]:
        node = root
        for code in sequence.tolist()[1:]:
            node = node[code]
        return list(node)

    return PrefixConstrainedLogitsProcessor(allowed, beams)


def step_rows(trie: Trie, batch: int, beams: int, device: str) -> tuple[list[dict[str, Any]], float, bool]:
    """Milliseconds a level, the median ratio over whole IDs, and whether both allowed the same codes."""
    ids_SL, there = trie.ids(), on_device(trie, device)
    root, peer_build_s = timed(lambda: python_trie(ids_SL))
    peer, levels = peer_step(root, beams), len(trie.sizes)
    prefix_BL = ids_SL[np.random.default_rng(3).integers(0, len(ids_SL), batch * beams)]
    generator = torch.Generator().manual_seed(5)
    seconds = np.zeros((ROUNDS, levels, 2))
    is_same = True
    for depth in range(levels):
        sequence = torch.tensor(np.pad(prefix_BL[:, :depth], ((0, 0), (1, 0)))).long().to(device)
        state = torch.tensor(trie.walk(prefix_BL[:, :depth])).to(device)
        scores = torch.randn(len(prefix_BL), trie.sizes[depth], generator=generator).log_softmax(-1).to(device)
        for number in range(-1, ROUNDS):  # the first is to warm up
            ours, ours_s = timed(lambda d=depth, s=state, x=scores: [masked(there, d, s, x) for _ in range(CALLS)], device)
            theirs, theirs_s = timed(lambda s=sequence, x=scores: peer(s, x), device)
            is_same = is_same and bool(torch.equal(ours[0], theirs))
            if number >= 0:
                seconds[number, depth] = ours_s / CALLS, theirs_s
    ratio = float(np.median(seconds[..., 1].sum(1) / seconds[..., 0].sum(1)))
    rows = [
        {
            "code": depth,
            "width": found.shape[-1],
            "ours ms": 1e3 * ours_s,
            "python trie ms": 1e3 * theirs_s,
            "ratio": theirs_s / ours_s,
        }
        for depth, (found, (ours_s, theirs_s)) in enumerate(
            zip((level[-1] for level in there.levels), np.median(seconds, axis=0), strict=True)
        )
    ]
    sys.stdout.write(f"{report.table(rows)}\n\na Python trie of {len(ids_SL):,} IDs took {peer_build_s:.1f} s to build\n\n")
    return rows, ratio, is_same


def search_ms(trie: DeviceTrie, batch: int, beams: int, device: str) -> float:
    """Milliseconds of a whole search less the decoder: every step's choice among all continuations, and the last check."""

    def search() -> None:
        found = start(batch, device)
        for size in trie.sizes:
            found = constrained_topk(trie, found, drawn[: found.state_QB.shape[1], :size].expand(batch, -1, -1), beams)
        require_alive(found)

    drawn = torch.randn(beams, max(trie.sizes), generator=torch.Generator().manual_seed(7)).to(device)
    search()
    return 1e3 * statistics.median(timed(search, device)[1] for _ in range(ROUNDS))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("trie", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for both")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    build_rows = []
    for num_notes in args.rows:
        for shape in SHAPES:
            row, trie = build_row(num_notes, *shape)
            build_rows.append(row)
            if (num_notes, shape) == (args.rows[0], STEP_SHAPE):
                steps, ratio, is_same = step_rows(trie, args.batch, args.beams, args.device)
                whole_ms = search_ms(on_device(trie, args.device), args.batch, args.beams, args.device)
    slowest, largest = (max(row[name] for row in build_rows) for name in ("build s/M", "trie MB/M"))
    bars = {
        f"a build takes at most {BUILD_BAR_S:.0f} s a million notes (slowest {slowest:.2f})": slowest <= BUILD_BAR_S,
        f"at most {BYTES_BAR_MB:.0f} MB a million notes, note ids apart (largest {largest:.1f})": largest <= BYTES_BAR_MB,
        f"a step at least {STEP_BAR:.0f} times as fast as prefix_allowed_tokens_fn with a Python trie of {args.rows[0]:,} "
        f"notes (ratio {ratio:.0f}, median of {ROUNDS} alternating rounds)": ratio >= STEP_BAR,
        "both allow the same codes with the same scores": is_same,
    }
    report.write(
        "trie",
        build_rows,
        bars=bars,
        command=f"python -m benchmarks.trie {' '.join(argv)}".rstrip(),
        packages=["numpy", "torch", "transformers"],
        steps=steps,
        rows_a_step=args.batch * args.beams,
        device=args.device,
        threads=args.threads,
        search_ms=whole_ms,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
