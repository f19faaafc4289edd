"""What the weights can do before any training."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaModel

from models.tags.initial import STEPS_BACK, start_copying


def _attentions(ids_BL: Tensor) -> tuple[Tensor, ...]:
    """By layer what an untrained model's heads look at, (B, heads, L, L)."""
    torch.manual_seed(0)
    model = LlamaModel(
        LlamaConfig(
            vocab_size=500, hidden_size=128, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        )
    ).eval()
    model.set_attn_implementation("eager")
    start_copying(model)
    with torch.inference_mode():
        return model(ids_BL, output_attentions=True).attentions


def test_the_first_heads_look_one_two_and_three_tokens_back() -> None:
    ids_BL = torch.randint(0, 500, (2, 60), generator=torch.Generator().manual_seed(1))
    looked_BHL = _attentions(ids_BL)[0][:, :, 10:].argmax(-1)
    at = torch.arange(10, 60)
    for head, back in enumerate(STEPS_BACK):
        assert (looked_BHL[:, head] == at - back).float().mean() > 0.6, (head, back)  # chance: 1 in 60
    assert (looked_BHL[:, 3] == at - 1).float().mean() < 0.2  # the fourth is left as it was


def test_a_token_sees_its_like_in_the_later_layers() -> None:
    attention_HLL = _attentions(torch.arange(40)[None].repeat(1, 2))[1][0]  # 0 to 39, and 0 to 39 again
    like = attention_HLL[:, torch.arange(40, 80), torch.arange(40)].mean()
    other = attention_HLL[:, torch.arange(40, 80), torch.arange(1, 41)].mean()
    assert like > 2 * other
