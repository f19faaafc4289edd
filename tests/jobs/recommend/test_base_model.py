"""What a recommender starts from: tokenizers made on the spot, and language models that learn the ID words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.config import ConfigError
from jobs.recommend.base_model import compact_base, id_tokens_of, language_model_base, lazy_base
from jobs.recommend.compact_tokenizer import compact_tokenizer
from jobs.recommend.settings import Recommend
from models.recommend.id_tokens import IdTokens
from tests.jobs.recommend.tiny_language_models import tiny_language_model

WORDS = ["<gender:female>", "<age:25-34>"]
TITLES = ["a tent for two", "好用的帐篷", "tents"]


def tokens(tokenizer: Any, text: str) -> list[str]:
    found: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
    return found


@pytest.mark.parametrize("titles", [[], TITLES])
def test_ids_are_one_block_and_words_are_whole(titles: list[str]) -> None:
    tokenizer = compact_tokenizer((3, 2), WORDS, titles)
    assert tokens(tokenizer, "<gender:female> <age:25-34> <a_1><b_0>") == [*WORDS, "<a_1>", "<b_0>"]
    first = tokenizer.convert_tokens_to_ids("<a_0>")
    assert id_tokens_of(tokenizer, (3, 2)) == IdTokens(first, (3, 2))
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, first}) == 4


def test_without_titles_a_word_nobody_had_is_unknown() -> None:
    assert tokens(compact_tokenizer((3, 2), WORDS), "<gender:other> <a_3><a_0>") == [
        "<unk>",
        "<unk>",
        "<a_0>",
    ]


def test_with_titles_no_text_is_unknown_and_text_comes_back() -> None:
    tokenizer = compact_tokenizer((3, 2), WORDS, TITLES)
    for text in ("a tent for two", "好用的帐篷", "never seen: ñ 🏕"):
        found = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in found
        assert tokenizer.decode(found) == text
    assert len(tokens(tokenizer, "tents")) < len("tents")


def test_the_same_words_and_titles_make_the_same_tokenizer(tmp_path: Path) -> None:
    for name, words in (("one", WORDS), ("two", WORDS[::-1] * 2)):
        compact_tokenizer((3, 2), words, TITLES).save_pretrained(tmp_path / name)
    assert (tmp_path / "one" / "tokenizer.json").read_bytes() == (
        tmp_path / "two" / "tokenizer.json"
    ).read_bytes()


def test_a_compact_model_has_a_row_for_every_word_and_the_configured_dropout() -> None:
    base = compact_base(dataclasses.replace(Recommend(), model="causal", dropout=0.35), (3, 2), WORDS, [])
    assert base.network.get_input_embeddings().weight.shape[0] == len(base.tokenizer) == 3 + 5 + 2
    assert base.network.config.hidden_dropout == 0.35
    assert (base.style, base.is_encoder_decoder) == ("terse", False)


@pytest.mark.parametrize(("tied", "padded_to"), [(True, 0), (False, 0), (True, 400), (False, 400)])
def test_a_language_model_knows_the_id_words_behind_its_own(
    tmp_path: Path, tied: bool, padded_to: int
) -> None:
    folder = tiny_language_model(tmp_path / "lm", tied, padded_to)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before, words = AutoModelForCausalLM.from_pretrained(folder), len(AutoTokenizer.from_pretrained(folder))
    base = language_model_base(folder, (3, 2), seed=5)
    assert base.id_tokens == IdTokens(words, (3, 2))
    assert tokens(base.tokenizer, "x<a_2><b_1>")[-2:] == ["<a_2>", "<b_1>"]
    rows = base.network.get_input_embeddings().weight.shape[0]
    assert rows == max(padded_to, words + 5)
    for old, new in (
        (before.get_input_embeddings().weight, base.network.get_input_embeddings().weight),
        (before.get_output_embeddings().weight, base.network.get_output_embeddings().weight),
    ):
        assert torch.equal(new[:words], old[:words])
        near = (new[words : words + 5] - old[:words].mean(0)).abs().max()
        assert 0 < near < old[:words].std()  # the mean of the old ones, and not all the same
        assert len(new[words : words + 5].unique(dim=0)) == 5
    head, body = base.network.get_output_embeddings().weight, base.network.get_input_embeddings().weight
    assert (head.data_ptr() == body.data_ptr()) is tied
    assert (base.style, base.tokenizer.padding_side, base.tokenizer.pad_token_id) == ("sentence", "left", 0)


def test_the_same_seed_begins_the_same_rows(tmp_path: Path) -> None:
    folder = tiny_language_model(tmp_path / "lm")
    one, two, other = (
        language_model_base(folder, (3, 2), seed).network.get_input_embeddings().weight for seed in (5, 5, 6)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_id_words_of_other_sizes_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "lm"
    base = language_model_base(tiny_language_model(folder), (3, 2), seed=5)
    base.network.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    assert language_model_base(folder, (3, 2), seed=5).id_tokens == base.id_tokens  # known words stay
    with pytest.raises(ConfigError, match="made for IDs of other sizes"):
        language_model_base(folder, (4, 2), seed=5)


def test_a_folder_without_a_causal_language_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_language_model(tmp_path / "lm")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "nobody_knows"}))
    with pytest.raises(ConfigError, match="is no causal language model"):
        language_model_base(folder, (3, 2), seed=5)


def test_a_dropout_of_zero_is_the_familys_own() -> None:
    settings = dataclasses.replace(Recommend(), model="causal")
    assert compact_base(settings, (3, 2), WORDS, []).network.config.hidden_dropout == 0.2
    codes_NL = np.array([[0, 1], [2, 0]])
    rates = [
        lazy_base(dataclasses.replace(settings, model="lazy", dropout=rate), (3, 2), WORDS, codes_NL)
        for rate in (0.0, 0.35)
    ]
    assert [base.network.config.dropout for base in rates] == [0.5, 0.35]


def test_a_lazy_network_has_a_place_for_every_note_of_a_window_and_follows_the_seed() -> None:
    made = [
        lazy_base(dataclasses.replace(Recommend(), history=7, seed=seed), (3, 2), WORDS, np.array([[0, 1]]))
        for seed in (5, 5, 6)
    ]
    assert made[0].network.config.places == 1 + 7 + 1
    assert (made[0].style, made[0].is_encoder_decoder) == ("terse", False)
    one, again, other = (base.network.words_VD for base in made)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape[0] == len(made[0].tokenizer) == 3 + 5 + 2
