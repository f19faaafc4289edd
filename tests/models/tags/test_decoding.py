"""Rows that come and go say what each says alone, and one that the model cannot take harms no other."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.tags.decoding import Config, decode
from models.tags.decoding_batch import Row, Special
from tests.jobs.tags.tiny_models import tiny_llama

SPECIAL = Special(frozenset({2}), 0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny_llama(tmp_path_factory.mktemp("llama") / "llama")
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def _rows(tokenizer: Any, count: int) -> list[Row]:
    """Prompts of 4 to 92 tokens, replies of 20 to 20 + count tokens, in no order of length."""
    texts = ["note tent red " * (1 + i * 7 % 23) + str(i) for i in range(count)]
    encoded = [tokenizer(text, return_tensors="pt") for text in texts]
    return [
        Row({"input_ids": e["input_ids"], "attention_mask": e["attention_mask"]}, {}, 20 + i)
        for i, e in enumerate(encoded)
    ]


@pytest.mark.parametrize("config", [Config(max_rows=8), Config(max_rows=3, refill_share=1.0), Config(max_tokens=400)])
def test_replies_are_those_of_generate_one_at_a_time(model: Any, config: Config) -> None:
    network, tokenizer = model
    rows = _rows(tokenizer, 12)
    found = dict(decode(network, rows, SPECIAL, config, time.perf_counter))
    assert sorted(found) == list(range(12))
    for at, row in enumerate(rows):
        options = {"do_sample": False, "max_new_tokens": row.max_new, "output_logits": True}
        out = network.generate(**row.words, **options, return_dict_in_generate=True)
        ids = out.sequences[0, row.length :].tolist()
        logprobs = [torch.log_softmax(step[0], -1)[i].item() for step, i in zip(out.logits, ids, strict=True)]
        is_whole = ids[-1] == 2
        assert found[at].ids == ids[: len(ids) - is_whole]
        assert found[at].is_whole == is_whole
        assert found[at].logprobs == pytest.approx(logprobs[: len(found[at].ids)], abs=1e-5)


def test_a_row_ends_with_a_stop_token_which_is_no_part_of_the_reply(model: Any) -> None:
    network, tokenizer = model
    (row,) = _rows(tokenizer, 1)
    (_, whole), *_ = decode(network, [row], SPECIAL, Config(), time.perf_counter)
    third = whole.ids[2]
    assert third not in whole.ids[:2]
    (_, cut), *_ = decode(network, [row], Special(frozenset({third}), 0), Config(), time.perf_counter)
    assert (cut.ids, cut.is_whole) == (whole.ids[:2], True)


def test_the_best_tokens_of_every_step_come_with_a_whole_reply_and_its_end(model: Any) -> None:
    network, tokenizer = model
    rows = _rows(tokenizer, 3)
    plain = dict(decode(network, rows, SPECIAL, Config(), time.perf_counter))
    third = plain[0].ids[2]
    special = Special(frozenset({third}), 0, network.config.vocab_size - 1)  # the last id is taken to be no token
    found = dict(decode(network, rows, special, Config(top_k=3), time.perf_counter))
    assert (found[0].ids, found[0].end, found[0].is_whole) == (plain[0].ids[:2], third, True)
    options = {"do_sample": False, "max_new_tokens": 3, "output_logits": True, "return_dict_in_generate": True}
    steps = network.generate(**rows[0].words, **options).logits
    wanted = [step[0].log_softmax(-1)[:-1].topk(3) for step in steps]
    assert found[0].best is not None
    assert found[0].best.ids.tolist() == [top.indices.tolist() for top in wanted]
    assert found[0].best.logprobs == pytest.approx(torch.stack([top.values for top in wanted]).numpy(), abs=1e-5)
    for at in (1, 2):
        assert (found[at].best is None) == (not found[at].is_whole)
        assert found[at].ids == plain[at].ids[: len(found[at].ids)]


def test_a_row_that_the_model_cannot_take_fails_alone(model: Any) -> None:
    network, tokenizer = model
    rows = _rows(tokenizer, 5)
    outside = torch.full((1, 6), network.config.vocab_size)
    poison = Row({"input_ids": outside, "attention_mask": torch.ones_like(outside)}, {}, 9)
    found = dict(decode(network, [*rows, poison], SPECIAL, Config(), time.perf_counter))
    alone = dict(decode(network, rows, SPECIAL, Config(), time.perf_counter))
    assert found[5].problem.startswith("the model cannot take it: IndexError")
    assert [found[at].ids for at in range(5)] == [alone[at].ids for at in range(5)]
    assert [found[at].num_tries for at in range(5)] == [2] * 5


def test_scores_that_are_no_numbers_are_no_answer(model: Any) -> None:
    network, tokenizer = model
    rows = _rows(tokenizer, 2)
    weight = network.lm_head.weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(math.nan)
    found = dict(decode(network, rows, SPECIAL, Config(), time.perf_counter))
    with torch.no_grad():
        weight.copy_(before)
    assert [found[at].problem for at in range(2)] == ["the model's scores are no numbers"] * 2
