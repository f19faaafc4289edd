"""A text has the same bits in any batch, and its text says what it should."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from models.notes.encoder import Config, bucket_length, embed, mean_pooled
from models.notes.text import language, note_text

PAD = 0


@pytest.fixture(scope="module")
def encoder() -> BertModel:
    torch.manual_seed(5)
    sizes = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    return BertModel(sizes).eval()


@pytest.mark.parametrize(("length", "bucket"), [(0, 16), (1, 16), (16, 16), (17, 32), (250, 256), (999, 256)])
def test_lengths_go_up_to_the_next_bucket(length: int, bucket: int) -> None:
    assert bucket_length(length, Config()) == bucket


def test_the_mean_of_the_real_tokens_is_scaled_to_length_one() -> None:
    hidden_BLD = torch.tensor([[[3.0, 0.0], [3.0, 8.0], [99.0, 99.0]]])
    mask_BL = torch.tensor([[1, 1, 0]])
    # The mean of (3, 0) and (3, 8) is (3, 4), of length 5.
    assert mean_pooled(hidden_BLD, mask_BL)[0].tolist() == pytest.approx([0.6, 0.8])


def test_a_text_gets_the_same_bits_whatever_stands_beside_it(encoder: BertModel) -> None:
    random.seed(3)
    texts = [[random.randrange(1, 50) for _ in range(random.randrange(1, 90))] for _ in range(60)]
    together = embed(encoder, texts, PAD, Config()).vectors_ND
    order = random.sample(range(60), 37)
    apart = embed(encoder, [texts[i] for i in order], PAD, Config()).vectors_ND
    assert np.array_equal(together[order], apart)
    assert np.array_equal(embed(encoder, texts[:1], PAD, Config()).vectors_ND[0], together[0])


def test_the_vector_is_that_of_a_plain_forward_pass(encoder: BertModel) -> None:
    text = [3, 1, 4, 1, 5]
    with torch.inference_mode():
        hidden_BLD = encoder(input_ids=torch.tensor([text])).last_hidden_state
    plain = torch.nn.functional.normalize(hidden_BLD.mean(1), dim=-1)[0].numpy()
    assert embed(encoder, [text], PAD, Config()).vectors_ND[0] == pytest.approx(plain, abs=1e-5)


def test_padding_is_counted(encoder: BertModel) -> None:
    # One text of 10 tokens: its bucket is 16, of which two fit into a batch of 32 tokens.
    found = embed(encoder, [[1] * 10], PAD, Config(tokens_a_batch=32))
    assert (found.tokens, found.padding) == (10, 22)


def test_the_text_of_a_note_leaves_out_what_is_empty() -> None:
    assert (
        note_text("Tent", "", ["outdoor", "camping"], ["dry", "露营"])
        == "Tent\noutdoor > camping\n#dry #露营"
    )
    assert note_text("Tent", "Stays dry.", [], []) == "Tent\nStays dry."


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("A tent for two", "en"),
        ("适合两个人的帐篷", "zh"),
        ("iPhone 15 手机壳推荐", "zh"),
        ("NIKE 鞋 running shoes", "en"),
        ("123", "en"),
    ],
)
def test_the_language_is_told_by_the_script(text: str, spoken: str) -> None:
    assert language(text) == spoken
