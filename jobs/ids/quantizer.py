"""A trained quantizer on the disk, read back only as it was written.

    model.safetensors   the tokenizer's tensors, and under `inputs.` those of the fusion of what it reads, where it has one
    config.json         its kind and sizes
    ids.parquet         the notes it was trained on: as fitted (`fitted`), and the ID that each has for good (`codes`)
    card.md             for people

A generation of an earlier version holds an RQ-VAE's weights and sizes, no kind and no notes; it is read as it is.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from jobs.artifact import Artifacts
from jobs.ids.tokenizers import load_named
from jobs.lake import LakeError, write_atomically
from jobs.staging import file_hash

if TYPE_CHECKING:
    from models.ids.inputs import Fuse
    from models.ids.tokenizer import Tokenizer

KIND = "quantizer"
WEIGHTS, CONFIG, IDS, CARD = "model.safetensors", "config.json", "ids.parquet", "card.md"
EARLIER = {"tokenizer": "rqvae", "collisions": "none"}  # what a generation is that does not say
IDS_SCHEMA = pa.schema(
    [
        pa.field("note_id", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("fitted", pa.list_(pa.int32()), nullable=False),
        pa.field("codes", pa.list_(pa.int32()), nullable=False),
    ]
)


def save_quantizer(
    folder: Path, kind: str, tokenizer: Tokenizer, fuse: Fuse | None, ids: pa.Table, card: str
) -> None:
    """Write the four files; equal tensors and notes make equal bytes."""
    tensors = {**tokenizer.tensors(), **(fuse.tensors() if fuse else {})}
    write_atomically(folder / WEIGHTS, save({name: tensors[name] for name in sorted(tensors)}))
    sizes = {"kind": kind, "levels": tokenizer.levels, "codes": tokenizer.codes, "input_dim": tokenizer.input_dim}
    write_atomically(folder / CONFIG, json.dumps(sizes, indent=1, sort_keys=True).encode())
    content = io.BytesIO()
    pq.write_table(ids.cast(IDS_SCHEMA), content, compression="zstd")
    write_atomically(folder / IDS, content.getvalue())
    write_atomically(folder / CARD, card.encode())


def require_whole(artifacts: Artifacts, generation: str) -> dict[str, Any]:
    """The manifest. Raises `LakeError` where a file is not the one that it names."""
    folder, manifest = artifacts.folder(generation), artifacts.manifest(generation)
    for name, written in manifest["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != written:
            raise LakeError(
                f"{folder / name} is not the file that its manifest names: its codes would be another quantizer's. "
                "Restore it, promote another generation (rollback_quantizer), or train again"
            )
    return manifest


def load_quantizer(artifacts: Artifacts, generation: str) -> Tokenizer:
    """The tokenizer of a generation, ready to give codes.

    Raises `LakeError` where a file is not the one that its manifest names, or weights, sizes and manifest disagree.
    """
    manifest, folder = require_whole(artifacts, generation), artifacts.folder(generation)
    sizes = json.loads((folder / CONFIG).read_bytes())
    try:
        tensors = {name: value for name, value in load((folder / WEIGHTS).read_bytes()).items() if not _is_input(name)}
        tokenizer = load_named(sizes.get("kind", EARLIER["tokenizer"]), tensors)
    except (SafetensorError, ValueError) as error:
        raise LakeError(f"{folder / WEIGHTS} does not fit its {CONFIG}: {error}") from None
    for name in ("levels", "codes", "input_dim"):
        said = {manifest["settings"].get(name, sizes[name]), sizes[name], getattr(tokenizer, name)}
        if len(said) > 1:
            raise LakeError(
                f"quantizer {generation}: {name} is {sorted(said)} in its manifest, {CONFIG} and {WEIGHTS}, which are not "
                "of one training: restore them, or train again"
            )
    return tokenizer


def load_fuse(artifacts: Artifacts, generation: str) -> Fuse | None:
    """The fusion of text, pictures and clicks that the generation reads; None where it reads text alone.

    Raises `LakeError` where a file is not the one that its manifest names.
    """
    from models.ids.inputs import from_tensors

    require_whole(artifacts, generation)
    path = artifacts.folder(generation) / WEIGHTS
    tensors = {name: value for name, value in load(path.read_bytes()).items() if _is_input(name)}
    try:
        return from_tensors(tensors) if tensors else None
    except (ValueError, KeyError) as error:
        raise LakeError(f"{path}: the fusion of its inputs does not fit: {error}") from None


def _is_input(name: str) -> bool:
    return name.startswith("inputs.")


def policy_of(artifacts: Artifacts, generation: str) -> str:
    """How the generation treats notes of equal codes."""
    policy: str = artifacts.manifest(generation)["settings"].get("collisions", EARLIER["collisions"])
    return policy


def first_ids(artifacts: Artifacts, generation: str) -> pa.Table | None:
    """The IDs that the generation began with; None where an earlier version made it."""
    path = artifacts.folder(generation) / IDS
    if IDS not in artifacts.manifest(generation)["files"]:
        return None
    if not path.exists() or file_hash(path) != artifacts.manifest(generation)["files"][IDS]:
        raise LakeError(f"{path} is not the file that its manifest names: restore it, published IDs follow from it")
    return pq.read_table(path)


def quantizer_card(generation: str, facts: dict[str, Any]) -> str:
    """The model card."""
    settings, figures, handled = facts["settings"], facts["figures"], facts["collisions"]
    encoders = ", ".join(f"`{encoder}`" for encoder in facts["encoders"])
    levels = _levels(figures["levels"], settings["codes"])
    fit = "\n".join(f"| {name} | {value:.6g} |" for name, value in sorted(facts["fit"].items()))
    return f"""# Quantizer {generation}

Turns a note's embedding into {settings["levels"]} codes of {settings["codes"]} each, which are the note's semantic ID.
Tokenizer: `{settings["tokenizer"]}`. Notes of equal codes: `{settings["collisions"]}`.

- Trained on `{facts["trained_on"]}`:
  {facts["num_rows"]} rows ({facts["num_contents"]} different vectors) of {facts["num_notes"]} notes.
- Encoder of the embeddings: {encoders}. Vectors of any other encoder have no meaning here.
- Seed {settings["seed"]}. {facts["codes_note"]}
- {churn_sentence(facts)}

| figure on its training notes, before equal codes are treated | value |
|---|---|
| notes without a full ID of their own | {figures["shared_share"]:.1%} |
| notes that share it with a note of the same vector (no quantizer separates them) | {figures["irreducible_share"]:.1%} |
| different IDs / notes | {figures["unique_rate"]:.1%} |
| different IDs / different vectors | {figures["separable_unique_rate"]:.1%} |
| notes that share the fullest ID | {figures["largest_group"]} |

| level | codes used | perplexity | dead codes |
|---|---|---|---|
{levels}

After that {handled["num_changed"]} notes had other codes than the tokenizer gave, {handled["num_overflow"]} of them
also before the last, and {handled["num_tied"]} share all their codes with another; the tie-break in `semantic_ids` tells
those apart.

| fit | |
|---|---|
{fit}

Codes of new notes keep their meaning as long as the notes resemble those of training; when the share of notes that the
tokenizer gives no ID of their own climbs from day to day, train a new generation.
"""


def _levels(levels: list[dict[str, Any]], codes: int) -> str:
    return "\n".join(
        f"| {number} | {level['codes_used']} of {codes} | {level['perplexity']:.1f} | {level['dead_codes']} |"
        for number, level in enumerate(levels, start=1)
    )


def churn_sentence(facts: dict[str, Any]) -> str:
    """How much of the vocabulary before is kept."""
    found = facts["churn"]
    if found is None:
        return "No generation before it: nothing to keep."
    first = ", ".join(f"{share:.1%}" for share in found["prefix_shares"][:3])
    return (
        f"Numbered like {found['against']}: of {found['num_notes']} notes known to both, {found['changed_share']:.1%} have "
        f"another ID; the first one, two, three codes changed for {first}."
    )
