"""The tokenizers by the name that a configuration calls them: how each is fitted, and made again from its tensors.

Adding one is its name in `settings.py`, a case in `fit_named` and a case in `load_named`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jobs.ids.settings import Quantizer
from jobs.lake import LakeError

if TYPE_CHECKING:
    from jobs.ids.recipe import Recipe
    from models.ids.rqvae import Config
    from models.ids.tokenizer import Fitted, Tokenizer

Tensors = dict[str, NDArray[np.generic]]
NAMES = "names_LK"  # of a tokenizer whose codes were numbered like an older generation's


class Rows(NamedTuple):
    """What a fit sees: vectors_ND in order of note_id, content_N (equal vectors, equal numbers), the notes' ids; and where
    the settings ask for it which rows are clicked together, by how much, and the category paths.
    """

    vectors_ND: NDArray[np.float32]
    content_N: NDArray[np.int64]
    note_ids: list[str]
    pairs_P2: NDArray[np.int64] | None = None
    score_P: NDArray[np.float64] | None = None
    paths: list[tuple[str, ...]] | None = None

    @property
    def distinct(self) -> NDArray[np.float32]:
        """vectors_MD: one row of every content, by their numbers. Balanced codes would part rows that are alike."""
        return self.vectors_ND[np.unique(self.content_N, return_index=True)[1]]


def fit_named(name: str, rows: Rows, settings: Quantizer, codes: int, state: Path) -> Fitted:
    """Fit the named tokenizer with `codes` a level; a fit that takes long may keep its state there between steps.

    Raises `LakeError` where the name is none.
    """
    match name:
        case "rqvae" | "rq_kmeans_plus":
            return _fit_rqvae(name, rows, settings, codes, state)
        case "residual_kmeans" | "balanced":
            from models.ids.residual_kmeans import Config, fit

            if name == "residual_kmeans":
                return fit(rows.vectors_ND, Config(settings.levels, codes), settings.seed)
            found = fit(rows.distinct, Config(settings.levels, codes, balanced=True), settings.seed)
            return found._replace(codes_NL=found.codes_NL[rows.content_N])
        case "hierarchical" | "category" | "community":
            return _fit_tree(name, rows, settings, codes)
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
        case "rqvae" | "rq_kmeans_plus":
            from models.ids.rqvae_tokenizer import from_tensors as rqvae

            return rqvae(tensors)
        case "residual_kmeans" | "balanced":
            from models.ids.residual_codes import from_tensors as residual_codes

            return residual_codes(tensors)
        case "hierarchical" | "category" | "community":
            from models.ids.tree import from_tensors as tree

            return tree(tensors)
        case _:
            raise LakeError(f"a quantizer of kind {name!r} cannot be loaded by this version")


def recipe_of(name: str, settings: Quantizer, codes: int, input_dim: int) -> dict[str, Any]:
    """The settings of a fit as plain data, for a manifest."""
    own: dict[str, Any] = {"tokenizer": name, "levels": settings.levels, "codes": codes, "seed": settings.seed}
    if name in ("rqvae", "rq_kmeans_plus"):
        from jobs.ids.training import recipe_facts

        own |= recipe_facts(*_rqvae(name, settings, codes, input_dim))
    return own


def _rqvae(name: str, settings: Quantizer, codes: int, input_dim: int) -> tuple[Config, Recipe]:
    """Sizes and recipe of an RQ-VAE, or of RQ-KMeans+, under these settings."""
    from jobs.ids.recipe import plus_recipe, tiger_recipe
    from models.ids.rqvae import Config, plus_config

    if name == "rq_kmeans_plus":
        return plus_config(input_dim, settings.levels, codes), plus_recipe(settings.epochs, settings.seed)
    recipe = tiger_recipe(settings.epochs, settings.seed)
    behaviour_dim = settings.collaborative_dim if settings.collaborative_loss else 0
    config = Config(
        input_dim,
        settings.levels,
        codes,
        latent_dim=64 if settings.identity_loss else Config.latent_dim,
        gradient=settings.gradient,
        behaviour_dim=behaviour_dim,
    )
    weights = replace(
        recipe.weights,
        collaborative=settings.collaborative_loss,
        diversity=settings.diversity_loss,
        pair=settings.pair_loss,
        identity=settings.identity_loss,
    )
    return config, replace(recipe, weights=weights)


def _fit_rqvae(name: str, rows: Rows, settings: Quantizer, codes: int, state: Path) -> Fitted:
    from jobs.ids.fit_rqvae import model_of, settled
    from jobs.ids.training import Training
    from jobs.ids.training_losses import Beside
    from models.ids.pair_vectors import collaborative_vectors
    from models.ids.tokenizer import Fitted

    config, recipe = _rqvae(name, settings, codes, rows.vectors_ND.shape[1])
    beside = Beside()
    if name == "rqvae" and rows.pairs_P2 is not None and rows.score_P is not None:
        behaviour_NE = None
        if config.behaviour_dim:
            count = len(rows.vectors_ND)
            behaviour_NE = collaborative_vectors(rows.pairs_P2, rows.score_P, count, config.behaviour_dim, settings.seed)
            behaviour_NE[~behaviour_NE.any(axis=1)] = np.nan
        beside = Beside(behaviour_NE, rows.pairs_P2 if settings.pair_loss else None)
    best = Training(config, recipe, rows.vectors_ND, rows.content_N, beside).run(state)
    settling = "balanced" if recipe.weights.identity else "no"
    found = settled(model_of(config, best), rows.distinct, settings.seed, settling)
    figures = {"epoch": float(best.epoch), **{f"{part} loss": value for part, value in best.loss.items()}}
    return Fitted(found.tokenizer, found.codes_NL[rows.content_N], figures)


def _fit_tree(name: str, rows: Rows, settings: Quantizer, codes: int) -> Fitted:
    from models.ids import category, collaborative, community_tree, hierarchical

    x_ND, width, levels, seed = rows.vectors_ND, rows.vectors_ND.shape[1], settings.levels, settings.seed
    try:
        if name == "category" and rows.paths is not None:
            return category.fit(x_ND, category.Config(width, levels, codes), seed, rows.paths)
        if name == "community" and rows.pairs_P2 is not None and rows.score_P is not None:
            left_P, right_P = rows.pairs_P2.T
            graph_NN = collaborative.pair_graph(left_P, right_P, rows.score_P, len(x_ND))
            return community_tree.fit(x_ND, community_tree.Config(width, levels, codes), seed, graph_NN)
        return hierarchical.fit(x_ND, hierarchical.Config(width, levels, codes), seed)
    except ValueError as error:
        raise LakeError(f"quantizer.tokenizer {name} cannot be fitted on these notes: {error}") from None
