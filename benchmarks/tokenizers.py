"""All tokenizers of semantic IDs side by side on one set, with published indexes and controls, in one table.

`python -m benchmarks.tokenizers --source DIR [--only WORDS] [--without WORDS ...] [--cache DIR]`. DIR holds `items.jsonl`
and `interactions.parquet` (columns user_id, pos, item_id, split), and `published_sids/` where there are any.

Columns: `shared` is the share of items whose full ID another item has, before any handling of collisions; `shared_single`
the same among items whose content (text and vector) no other item has; `used`, `perplexity`, `gini`, `bits` by level,
`bits` being the entropy of a code given those before it; `align1` to `align3` the share of pairs of consecutive different
items of a user (train/valid/test) whose first 1, 2, 3 codes are equal, beside `chance`: two items drawn by popularity;
`new_shared` what `shared_single` is among a tenth of the items, encoded by text with a tokenizer fitted on the others.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmarks.report import write
from benchmarks.tokenizer_data import Items, figures, load, published
from jobs.ids.settings import Quantizer
from jobs.ids.tokenizers import Rows, fit_named
from models.ids import category, community_tree, hierarchical, inputs, numeric
from models.ids.health import row_groups
from models.ids.pair_vectors import collaborative_vectors
from models.ids.tokenizer import Codes, Vectors

BEST = "community tree"
PUBLISHED = "published "
CONTROL = "control: category path"
COLLABORATIVE_DIM = 64
HELD_OUT = 10
LEAST_PERPLEXITY = 0.6

Encode = Callable[[Vectors], Codes] | None
Made = tuple[Codes, Encode]


def communities(items: Items, levels: int, seed: int) -> Made:
    config = community_tree.Config(items.x_ND.shape[1], levels)
    found = community_tree.fit(items.x_ND, config, seed, items.together)
    return found.codes_NL, found.tokenizer.encode


def _fused(items: Items, seed: int) -> np.ndarray:
    """Text and collaborative vectors side by side, of equal weight."""
    half = sp.triu(items.together).tocoo()
    vectors_NE = collaborative_vectors(np.stack(half.coords, axis=1), half.data, len(items.ids), COLLABORATIVE_DIM, seed)
    block = inputs.Block(vectors_NE, vectors_NE.any(axis=1))
    fuse, _ = inputs.fit(items.x_ND, inputs.Config(collaborative=1.0), collaborative=block)
    return fuse.fuse(items.x_ND, collaborative=block)


def gid(children: int | None, fused: bool) -> Callable[[Items, int, int], Made]:
    def run(items: Items, levels: int, seed: int) -> Made:
        config = hierarchical.Config(items.x_ND.shape[1], levels, children=children)
        found = hierarchical.fit(items.x_ND, config, seed, _fused(items, seed) if fused else None)
        return found.codes_NL, found.tokenizer.encode

    return run


def hi_gen(items: Items, levels: int, seed: int) -> Made:
    found = category.fit(items.x_ND, category.Config(items.x_ND.shape[1], levels), seed, items.paths)
    return found.codes_NL, found.tokenizer.encode


def named(name: str, has_new: bool = True, **settings: Any) -> Callable[[Items, int, int], Made]:
    """A tokenizer as the product fits it under its name; `has_new` is False where a second fit would take minutes."""

    def run(items: Items, levels: int, seed: int) -> Made:
        half = sp.triu(items.together).tocoo()
        content_N = row_groups(items.x_ND)
        rows = Rows(items.x_ND, content_N, list(items.ids), np.stack(half.coords, axis=1), half.data)
        chosen = Quantizer(tokenizer=name, levels=levels, seed=seed, **settings)
        with TemporaryDirectory() as folder:
            found = fit_named(name, rows, chosen, chosen.codes, Path(folder) / "state.safetensors")
        return found.codes_NL, found.tokenizer.encode if has_new else None

    return run


def sequential(items: Items, levels: int, seed: int) -> Made:
    return numeric.sequential_ids(
        items.history_M2[:, 1], len(items.ids), numeric.Config(levels)
    ).codes_NL, None


def spectral(items: Items, levels: int, seed: int) -> Made:
    return numeric.collaborative_ids(items.together, numeric.Config(levels), seed).codes_NL, None


def random(items: Items, levels: int, seed: int) -> Made:
    return numeric.random_ids(len(items.ids), numeric.Config(levels), seed).codes_NL, None


# A tokenizer is one line: its name and what gives codes of items (and encodes later ones), at 3 and at 4 levels.
TOKENIZERS: tuple[tuple[str, Callable[[Items, int, int], Made]], ...] = (
    (BEST, communities),
    ("hierarchical k-means (text)", gid(None, fused=False)),
    ("hierarchical k-means (text + clicks)", gid(None, fused=True)),
    ("ColaRec GID, 32 children (text + clicks)", gid(32, fused=True)),
    ("category-guided clusters (Hi-Gen)", hi_gen),
    ("residual k-means", named("residual_kmeans")),
    ("residual k-means, balanced", named("balanced")),
    ("RQ-VAE (the default)", named("rqvae")),
    ("RQ-VAE, identity loss", named("rqvae", has_new=False, identity_loss=100.0)),
    ("RQ-VAE, rotation trick", named("rqvae", has_new=False, gradient="rotation")),
    ("RQ-VAE with LETTER's losses", named("rqvae", has_new=False, collaborative_loss=0.02, diversity_loss=1e-4)),
    ("RQ-VAE with pairs (FORGE)", named("rqvae", has_new=False, pair_loss=1.0)),
    ("RQ-KMeans+", named("rq_kmeans_plus", has_new=False)),
    ("sequential index", sequential),
    ("collaborative index (spectral)", spectral),
    ("random IDs", random),
)


def measured(
    items: Items, name: str, levels: int, run: Callable[[Items, int, int], Made], seed: int
) -> dict[str, Any]:
    """One row: fit on all items, then once more without a tenth of them."""
    started = time.perf_counter()
    codes_NL, encode = run(items, levels, seed)
    seconds = round(time.perf_counter() - started, 1)
    row = {"tokenizer": name, **figures(items, codes_NL, 256), "new_shared_pct": None, "seconds": seconds}
    if encode is not None:
        row["new_shared_pct"] = new_shared(items, levels, run, seed)
    sys.stderr.write(f"{row}\n")
    return row


def new_shared(items: Items, levels: int, run: Callable[[Items, int, int], Made], seed: int) -> float | None:
    """Of a tenth of the items, as new ones and encoded by text, the share in percent whose ID another item has."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(items.ids))
    new, old = np.sort(order[: len(order) // HELD_OUT]), np.sort(order[len(order) // HELD_OUT :])
    codes_NL = np.empty((len(order), levels), dtype=np.int32)
    codes_NL[old], encode = run(items.subset(old), levels, seed)
    if encode is None:
        return None
    codes_NL[new] = encode(items.x_ND[new])
    _, group_N, size_G = np.unique(codes_NL, axis=0, return_inverse=True, return_counts=True)
    is_single_M = np.bincount(items.content_N)[items.content_N][new] == 1
    return round(100 * float(np.mean(size_G[group_N.reshape(-1)[new]][is_single_M] > 1)), 2)


def fixed(items: Items, name: str, codes_NL: np.ndarray) -> dict[str, Any]:
    """A row of IDs that are there already."""
    codes = max(256, int(codes_NL.max()) + 1)
    return {"tokenizer": name, **figures(items, codes_NL, codes), "new_shared_pct": None, "seconds": None}


def controls(items: Items) -> list[dict[str, Any]]:
    """The bare category path; and as it is where "Test, Measure & Inspect" is cut at its comma, as some loaders do: its
    categories are coarser, which makes it the stronger control.
    """
    cut = [tuple(part for name in path for part in name.split(",")) for path in items.paths]
    found = [fixed(items, CONTROL, category.control(items.paths, 3).codes_NL)]
    if cut != items.paths:
        found.append(fixed(items, f"{CONTROL}, cut at every comma", category.control(cut, 3).codes_NL))
    return found


def bars(rows: list[dict[str, Any]]) -> dict[str, bool]:
    """The promises of the best tokenizer, at 3 and at 4 levels; alignment is compared split by split."""
    controls = [row for row in rows if row["tokenizer"].startswith(CONTROL)]
    others = [row for row in rows if row["tokenizer"].startswith(PUBLISHED)]
    found: dict[str, bool] = {}
    for row in (row for row in rows if row["tokenizer"] == BEST):
        at = f"{row['tokenizer']}, {row['levels']} levels:"
        found[f"{at} at most 1 % of non-duplicate items without an ID of their own"] = (
            row["shared_single_pct"] <= 1
        )
        found[f"{at} every code used in every level"] = set(row["used"].split("/")) == {"256"}
        last = float(row["perplexity"].split("/")[-1])
        found[f"{at} last-level perplexity at least 60 % of the codes"] = last >= LEAST_PERPLEXITY * 256
        for place, split in enumerate(("train", "valid", "test")):
            ours = _split(row, place)
            found[f"{at} two-code alignment above the category control, {split}"] = ours > max(
                _split(control, place) for control in controls
            )
            if others:
                best = max(_split(other, place) for other in others)
                found[f"{at} two-code alignment above the best published index, {split}"] = ours > best
    return found


def _split(row: dict[str, Any], place: int) -> float:
    return float(row["align2"].split("/")[place])


def main() -> None:
    parser = argparse.ArgumentParser(
        "tokenizers", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="the folder of the set")
    parser.add_argument(
        "--cache", type=Path, default=Path(".notemill/benchmarks"), help="where vectors are kept"
    )
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument(
        "--only", default="", help="run the tokenizers whose name contains this; all otherwise"
    )
    parser.add_argument("--without", nargs="*", default=[], help="leave out the tokenizers whose name contains one of these")
    parser.add_argument("--levels", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--date", help="the day to put on the results; today otherwise")
    args = parser.parse_args()
    items = load(args.source, args.cache, args.encoder)
    chosen = [
        (name, run)
        for name, run in TOKENIZERS
        if args.only in name and not any(words in name for words in args.without)
    ]
    rows = [measured(items, name, levels, run, args.seed) for name, run in chosen for levels in args.levels]
    rows += [
        fixed(items, PUBLISHED + name, codes_NL) for name, codes_NL in published(args.source, items).items()
    ]
    rows += controls(items)
    write(
        f"tokenizers_{items.name}",
        rows,
        bars=bars(rows),
        command=f"python -m benchmarks.tokenizers --source {items.name}"
        + (f" --only '{args.only}'" if args.only else "")
        + (f" --without {' '.join(repr(words) for words in args.without)}" if args.without else ""),
        packages=("numpy", "scipy", "torch"),
        day=args.date,
        items=len(items.ids),
        irreducible_pct=round(100 * float(np.mean(np.bincount(items.content_N)[items.content_N] > 1)), 2),
    )


if __name__ == "__main__":
    main()
