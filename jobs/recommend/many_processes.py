"""A training in this process, or in several on this machine that Spark's TorchDistributor starts.

TorchDistributor runs torchrun on the driver (`local_mode`), with a file of ours and not a pickled function. Each process
takes the accelerator of its number where there are some, else the CPU, and they talk through gloo or NCCL. It needs a
session only to ask for its settings, so one of Spark Connect will do. Executors elsewhere are not used: a lake is a local
folder, which they could not read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.lake import LakeError
from jobs.recommend import training_process
from jobs.session import spark_session

ROOT = Path(__file__).resolve().parents[2]
log = logging.getLogger("notemill")


def learn_in_processes(room: Path, processes: int) -> None:
    """Train what the room holds. Raises `LakeError` where one of several processes failed."""
    if processes == 1:
        training_process.learn(room)
        return
    from pyspark.ml.torch.distributor import TorchDistributor

    spark_session("train_recommender")
    log.info("recommender: trains in %d processes", processes)
    with _module_path():
        # use_gpu would ask Spark for the driver's GPUs, which few configure; without it all that are seen may be used.
        distributor = TorchDistributor(num_processes=processes, local_mode=True, use_gpu=False)
        try:
            distributor.run(training_process.__file__, str(room))
        except RuntimeError as error:
            raise LakeError(f"a training process failed: {_last_lines(str(error))}") from None
    # The wrapper around torchrun ends well also where torchrun did not.
    if not (room / training_process.LEARNED).exists():
        raise LakeError(
            "a training process failed: the lines above say why; a rerun goes on after the last state"
        )


@contextmanager
def _module_path() -> Iterator[None]:
    """Processes started meanwhile find our modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _last_lines(text: str, count: int = 5) -> str:
    return " / ".join(line for line in text.splitlines()[-count:] if line.strip())
