"""The tokenizers by the name that a configuration calls them: how each is fitted, and made again from its tensors.

Adding one is its name in `settings.py`, a case in `fit_named` and a case in `load_named`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.ids.settings import Quantizer
from jobs.lake import LakeError

if TYPE_CHECKING:
    from models.ids.tokenizer import Fitted, Tokenizer

Tensors = dict[str, NDArray[np.generic]]
NAMES = "names_LK"  # of a tokenizer whose codes were numbered like an older generation's


class Rows(NamedTuple):
    """What a fit sees: vectors_ND in order of note_id, content_N (equal vectors, equal numbers), the notes' ids."""

    vectors_ND: NDArray[np.float32]
    content_N: NDArray[np.int64]
    note_ids: list[str]


def fit_named(name: str, rows: Rows, settings: Quantizer, codes: int, state: Path) -> Fitted:
    """Fit the named tokenizer with `codes` a level; a fit that takes long may keep its state there between steps.

    Raises `LakeError` where the name is none.
    """
    match name:
        case "rqvae":
            return _fit_rqvae(rows, settings, codes, state)
        case "residual_kmeans" | "balanced":
            from models.ids.residual_kmeans import Config, fit

            config = Config(settings.levels, codes, balanced=name == "balanced")
            return fit(rows.vectors_ND, config, settings.seed)
        case _:
            raise LakeError(f"quantizer.tokenizer is {name!r}, which this version cannot fit")


def load_named(name: str, tensors: Tensors) -> Tokenizer:
    """The frozen tokenizer of these tensors.

    Raises `LakeError` where the name is none, `ValueError` where they do not fit.
    """
    if NAMES in tensors:
        from models.ids.alignment import Relabeled

        inner = load_named(name, {key: value for key, value in tensors.items() if key != NAMES})
        return Relabeled(inner, tensors[NAMES].astype(np.int32))
    match name:
        case "rqvae":
            from models.ids.rqvae_tokenizer import from_tensors as rqvae

            return rqvae(tensors)
        case "residual_kmeans" | "balanced":
            from models.ids.residual_codes import from_tensors as residual_codes

            return residual_codes(tensors)
        case _:
            raise LakeError(f"a quantizer of kind {name!r} cannot be loaded by this version")


def recipe_of(name: str, settings: Quantizer, codes: int, input_dim: int) -> dict[str, Any]:
    """The settings of a fit as plain data, for a manifest."""
    own: dict[str, Any] = {"tokenizer": name, "levels": settings.levels, "codes": codes, "seed": settings.seed}
    if name == "rqvae":
        from jobs.ids.training import Recipe, recipe_facts
        from models.ids.rqvae import Config

        own |= recipe_facts(Config(input_dim, settings.levels, codes), Recipe(settings.epochs, settings.seed))
    return own


def _fit_rqvae(rows: Rows, settings: Quantizer, codes: int, state: Path) -> Fitted:
    from jobs.ids.training import Recipe, Training
    from models.ids.rqvae import Config
    from models.ids.rqvae_tokenizer import from_tensors
    from models.ids.tokenizer import Fitted

    config = Config(rows.vectors_ND.shape[1], settings.levels, codes)
    best = Training(config, Recipe(settings.epochs, settings.seed), rows.vectors_ND, rows.content_N).run(state)
    tokenizer = from_tensors({name: value.numpy() for name, value in best.weights.items()})
    figures = {"epoch": float(best.epoch), **{f"{name} loss": value for name, value in best.loss.items()}}
    return Fitted(tokenizer, tokenizer.encode(rows.vectors_ND), figures)
