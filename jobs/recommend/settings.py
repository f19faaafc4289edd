"""The section `recommend` of a configuration: what a recommender learns from, how, and how it decodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recommend:
    """Instructions, the model and its training, decoding, and the daily table."""

    history_days: int = (
        30  # of events that end with the day: what is learned from, and what a user is known by
    )
    history: int = 20  # notes of a user, the latest (TIGER, section 4)
    max_targets: int = 50  # of a user, the latest: nobody writes most of the training rows
    holdout_days: int = 1  # by_date: so many days are test, and so many before them valid
    split: str = "leave_one_out"
    languages: str = "both"  # of the templates
    model: str = "lazy"  # lazy, causal or t5, compact ones made on the spot; else a folder or a Hugging Face id
    tasks: str = "next_item"  # or mixed: also the other names of notes (LC-Rec)
    epochs: int = 60  # at most
    batch_size: int = 128  # sequences a step, all processes together
    parts: int = 1  # that a process splits its share of a step into, where it does not fit into memory
    learning_rate: float = 0.001
    dropout: float = 0.0  # of compact models; 0: as the family has it, lazy 0.5, causal and t5 0.2
    # lazy: the weight of an answer's neighbours, by clicks and by content, in what is learned; 0: the answer alone, and no
    # stand-ins. NDCG@10 of the validation answers of Amazon Scientific, the model alone: 0 .0856, 0.4 .0975 (.0914 without
    # stand-ins).
    neighbours: float = 0.4
    noise: bool = True  # causal: windows of a history are learned also in another order and with notes left out
    patience: int = 5  # epochs without a better validation loss, or with the model lazy without a better NDCG@10
    lora_rank: int = 0  # above 0: adapters and the new ID tokens alone are trained
    precision: str = "no"
    processes: int = 1
    beams: int = 20
    top: int = 20
    # D3's share of the model beside the collaborative scorer; 1: the model alone. NDCG@10 of the validation answers of
    # Amazon Scientific, log-probabilities and content mixed: 0 .1036, 0.2 .1053, 0.25 .1055, 0.35 .1044, 0.5 .1019, 1 .0893.
    guidance: float = 0.25
    content: float = 0.2  # neighbours' by content share of that scorer (Amazon Scientific, validation); 0: counts alone
    exclude_seen: bool = True  # notes of the history are not recommended, nor counted when judged
    max_judged: int = 20_000  # held-out users that figures are over, by hash of the user
    seed: int = 17

    @property
    def num_beams(self) -> int:
        """So many that `top` IDs are left where those of the whole history are masked."""
        return max(self.beams, self.top + (self.history if self.exclude_seen else 0))


SPLIT_NAMES = ("leave_one_out", "by_date")
CHOICES = {
    "recommend.split": SPLIT_NAMES,
    "recommend.languages": ("both", "en", "zh"),
    "recommend.tasks": ("next_item", "mixed"),
    "recommend.precision": ("no", "bf16", "fp16"),
}
