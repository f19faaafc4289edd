"""The RQ-VAE trained with all its losses: resumable, stopped by its health, and a tokenizer in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import jobs.ids.training
from jobs.ids.fit_rqvae import SETTLINGS, fit, model_of, settled
from jobs.ids.recipe import Recipe, plus_recipe
from jobs.ids.training import Training
from jobs.ids.training_losses import Beside, Partners, Weights
from models.ids.health import Health, LevelHealth, row_groups
from models.ids.residual_kmeans import Config as KMeansConfig
from models.ids.residual_kmeans import fit as fit_kmeans
from models.ids.rqvae import RQVAE, Config, plus_config, seed_codebooks
from models.ids.rqvae_tokenizer import RQVAETokenizer, from_tensors
from tests.models.ids.rows import heaps

X = heaps(60, dims=6)
EVERYTHING = Weights(collaborative=0.5, diversity=0.1, pair=0.5, identity=0.5, diversity_clusters=2)
BESIDE = Beside(
    np.where(np.arange(60)[:, None] % 7 == 0, np.nan, heaps(60, dims=3, seed=5)).astype(np.float32),
    np.array([[n, (n * 7 + 1) % 60] for n in range(0, 60, 2)]),
)
SMALL = Config(6, levels=2, codes=4, hidden_dims=(16,), latent_dim=4, gradient="rotation", even_levels=1, behaviour_dim=3)
PLAIN = Config(6, levels=2, codes=4, hidden_dims=(16,), latent_dim=4)


def training(weights: Weights = EVERYTHING, epochs: int = 6) -> Training:
    return Training(SMALL, Recipe(epochs, 1, batch_rows=16, weights=weights), X, row_groups(X), BESIDE)


def bytes_of(weights: dict[str, torch.Tensor]) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in weights.items()}


def test_a_training_with_every_loss_goes_on_to_the_same_weights_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.ids.training, "STATE_SECONDS", -1.0)
    state, real = tmp_path / "state.safetensors", Training._save

    def killed(self: Training, path: Path) -> None:
        real(self, path)
        if self.epoch == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_save", killed)
        with pytest.raises(KeyboardInterrupt):
            training().run(state)
    whole = training().run()
    assert set(whole.loss) == {"reconstruction", "codebook", "identity", "collaborative", "diversity", "pair"}
    assert bytes_of(dict(training().run(state).weights)) == bytes_of(dict(whole.weights))


@pytest.mark.parametrize("name", ["collaborative", "diversity", "pair", "identity"])
def test_each_loss_changes_what_is_learned(name: str) -> None:
    alone = training(Weights(**{name: 0.5, "diversity_clusters": 2}), epochs=4).run()
    none = training(Weights(), epochs=4).run()
    assert bytes_of(dict(alone.weights)) != bytes_of(dict(none.weights))


def test_training_stops_when_the_health_no_longer_becomes_better(monkeypatch: pytest.MonkeyPatch) -> None:
    def health_of(unique: float) -> Health:
        return Health(60, 9, 0.0, 0.0, unique, unique, 1, (LevelHealth(4, 3.0, 0),))

    seen = iter([0.5, 0.7, 0.6, 0.7, 0.9, 0.9])
    monkeypatch.setattr(jobs.ids.training, "judged", lambda *_: health_of(next(seen)))
    made = Training(PLAIN, Recipe(40, 1, batch_rows=16, patience=2), X, row_groups(X))
    best = made.run()
    # Judged from epoch 20 on; the third and the fourth look (epoch 23) bring nothing better than the second.
    assert (made.epoch, best.epoch, best.score[0]) == (23, 21, 0.7)


def test_what_a_loss_needs_is_asked_for() -> None:
    def made(weights: Weights, beside: Beside) -> Training:
        return Training(SMALL, Recipe(2, 1, weights=weights), X, row_groups(X), beside)

    with pytest.raises(ValueError, match="no collaborative embeddings are given but"):
        made(Weights(collaborative=1.0), Beside())
    with pytest.raises(ValueError, match=r"rows x behaviour_dim \(60, 3\), not \(60, 2\)"):
        made(Weights(), Beside(behaviour_NE=np.zeros((60, 2), np.float32)))
    with pytest.raises(ValueError, match="there are no pairs"):
        made(Weights(pair=1.0), Beside())
    with pytest.raises(ValueError, match="rows from 3 to 60; there are 60 rows"):
        made(Weights(), Beside(pairs_P2=np.array([[3, 60]])))


def test_partners_are_drawn_both_ways_and_known_as_the_same() -> None:
    known = Partners(np.array([[0, 1], [0, 1], [1, 2]]), 4)
    left, right = known.drawn(torch.tensor([3, 0, 2]), torch.Generator().manual_seed(0))
    assert (left.tolist(), right.tolist()) == ([0, 2], [1, 1])
    assert known.same(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 2])).tolist() == [
        [True, True, False],
        [False, True, True],
        [False, False, False],
    ]


def test_rows_in_another_order_train_the_same_tokenizer_and_keep_their_codes() -> None:
    order = np.random.default_rng(0).permutation(60)
    moved = Beside(BESIDE.behaviour_NE[order], np.argsort(order)[BESIDE.pairs_P2])  # type: ignore[index]
    recipe = Recipe(4, 1, batch_rows=16, weights=EVERYTHING)
    one, two = fit(X, SMALL, recipe, BESIDE), fit(X[order], SMALL, recipe, moved)
    assert (two.codes_NL == one.codes_NL[order]).all()
    for name, value in one.tokenizer.tensors().items():
        assert value.tobytes() == two.tokenizer.tensors()[name].tobytes()


@pytest.mark.parametrize("config", [PLAIN, plus_config(6, 2, 4)])
def test_a_tokenizer_is_made_again_from_its_tensors(config: Config) -> None:
    fitted = fit(X, config, Recipe(4, 1, batch_rows=16), settling="plain")
    again = from_tensors(fitted.tokenizer.tensors())  # type: ignore[arg-type]
    assert (again.levels, again.codes, again.input_dim) == (2, 4, 6)
    assert (again.encode(X) == fitted.codes_NL).all()
    costs = again.last_costs(X, fitted.codes_NL)
    assert (costs.argmin(1) == fitted.codes_NL[:, -1]).all()
    assert again.reconstruct(fitted.codes_NL).shape == X.shape
    with pytest.raises(ValueError, match="5 dimensions, the tokenizer reads 6"):
        again.encode(X[:, :5])
    with pytest.raises(ValueError, match="mean_D missing"):
        from_tensors({name: value for name, value in fitted.tokenizer.tensors().items() if name != "mean_D"})  # type: ignore[misc]


def test_plus_starts_as_residual_kmeans_of_the_vectors_themselves() -> None:
    model = RQVAE(plus_config(6, 2, 4))
    model.standardize_on(torch.from_numpy(X))
    seed_codebooks(model, torch.from_numpy(X), seed=1)
    tokenizer = RQVAETokenizer(model)
    error = ((X - tokenizer.reconstruct(tokenizer.encode(X))) ** 2).sum(1).mean()
    plain = fit_kmeans(X, KMeansConfig(levels=2, codes=4, iterations=30), seed=1).figures["squared_error"]
    assert error == pytest.approx(plain, rel=0.2)
    better = fit(X, plus_config(6, 2, 4), plus_recipe(60, 1), settling="no")
    assert ((X - better.tokenizer.reconstruct(better.codes_NL)) ** 2).sum(1).mean() < error


def test_settling_keeps_the_network_and_leaves_no_code_to_few_rows() -> None:
    best = Training(PLAIN, Recipe(6, 1, batch_rows=16), X, row_groups(X)).run()
    before = bytes_of(dict(best.weights))
    found = {name: settled(model_of(PLAIN, best), X, 1, name) for name in SETTLINGS}
    for name, (tokenizer, _) in found.items():
        now = {key: value.tobytes() for key, value in tokenizer.tensors().items()}
        changed = {key for key, value in before.items() if now[key] != value}
        assert changed == (set() if name == "no" else {"codebooks_LKE"})
    for name in ("no", "plain"):
        assert (found[name].codes_NL == found[name].tokenizer.encode(X)).all()
    for level in range(2):
        assert np.bincount(found["balanced"].codes_NL[:, level]).tolist() == [15] * 4
    with pytest.raises(ValueError, match="settling is 'maybe': it must be one of no, plain, balanced"):
        settled(model_of(PLAIN, best), X, 1, "maybe")


def test_bad_rows_are_errors() -> None:
    nan = X.copy()
    nan[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3 holds NaN"):
        fit(nan, PLAIN, Recipe(2, 1))
    with pytest.raises(ValueError, match="3 rows cannot train 4 codes"):
        fit(X[:3], PLAIN, Recipe(2, 1))
    with pytest.raises(ValueError, match="gradient is 'other'"):
        Config(6, gradient="other")
    with pytest.raises(ValueError, match="latent_dim must be 6, not 32"):
        Config(6, residual_encoder=True)
    zeros = fit(np.zeros((20, 6), np.float32), PLAIN, Recipe(2, 1)).tokenizer.encode(np.zeros((20, 6), np.float32))
    assert (zeros == zeros[0]).all()
