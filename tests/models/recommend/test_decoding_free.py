"""What a model says without a trie: the best of all codes, which of them are notes, and nothing drawn by chance."""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from models.ids.trie import left_at
from models.recommend.decoding import beam_search, catalogue_states, free_beam_search
from models.recommend.free_text import as_codes, generate
from models.recommend.id_tokens import IdTokens
from tests.models.recommend.tiny import (
    FAMILIES,
    ID_TOKENS,
    PROMPTS,
    SIZES,
    Table,
    all_prefix_scores,
    asked,
    brute_beams,
    catalogue,
    decoder_of,
    model_of,
    trie_of,
)

EVERYTHING = list(product(*map(range, SIZES)))
HOSTILE = {
    "do_sample": True,
    "temperature": 50.0,
    "top_k": 3,
    "top_p": 0.1,
    "repetition_penalty": 5.0,
    "no_repeat_ngram_size": 1,
    "min_new_tokens": 6,
    "suppress_tokens": list(range(7, 20)),
    "length_penalty": -4.0,
    "num_return_sequences": 2,
}


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


def test_free_beams_are_those_of_a_search_in_plain_python_over_all_codes(model: Any) -> None:
    beams = free_beam_search(decoder_of(model), asked(model), num_beams=20)
    for request, tokens in enumerate(PROMPTS):
        expected = brute_beams(all_prefix_scores(model, tokens), EVERYTHING, 20)
        assert beams.score_QB[request].tolist() == pytest.approx([score for score, _ in expected], abs=2e-4)
        assert [tuple(codes) for codes in beams.code_QBL[request].tolist()] == [codes for _, codes in expected]


def test_a_catalogue_of_all_codes_constrains_nothing(model: Any) -> None:
    free = free_beam_search(decoder_of(model), asked(model), num_beams=20)
    inside = beam_search(decoder_of(model), asked(model), trie_of(EVERYTHING), num_beams=20)
    assert torch.equal(free.code_QBL, inside.code_QBL)
    assert torch.equal(free.score_QB, inside.score_QB)


def test_free_ids_are_told_apart_by_whether_a_note_has_them(model: Any) -> None:
    ids = catalogue(40)
    beams = free_beam_search(decoder_of(model), asked(model), num_beams=40)
    state_QB = catalogue_states(trie_of(ids), beams.code_QBL)
    for codes, state in zip(beams.code_QBL.flatten(0, 1).tolist(), state_QB.flatten().tolist(), strict=True):
        assert (state >= 0) == (tuple(codes) in ids)
        if state >= 0:
            assert ids[state] == tuple(codes)
        else:
            known = left_at(state)
            prefixes = {other[:known] for other in ids}
            assert tuple(codes[:known]) in prefixes
            assert tuple(codes[: known + 1]) not in {other[: known + 1] for other in ids}
    assert (state_QB >= 0).any()
    assert (state_QB < 0).any()


def test_fewer_ids_than_beams_leave_beams_without_a_score() -> None:
    beams = free_beam_search(Table([[1.0, 2.0], [1.0]]), asked(model_of("llama"), [[2]]), num_beams=4)
    assert beams.score_QB.tolist() == [[-2.0, -3.0, -torch.inf, -torch.inf]]
    assert beams.code_QBL[0, :2].tolist() == [[0, 0], [1, 0]]


@pytest.mark.parametrize("family", ["t5", "llama", "qwen3"])
def test_no_generation_config_makes_an_answer_random_or_short(family: str) -> None:
    model = model_of(family)
    prompt = asked(model)
    told = {"pad_token": 0, "max_new_tokens": 5, "num_beams": 4, "answers": 3}
    calm = generate(model, prompt, **told)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hostile = GenerationConfig(**HOSTILE)
    model.generation_config = hostile
    for seed in (1, 2):
        torch.manual_seed(seed)
        assert torch.equal(generate(model, prompt, **told), calm)
    assert model.generation_config is hostile
    assert calm.shape == (len(PROMPTS), 3, 5)


def test_the_hostile_config_would_have_changed_the_answer() -> None:
    """Else the test above would prove nothing."""
    model = model_of("llama")
    prompt = asked(model)
    calm = generate(model, prompt, pad_token=0, max_new_tokens=5, num_beams=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.generation_config = GenerationConfig(**HOSTILE, pad_token_id=0)
        torch.manual_seed(1)
        drawn = model.generate(input_ids=prompt.token_QT, attention_mask=prompt.mask_QT, max_new_tokens=5, num_beams=4)
    assert not torch.equal(drawn[::2, 8:], calm[:, 0])


def test_the_search_asks_no_generation_config_at_all() -> None:
    model, trie = model_of("t5"), trie_of(catalogue(60))
    calm = beam_search(decoder_of(model), asked(model), trie)
    model.generation_config.do_sample, model.generation_config.temperature = True, 50.0
    again = beam_search(decoder_of(model), asked(model), trie)
    assert torch.equal(calm.score_QB, again.score_QB)
    assert torch.equal(calm.code_QBL, again.code_QBL)


@pytest.mark.parametrize("family", ["t5", "llama"])
def test_free_answers_of_as_many_tokens_are_the_best_of_all_words(family: str) -> None:
    """With as many beams as there are words, two words are searched without loss: the best pair is the best."""
    model = model_of(family)
    answer = generate(model, asked(model, [PROMPTS[0]]), pad_token=0, max_new_tokens=2, num_beams=31)
    with torch.no_grad():
        pairs = torch.cartesian_prod(torch.arange(31), torch.arange(31))
        prompt = torch.tensor(PROMPTS[0]).expand(len(pairs), -1)
        if family == "t5":
            before = torch.stack([torch.ones_like(pairs[:, 0]), pairs[:, 0]], dim=1)
            logits = model(input_ids=prompt, decoder_input_ids=before).logits
        else:
            logits = model(input_ids=torch.cat([prompt, pairs], dim=1)).logits[:, -3:-1]
        best = logits.log_softmax(-1).gather(-1, pairs[..., None]).sum((1, 2)).argmax()
    assert answer[0, 0].tolist() == pairs[best].tolist()


def test_more_answers_than_beams_and_models_in_training_are_refused() -> None:
    model = model_of("llama")
    with pytest.raises(ValueError, match="3 answers of 2 beams"):
        generate(model, asked(model), pad_token=0, num_beams=2, answers=3)
    with pytest.raises(ValueError, match="training mode"):
        generate(model.train(), asked(model), pad_token=0)


def test_tokens_are_read_as_codes_and_other_words_as_none() -> None:
    """Sizes 2 and 3 from word 10: codes of level 0 are words 10 and 11, of level 1 words 12 to 14."""
    tokens = torch.tensor([[[10, 12, 1], [11, 14, 99], [12, 10, 1], [9, 15, 1]]])
    assert as_codes(IdTokens(10, (2, 3)), tokens).tolist() == [[[0, 0], [1, 2], [-1, -1], [-1, -1]]]
    assert as_codes(IdTokens(10, (2, 3)), tokens[..., :1]).tolist() == [[[0, -1], [1, -1], [-1, -1], [-1, -1]]]


def test_a_broken_answer_is_no_note() -> None:
    trie = trie_of([(0, 0, 0), (1, 2, 3)])
    tokens = torch.tensor(ID_TOKENS.tokens(np.array([[1, 2, 3], [1, 2, 4], [0, 0, 0]])))
    tokens[2, 1] = 2
    assert (catalogue_states(trie, as_codes(ID_TOKENS, tokens)) >= 0).tolist() == [True, False, False]
