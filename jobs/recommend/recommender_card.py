"""The model card of a recommender."""

from __future__ import annotations

from typing import Any


def recommender_card(generation: str, facts: dict[str, Any]) -> str:
    """The card: what it is, what it learned from, how that went, and what it must not be used for."""
    settings, clock = facts["settings"], facts["clock"]
    curve = "\n".join(
        f"| {point['epoch']} | {point['loss']:.4f} | {point['valid_loss']:.4f} | {_ranked(point)} |"
        for point in facts["curve"]
    )
    reads = "\n".join(
        f"- `{name}`: `{value}`" for name, value in sorted(facts["depends_on"]["reads"].items())
    )
    stopped = "stopped early, nothing got better" if facts["is_stopped"] else "ran all epochs"
    return f"""# Recommender {generation}

Tells the semantic ID of the note that a user acts on next, from profile and history (`{facts["prompt_style"]}` prompts of at
most {settings["history"]} notes). Model `{settings["model"]}`, {facts["num_parameters"]:,} parameters, tasks
`{settings["tasks"]}`.

It speaks codes of quantizer `{facts["quantizer"]}` ({" x ".join(map(str, facts["sizes"]))}): IDs of any other have no
meaning here, and decoding goes through the catalogue's trie.

{reads}

Trained on rows whose split `{settings["split"]}` is `train`; `valid` rows chose epoch {facts["best_epoch"]}
({stopped}, {facts["steps"]} steps). `test` rows were not looked at. Seed {settings["seed"]}.

| epoch | loss of a token | on valid rows | NDCG@10 there |
|---|---|---|---|
{curve}

Training took {facts["seconds"]:.0f} s with {settings["processes"]} process(es) at precision `{settings["precision"]}`;
{clock["waited_share"]:.1%} of the steps' time was waiting for data.

What it recommends follows what users like these did before: it knows no note that came after its IDs' day, and nothing of
why a note was liked. Figures on held-out users are in `recommender_metrics`.
"""


def _ranked(point: dict[str, float]) -> str:
    """What chose the epoch of a lazy network; of others the loss did."""
    return f"{point['valid_ndcg_10']:.4f}" if "valid_ndcg_10" in point else "-"
