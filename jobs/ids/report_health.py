"""Print the health of semantic IDs: a published table's, or any index in the form that other projects publish.

Such an index is a JSON object from an item to its codes as text: {"17": ["<a_99>", "<b_225>", "<c_67>"]}.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jobs.config import load_config
from jobs.lake import LakeError, day_text
from jobs.session import run_job
from models.ids.health import Health, health
from models.ids.text import text_to_codes
from schemas.tables import SEMANTIC_IDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

READS = ("semantic_ids",)
WRITES: tuple[str, ...] = ()
log = logging.getLogger("notemill")


def codes_of_index(path: Path) -> NDArray[np.int64]:
    """codes_NL of an index file. Raises `LakeError` naming the file and the first item that does not read."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        return np.array([text_to_codes("".join(tokens)) for tokens in index.values()])
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise LakeError(f"{path} is no index of semantic IDs: {error}") from None


def codes_of_table(config: Path, day: str) -> NDArray[np.int64]:
    """codes_NL of a day's published table; the tie-break is not a code."""
    import pyarrow.parquet as pq

    lake = load_config(config).open_lake()
    return np.array(pq.read_table(lake.files(SEMANTIC_IDS, day), columns=["codes"])["codes"].to_pylist())


def sentence(name: str, found: Health) -> str:
    """The figures in one line."""
    used = "/".join(str(level.codes_used) for level in found.levels)
    perplexity = "/".join(f"{level.perplexity:.0f}" for level in found.levels)
    return (
        f"{name}: {found.num_items:,} items, {100 * found.shared_share:.1f} % share their ID with another, largest group "
        f"{found.largest_group}, codes used {used}, perplexity {perplexity}"
    )


def arg_parser() -> argparse.ArgumentParser:
    """Either `--index FILE ...`, or `--config` and `--day`."""
    parser = argparse.ArgumentParser("report_health", description=__doc__)
    parser.add_argument("--index", type=Path, nargs="+", default=[], help="JSON files of item to codes")
    parser.add_argument("--codes", type=int, default=256, help="size of a level's codebook")
    parser.add_argument("--config", type=Path, help="the deployment's YAML file")
    parser.add_argument("--day", type=day_text, help="the published day, YYYY-MM-DD")
    return parser


def main(argv: list[str]) -> None:
    args = arg_parser().parse_args(argv)
    if not args.index and not (args.config and args.day):
        raise LakeError("nothing to report on: give --index FILE, or --config and --day")
    for path in args.index:
        log.info("%s", sentence(path.stem, health(codes_of_index(path), args.codes)))
    if args.config and args.day:
        log.info("%s", sentence(f"semantic_ids ds={args.day}", health(codes_of_table(args.config, args.day), args.codes)))


if __name__ == "__main__":
    run_job(main)
