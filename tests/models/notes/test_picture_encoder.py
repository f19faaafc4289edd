"""A picture has the same bits in any batch, and its vector is what the network makes of it alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from models.notes.picture_encoder import Config, embed, is_sound, pooled

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def encoder() -> CLIPVisionModel:
    torch.manual_seed(5)
    return CLIPVisionModel(CLIPVisionConfig(**SIZES, image_size=28, patch_size=14)).eval()


def _pictures(count: int, height: int = 28, width: int = 28) -> list[np.ndarray]:
    dice = np.random.default_rng(3)
    return list(dice.normal(size=(count, 3, height, width)).astype(np.float32))


class Stub(nn.Module):
    """Two tokens a picture, worked by hand: the mean of the pixels of each half, and a pooler that answers (0, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        left, right = pixel_values[..., :1].flatten(1), pixel_values[..., 1:].flatten(1)
        hidden_BPD = torch.stack([left, right], dim=1)
        return SimpleNamespace(last_hidden_state=hidden_BPD, pooler_output=torch.tensor([[0.0, 5.0]]))


def test_without_a_pooler_it_is_the_mean_of_the_tokens_and_with_one_what_that_says() -> None:
    # One channel, 2 x 2 pixels: the tokens are the columns (1, 5) and (5, 3), their mean is (3, 4).
    pixels = torch.tensor([[[[1.0, 5.0], [5.0, 3.0]]]])
    assert pooled(Stub(), pixels, has_pooler=False).tolist() == [[3.0, 4.0]]
    assert pooled(Stub(), pixels, has_pooler=True).tolist() == [[0.0, 5.0]]
    found = embed(Stub(), [pixels[0].numpy()], Config(pictures_a_batch=1), has_pooler=False)
    assert found[0].tolist() == pytest.approx([0.6, 0.8])  # scaled to length 1


def test_a_picture_gets_the_same_bits_whatever_stands_beside_it(encoder: CLIPVisionModel) -> None:
    pictures = _pictures(21)
    together = embed(encoder, pictures, Config())
    order = np.random.default_rng(7).permutation(21)[:13]
    assert np.array_equal(together[order], embed(encoder, [pictures[i] for i in order], Config()))
    assert np.array_equal(embed(encoder, pictures[:1], Config())[0], together[0])


def test_the_vector_is_that_of_a_plain_forward_pass(encoder: CLIPVisionModel) -> None:
    (picture,) = _pictures(1)
    with torch.inference_mode():
        output_BD = encoder(pixel_values=torch.from_numpy(picture)[None]).pooler_output
    plain = torch.nn.functional.normalize(output_BD, dim=-1)[0].numpy()
    assert embed(encoder, [picture], Config())[0] == pytest.approx(plain, abs=1e-5)


def test_pictures_of_several_sizes_come_back_in_their_order() -> None:
    wide, square = np.full((1, 1, 4), 2.0, np.float32), np.full((1, 1, 2), 2.0, np.float32)
    class Sizes(Stub):
        def forward(self, pixel_values: Tensor) -> SimpleNamespace:
            row = torch.tensor([0.0, 1.0]) if pixel_values.shape[-1] == 4 else torch.tensor([1.0, 0.0])
            return SimpleNamespace(last_hidden_state=row.expand(len(pixel_values), 1, 2))

    found = embed(Sizes(), [wide, square, wide], Config(), has_pooler=False)
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def test_no_pictures_make_no_vectors_and_a_flat_one_is_refused() -> None:
    assert len(embed(Stub(), [], Config())) == 0
    with pytest.raises(ValueError, match=r"channels x height x width; here is one of shape \(28, 28\)"):
        embed(Stub(), [np.zeros((28, 28), np.float32)], Config())


def test_only_a_finite_vector_of_length_one_is_sound() -> None:
    rows = np.array([[0.6, 0.8], [0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0], [3.0, 4.0]], np.float32)
    assert is_sound(rows).tolist() == [True, False, False, False, False]
