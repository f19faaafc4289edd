"""LoRA (Hu et al. 2021, arXiv 2106.09685) for students too large to train whole; merged at the end, so that a tagger is
plain weights."""

from __future__ import annotations

import dataclasses
import logging

from jobs.tags.student_model import StudentModel

MAX_WHOLE = (
    300_000_000  # parameters up to which all are trained: weights, gradients and moments are 5 GB then
)
DEFAULT_RANK = 16
log = logging.getLogger("notemill")


def rank_for(num_parameters: int, lora_rank: int) -> int:
    """The rank: as configured, else 0 (train whole) for a small student and `DEFAULT_RANK` for a large one."""
    return lora_rank or (DEFAULT_RANK if num_parameters > MAX_WHOLE else 0)


def with_lora(student: StudentModel, rank: int) -> StudentModel:
    """The student with adapters of that rank on all its linear layers, which alone are trained; itself at rank 0."""
    from peft import LoraConfig, get_peft_model

    if not rank:
        return student
    adapters = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear")
    adapted = get_peft_model(student.network, adapters)
    log.info("tagger: trains adapters of rank %d, not the whole student", rank)
    return dataclasses.replace(student, network=adapted)


def merged(student: StudentModel) -> StudentModel:
    """The student with its adapters added into its weights; itself where it has none."""
    if not hasattr(student.network, "merge_and_unload"):
        return student
    return dataclasses.replace(student, network=student.network.merge_and_unload())
