"""Notes per second of `embed_notes`' batches against a plain loop over the same texts on the same cores.

    python -m benchmarks.embedding [--notes 2000]

The plain loop is what one would write: batches of 32 in the order given, padded to the longest, all cores to torch. Ours
runs as Spark runs it: a process a core, one thread each, texts sorted into buckets. The rounds alternate, so that both
meet the same machine. Vectors are compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks import report
from demo.__main__ import main as make_world
from jobs.notes.encoders import embed_texts, find_encoder
from models.notes.text import language, note_text

BATCH = 32
ROUNDS = 3
ROWS_A_CALL = 2048


def texts_of_world(count: int) -> list[str]:
    """The English notes of a generated world."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "world"
        make_world(["--notes", str(3 * count), "--pictures", "0", "--days", "2", "--out", str(out)])
        rows = pq.read_table(out / "notes").to_pylist()
    texts = [
        note_text(r["title"] or "", r["body"] or "", r["category"] or [], r["hashtags"] or []) for r in rows
    ]
    return [text for text in texts if language(text) == "en"][:count]


def plain_loop(folder: Path, texts: list[str]) -> tuple[np.ndarray, float]:
    """Vectors, and the share of computed tokens that were padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found, computed, real = [], 0, 0
    with torch.inference_mode():
        for start in range(0, len(texts), BATCH):
            rows = texts[start : start + BATCH]
            batch = tokenizer(rows, padding=True, truncation=True, max_length=256, return_tensors="pt")
            mask = batch["attention_mask"]
            hidden = encoder(**batch).last_hidden_state
            mean = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
            found.append(torch.nn.functional.normalize(mean, dim=-1).numpy())
            computed, real = computed + mask.numel(), real + int(mask.sum())
    return np.concatenate(found), 1 - real / computed


def padding_of_ours(folder: Path, texts: list[str]) -> float:
    """The share of computed tokens that `embed` pads or fills up."""
    from transformers import AutoTokenizer

    from models.notes.encoder import Config, bucket_length

    config, computed, real = Config(), 0, 0
    ids = AutoTokenizer.from_pretrained(folder)(texts, truncation=True, max_length=config.max_tokens)[
        "input_ids"
    ]
    for start in range(0, len(ids), ROWS_A_CALL):
        lengths = [len(row) for row in ids[start : start + ROWS_A_CALL]]
        buckets = [bucket_length(length, config) for length in lengths]
        for bucket in set(buckets):
            size = max(1, config.tokens_a_batch // bucket)
            computed += -(-buckets.count(bucket) // size) * size * bucket
        real += sum(lengths)
    return 1 - real / computed


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("embedding", description=__doc__)
    parser.add_argument("--notes", type=int, default=2000)
    args = parser.parse_args(argv)
    texts = texts_of_world(args.notes)
    folder = find_encoder("minilm", Path()).folder
    cores = len(os.sched_getaffinity(0))
    shares = [texts[i::cores] for i in range(cores)]
    plain_s, ours_s = [], []
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as workers:
        list(
            workers.map(embed_texts, [folder] * cores, [texts[:40]] * cores)
        )  # load the model in every worker
        plain_loop(folder, texts[:40])
        for _ in range(ROUNDS):
            started = time.perf_counter()
            plain, plain_padding = plain_loop(folder, texts)
            plain_s.append(time.perf_counter() - started)
            started = time.perf_counter()
            ours = list(workers.map(embed_texts, [folder] * cores, shares))
            ours_s.append(time.perf_counter() - started)
    together = np.empty_like(plain)
    for i, vectors in enumerate(ours):
        together[i::cores] = vectors
    difference = float(np.abs(together - plain).max())
    ratio = statistics.median(o / p for o, p in zip(ours_s, plain_s, strict=True))
    rows = [
        {
            "way": way,
            "notes/s": len(texts) / statistics.median(s),
            "seconds": statistics.median(s),
            "padding %": 100 * p,
        }
        for way, s, p in (
            ("plain transformers loop", plain_s, plain_padding),
            ("embed_notes", ours_s, padding_of_ours(folder, texts)),
        )
    ]
    report.write(
        "embedding",
        rows,
        bars={
            f"no slower than the plain loop (time ratio {ratio:.2f}, median of {ROUNDS} alternating rounds)": ratio
            <= 1,
            f"the same vectors to 1e-5 (largest difference {difference:.1e})": difference < 1e-5,
        },
        command=f"python -m benchmarks.embedding --notes {args.notes}",
        packages=["torch", "transformers"],
        notes=len(texts),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
