"""Blocks side by side: worked by hand, the same for a note in any company, and honest about what is not there."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.ids.inputs import Block, Config, Fuse, fit, from_tensors

TEXT_42 = np.array([[3, 0], [1, 0], [3, 0], [1, 0]], np.float32)
SOME = np.array([True, True, False, False])


def _block(rows: list[list[float]], has: list[bool] | None = None) -> Block:
    return Block(np.array(rows, np.float32), np.array(has if has is not None else [True] * len(rows)))


def _world(count: int = 3000, seed: int = 1) -> tuple[np.ndarray, Block, Block]:
    """Texts; pictures that half of the notes have; clicks that a third have, as their texts say."""
    dice = np.random.default_rng(seed)
    text_ND = dice.normal(size=(count, 6)).astype(np.float32)
    clicks_NC = (text_ND @ dice.normal(size=(6, 3)) + 5).astype(np.float32)
    picture = Block(dice.normal(size=(count, 4)).astype(np.float32), dice.random(count) < 0.5)
    return text_ND, picture, Block(clicks_NC, dice.random(count) < 0.34)


def test_blocks_worked_by_hand() -> None:
    # Text: mean (2, 0), the rows are (1, 0) or (-1, 0) from it, of mean square norm 1 already. Pictures of the two notes
    # that have one: mean (2, 5), (-2, 0) and (2, 0) from it, mean square norm 4, so halved; then half for a weight of 1/4.
    # Two pictures teach nothing about texts, so the other two notes get the mean picture, which is 0.
    picture = _block([[0, 5], [4, 5], [9, 9], [9, 9]], [True, True, False, False])
    fuse, figures = fit(TEXT_42, Config(picture=0.25), picture)
    expected = [[1, 0, -0.5, 0], [-1, 0, 0.5, 0], [1, 0, 0, 0], [-1, 0, 0, 0]]
    assert fuse.fuse(TEXT_42, picture).tolist() == expected
    assert (fuse.text_dim, fuse.output_dim, figures) == (2, 4, {"picture share": 0.5, "picture predicted": 0.0})


def test_text_alone_stays_as_it_came() -> None:
    fuse, figures = fit(TEXT_42, Config())
    assert fuse.fuse(TEXT_42).tobytes() == TEXT_42.tobytes()
    assert (fuse.output_dim, figures) == (2, {})


def test_every_block_has_its_weight_in_the_mean_square_norm() -> None:
    text_ND, picture, clicks = _world()
    fuse, _ = fit(text_ND, Config(picture=0.5, collaborative=2.0), picture, clicks)
    fused_NF = fuse.fuse(text_ND, picture, clicks).astype(np.float64)
    norms = [(part**2).sum(axis=1) for part in np.split(fused_NF, [6, 10], axis=1)]
    assert norms[0].mean() == pytest.approx(1)
    assert norms[1][picture.has_N].mean() == pytest.approx(0.5, rel=1e-5)
    assert norms[2][clicks.has_N].mean() == pytest.approx(2, rel=1e-5)


def test_what_follows_from_the_text_is_predicted_and_what_does_not_is_the_mean() -> None:
    text_ND, picture, clicks = _world()
    fuse, figures = fit(text_ND, Config(picture=1.0, collaborative=1.0), picture, clicks)
    seen_NF = fuse.fuse(text_ND, picture, Block(clicks.vectors_NP, np.ones(len(text_ND), np.bool_)))
    told_NF = fuse.fuse(text_ND)
    assert told_NF[:, 10:] == pytest.approx(seen_NF[:, 10:], abs=1e-4)  # clicks are linear in the text
    assert np.abs(told_NF[:, 6:10]).max() < 0.2  # pictures are noise: next to the mean, which is 0
    assert figures["collaborative predicted"] == pytest.approx(1)
    assert figures["picture predicted"] < 0.01


def test_a_note_is_fused_to_the_same_bits_in_any_company() -> None:
    text_ND, picture, clicks = _world(2500)
    fuse, _ = fit(text_ND, Config(picture=0.5, collaborative=0.5), picture, clicks)
    whole_NF = fuse.fuse(text_ND, picture, clicks)
    some = np.random.default_rng(2).permutation(2500)[:1301]
    part_NF = fuse.fuse(text_ND[some], *(Block(b.vectors_NP[some], b.has_N[some]) for b in (picture, clicks)))
    assert np.array_equal(whole_NF[some], part_NF)


def test_what_a_note_without_the_block_has_in_its_row_is_not_looked_at() -> None:
    text_ND, picture, _ = _world(50)
    fuse, _ = fit(text_ND, Config(picture=1.0), picture)
    junk_NP = picture.vectors_NP.copy()
    junk_NP[~picture.has_N] = np.nan
    again, _ = fit(text_ND, Config(picture=1.0), Block(junk_NP, picture.has_N))
    assert np.array_equal(fuse.fuse(text_ND, picture), again.fuse(text_ND, Block(junk_NP, picture.has_N)))


def test_the_fusion_comes_back_from_its_tensors_beside_a_tokenizers() -> None:
    text_ND, picture, clicks = _world(100)
    fuse, _ = fit(text_ND, Config(picture=0.5, collaborative=0.5), picture, clicks)
    stored = load(save({**fuse.tensors(), "centroids_LKE": np.ones((1, 2, 3), np.float32)}))
    again = from_tensors(stored)
    assert np.array_equal(again.fuse(text_ND, picture, clicks), fuse.fuse(text_ND, picture, clicks))
    plain = from_tensors(fit(TEXT_42, Config())[0].tensors())
    assert plain.fuse(TEXT_42).tobytes() == TEXT_42.tobytes()


def test_tensors_that_are_not_whole_are_named() -> None:
    text_ND, picture, _ = _world(100)
    stored = fit(text_ND, Config(picture=0.5), picture)[0].tensors()
    with pytest.raises(ValueError, match=r"lack inputs\.picture\.root"):
        from_tensors({name: value for name, value in stored.items() if name != "inputs.picture.root"})
    with pytest.raises(ValueError, match=r"inputs\.picture\.ridge_DP is \(6, 3\), which fits neither"):
        from_tensors({**stored, "inputs.picture.ridge_DP": np.zeros((6, 3))})


@pytest.mark.parametrize(
    ("text", "config", "picture", "message"),
    [
        (TEXT_42[:0], Config(), None, "there are no notes"),
        (np.array([[1, 0], [0, 0]], np.float32), Config(), None, "text vector of row 1 is zero or not finite"),
        (np.array([[np.nan, 0]], np.float32), Config(), None, "text vector of row 0 is zero or not finite"),
        (TEXT_42, Config(picture=1.0), None, "no note has a picture vector"),
        (TEXT_42, Config(picture=1.0), _block([[1, 2]] * 4, [False] * 4), "no note has a picture vector"),
        (TEXT_42, Config(picture=1.0), _block([[1, 2], [0, 0], [1, 1], [1, 1]]), "picture vector of row 1 is zero"),
        (TEXT_42, Config(picture=1.0), _block([[1, 2], [1, np.inf], [1, 1], [1, 1]]), "picture vector of row 1 is"),
        (TEXT_42, Config(picture=1.0), _block([[1, 2]] * 3), "4 texts and 3 rows of the picture block"),
        (TEXT_42, Config(picture=0.0), _block([[1, 2]] * 4), "weight of the picture block is 0.0: it must be above 0"),
        (TEXT_42, Config(picture=float("nan")), _block([[1, 2]] * 4), "weight of the picture block is nan"),
    ],
)
def test_what_cannot_be_fused_is_named(text: np.ndarray, config: Config, picture: Block | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(text, config, picture)


def test_vectors_of_another_width_than_at_training_are_named() -> None:
    text_ND, picture, _ = _world(50)
    fuse: Fuse = fit(text_ND, Config(picture=1.0), picture)[0]
    with pytest.raises(ValueError, match=r"text vectors are \(5,\) wide, the inputs were made for 6"):
        fuse.fuse(text_ND[:, :5], picture)
    with pytest.raises(ValueError, match=r"picture vectors are \(3,\) wide, the inputs were made for 4"):
        fuse.fuse(text_ND, Block(picture.vectors_NP[:, :3], picture.has_N))


def test_pictures_that_are_all_the_same_say_nothing_and_break_nothing() -> None:
    fuse, _ = fit(TEXT_42, Config(picture=1.0), _block([[1, 2]] * 4))
    assert fuse.fuse(TEXT_42, _block([[1, 2]] * 4))[:, 2:].tolist() == [[0, 0]] * 4
