"""What a tagger's folder says for a person: the card, and the curves of its training as numbers and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.lake import write_atomically
from jobs.tags.tagger_gate import COLD, MIN_NOTES, OVERALL, TOLERANCE


def write_curves(folder: Path, curve: Sequence[Mapping[str, float]], best_step: int) -> None:
    """`curve.json` and `curve.png`; equal curves make equal bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib.figure import Figure

    write_atomically(folder / "curve.json", json.dumps(list(curve), indent=1, sort_keys=True).encode())
    figure = Figure(figsize=(7, 4), dpi=100)
    left = figure.subplots()
    steps = [point["step"] for point in curve]
    left.plot(steps, [point["loss"] for point in curve], label="loss of the step")
    left.plot(steps, [point["held_out_loss"] for point in curve], label="loss, held-out notes")
    left.set(xlabel="step", ylabel="nats a token")
    right = left.twinx()
    right.plot(
        steps, [100 * point["held_out_wrong"] for point in curve], "k--", label="tokens wrong, held-out notes"
    )
    right.set(ylabel="% of tokens", ylim=(0, None))
    left.axvline(best_step, color="0.8")
    figure.legend(loc="upper center", ncols=3, fontsize="small")
    figure.savefig(folder / "curve.png", metadata={"Software": None})


def tagger_card(generation: str, facts: Mapping[str, Any]) -> str:
    """The model card, in Markdown."""
    gate, settings = facts["figures"], facts["settings"]
    named = {
        OVERALL: gate[OVERALL],
        COLD: gate[COLD],
        **{f"`{n or '(none)'}`": f for n, f in gate["categories"].items()},
    }
    lines = "\n".join(
        f"| {name} | {f['num_notes']} | {f['precision']:.3f} | {f['recall']:.3f} | {f['f1']:.3f} |"
        for name, f in named.items()
        if f is not None
    )
    lora = f"adapters of rank {facts['lora_rank']}, merged" if facts["lora_rank"] else "all weights"
    teachers = ", ".join(f"`{name}`" for name in facts["teachers"])
    return f"""# Tagger {generation}

A student of the tag stage: reads a note's text and picture with its category's handbook page, and answers with tags alone.
Asked for task `tags`, prompt `{facts["prompt"]}`.

- Started from {facts["started_from"]}; {facts["num_parameters"]:,} parameters; trained: {lora}.
- Taught by {teachers} on {facts["num_training"]} notes;
  {facts["num_stopping"]} notes said when to stop.
  Of {facts["num_top_k"]} replies the teacher's token probabilities were known.
- Two tasks (step-by-step distillation, arXiv 2305.02301): tags alone, and the teacher's chain
  at weight {settings["rationale_weight"]}.
- Seed {settings["seed"]}, {facts["steps"]} steps of at most {settings["steps"]}, best at step {facts["best_step"]}.

Against the teacher's tags, on frozen notes that were never trained on, nor any note of the same text:

| notes | number | precision | recall | F1 |
|---|---|---|---|---|
{lines}

Promotion asks for F1 of `tags.min_agreement` on all of them, and for no more than {TOLERANCE} less on every category of
at least {MIN_NOTES} notes, and on cold notes (nobody clicked them) if there are as many. `curve.png` shows the training.
"""
