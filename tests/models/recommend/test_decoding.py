"""Constrained search: it finds what scoring every note finds, whatever the family, the padding and the batch."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from models.ids.trie import DeadPrefixError
from models.recommend import decoding
from models.recommend.decoding import Beams, beam_search, causal_decoder, encoder_decoder
from models.recommend.id_tokens import IdTokens
from models.recommend.mixing import ItemScores, Mix, leaf_ranges
from tests.models.recommend.tiny import (
    FAMILIES,
    ID_TOKENS,
    PROMPTS,
    SIZES,
    all_prefix_scores,
    asked,
    brute_beams,
    catalogue,
    decoder_of,
    model_of,
    step_scores,
    trie_of,
)

CLOSE = 2e-4
NEVER = -math.inf


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return model_of(request.param)


@pytest.fixture(scope="module")
def t5() -> Any:
    return model_of("t5")


@pytest.fixture(scope="module")
def llama() -> Any:
    return model_of("llama")


def found(beams: Beams, request: int) -> list[tuple[int, ...]]:
    return [tuple(codes) for codes in beams.code_QBL[request][beams.state_QB[request] >= 0].tolist()]


# The catalogue is smaller than the beams, so that nothing is lost on the way: the order must be that of brute force.
@pytest.mark.parametrize("among_codes", [False, True])
def test_a_wide_search_scores_every_note_as_a_whole_forward_pass_does(model: Any, among_codes: bool) -> None:
    ids = catalogue(60)
    beams = beam_search(decoder_of(model, among_codes), asked(model), trie_of(ids), num_beams=64)
    for request, tokens in enumerate(PROMPTS):
        scores = step_scores(model, tokens, ids, among_codes).sum(1)
        ranked = scores.sort(descending=True).values.tolist()
        assert beams.score_QB[request, :60].tolist() == pytest.approx(ranked, abs=CLOSE)
        assert scores[beams.state_QB[request, :60]].tolist() == pytest.approx(
            beams.score_QB[request, :60].tolist(), abs=CLOSE
        )
        assert sorted(found(beams, request)) == ids
        assert beams.score_QB[request, 60:].eq(NEVER).all()


def test_a_narrow_search_keeps_what_a_beam_search_in_plain_python_keeps(model: Any) -> None:
    ids = catalogue(200)
    beams = beam_search(decoder_of(model), asked(model), trie_of(ids), num_beams=20)
    for request, tokens in enumerate(PROMPTS):
        expected = brute_beams(all_prefix_scores(model, tokens), ids, 20)
        assert beams.score_QB[request].tolist() == pytest.approx([score for score, _ in expected], abs=CLOSE)
        assert found(beams, request) == [codes for _, codes in expected]


def test_a_beam_that_is_too_narrow_does_lose_notes() -> None:
    """Else the test above would hold for a search that never prunes."""
    model, ids = model_of("llama"), catalogue(200)
    best = step_scores(model, PROMPTS[0], ids).sum(1).topk(20).values
    beams = beam_search(decoder_of(model), asked(model), trie_of(ids), num_beams=4)
    assert not torch.allclose(beams.score_QB[0], best[:4], atol=CLOSE)


def test_requests_of_different_lengths_are_answered_as_if_each_were_alone(model: Any) -> None:
    trie, decoder = trie_of(catalogue(200)), decoder_of(model)
    together = beam_search(decoder, asked(model), trie, num_beams=10)
    for request, tokens in enumerate(PROMPTS):
        alone = beam_search(decoder, asked(model, [tokens]), trie, num_beams=10)
        assert torch.equal(alone.code_QBL[0], together.code_QBL[request])
        assert alone.score_QB[0].tolist() == pytest.approx(together.score_QB[request].tolist(), abs=CLOSE)


def test_more_padding_changes_nothing(model: Any) -> None:
    trie, decoder = trie_of(catalogue(200)), decoder_of(model)
    tight = beam_search(decoder, asked(model), trie, num_beams=10)
    loose = beam_search(decoder, asked(model, length=14), trie, num_beams=10)
    assert torch.equal(tight.code_QBL, loose.code_QBL)
    assert torch.allclose(tight.score_QB, loose.score_QB, atol=CLOSE)


def test_the_same_search_twice_gives_the_same_bytes(model: Any) -> None:
    trie, decoder = trie_of(catalogue(200)), decoder_of(model)
    one, other = (beam_search(decoder, asked(model), trie, num_beams=10) for _ in range(2))
    assert torch.equal(one.score_QB, other.score_QB)
    assert torch.equal(one.code_QBL, other.code_QBL)


def test_a_catalogue_of_one_note_gives_it_and_dead_beams(model: Any) -> None:
    beams = beam_search(decoder_of(model), asked(model), trie_of([(5, 0, 7)]), num_beams=3)
    assert [found(beams, request) for request in range(len(PROMPTS))] == [[(5, 0, 7)]] * len(PROMPTS)
    assert (beams.state_QB[:, 1:] < 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["t5", "llama", "llama eager"])
def test_a_model_of_half_precision_is_summed_in_full(family: str, dtype: torch.dtype) -> None:
    model, ids = model_of(family).to(dtype), catalogue(60)
    first = decoder_of(model, among_codes=True).begin(asked(model))[1]
    assert first.exp().sum(1).tolist() == pytest.approx([1.0] * 4, abs=1e-6)  # bfloat16 would miss it by a hundredth
    beams = beam_search(decoder_of(model), asked(model), trie_of(ids), num_beams=64)
    assert first.dtype == beams.score_QB.dtype == torch.float32
    for request, tokens in enumerate(PROMPTS):
        scores = step_scores(model_of(family), tokens, ids).sum(1)[beams.state_QB[request, :60]]
        assert torch.corrcoef(torch.stack([scores, beams.score_QB[request, :60]]))[0, 1] > 0.99


@pytest.mark.parametrize("family", ["t5", "llama"])
def test_a_model_with_adapters_and_new_words_decodes_like_any_other(family: str) -> None:
    names = {"t5": (["q", "v"], "shared"), "llama": (["q_proj", "v_proj"], "embed_tokens")}[family]
    words = {names[1]: list(range(ID_TOKENS.first, ID_TOKENS.stop))}
    kind = {"t5": "SEQ_2_SEQ_LM", "llama": "CAUSAL_LM"}[family]
    lora = LoraConfig(r=2, target_modules=names[0], trainable_token_indices=words, task_type=kind, init_lora_weights=False)
    model, ids = get_peft_model(model_of(family), lora).eval(), catalogue(60)
    beams = beam_search(decoder_of(model), asked(model), trie_of(ids), num_beams=60)
    for request, tokens in enumerate(PROMPTS):
        scores = step_scores(model, tokens, ids).sum(1)
        assert scores[beams.state_QB[request]].tolist() == pytest.approx(beams.score_QB[request].tolist(), abs=CLOSE)
    plain = step_scores(model_of(family), PROMPTS[0], ids).sum(1)
    assert not torch.allclose(plain, step_scores(model, PROMPTS[0], ids).sum(1), atol=0.01)


def test_one_prompt_is_read_once_and_nobody_repeats_it(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    forward = llama.forward
    monkeypatch.setattr(llama, "forward", lambda *a, **k: (seen.append(tuple(k["input_ids"].shape)), forward(*a, **k))[1])
    beam_search(decoder_of(llama), asked(llama), trie_of(catalogue(200)), num_beams=10)
    assert seen == [(4, 8), (4, 10), (4, 10)]


def test_no_step_brings_a_number_to_the_host(t5: Any, llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors without numbers: to ask for one is an error. The last check does, and must."""
    trie = trie_of(catalogue(60))
    checked: list[Beams] = []
    monkeypatch.setattr(decoding, "require_alive", checked.append)
    scores = ItemScores(torch.tensor([[0, 7]] * 4), torch.tensor([[0.5, 0.5]] * 4))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        for model, of_probabilities in ((t5, False), (llama, True)):
            prompt = type(asked(model))(*(mode.from_tensor(tensor) for tensor in asked(model)))
            mix = Mix(scores, leaf_ranges(trie), of_probabilities=of_probabilities)
            how = {"num_beams": 5, "mix": mix, "length_penalty": 1.0, "score_forced": False}
            assert beam_search(decoder_of(model), prompt, trie, **how).score_QB.shape == (4, 5)
        with pytest.raises(DataDependentOutputException):
            bool(checked[0].score_QB.isnan().any())


def test_a_trie_of_other_vocabularies_is_refused(t5: Any) -> None:
    other = trie_of([(0, 0, 0)], (6, 7, 9))
    with pytest.raises(ValueError, match=r"trie has levels of \(6, 7, 9\) codes, the decoder's vocabulary \(6, 7, 8\)"):
        beam_search(decoder_of(t5), asked(t5), other)


def test_a_search_without_beams_is_refused(t5: Any) -> None:
    with pytest.raises(ValueError, match="a search of 0 beams finds nothing"):
        beam_search(decoder_of(t5), asked(t5), trie_of([(0, 0, 0)]), num_beams=0)


def test_codes_outside_the_models_words_are_refused(t5: Any, llama: Any) -> None:
    for make, model in ((encoder_decoder, t5), (causal_decoder, llama)):
        with pytest.raises(ValueError, match="the codes are words 20 to 40, the model has 31"):
            make(model, IdTokens(20, SIZES))


def test_a_model_in_training_is_refused(t5: Any) -> None:
    for model in (model_of("t5").train(), model_of("llama").train()):
        with pytest.raises(ValueError, match="training mode"):
            beam_search(decoder_of(model), asked(model), trie_of([(0, 0, 0)]))


def test_a_causal_model_is_no_t5(llama: Any) -> None:
    with pytest.raises(ValueError, match="LlamaForCausalLM is no T5"):
        encoder_decoder(llama, ID_TOKENS)


def test_attention_without_masks_is_refused() -> None:
    model = model_of("llama")
    model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match="load the model with attn_implementation='sdpa'"):
        causal_decoder(model, ID_TOKENS)


def test_a_prompt_longer_than_a_window_is_refused() -> None:
    model = model_of("qwen3")
    model.config.sliding_window, model.config.layer_types = 10, ["full_attention", "sliding_attention"]
    with pytest.raises(ValueError, match="a prompt of 8 tokens is longer than the model's window of 10"):
        beam_search(decoder_of(model), asked(model), trie_of([(0, 0, 0)]))


def test_a_model_without_any_score_inside_the_catalogue_is_an_error_and_not_an_empty_page(llama: Any) -> None:
    class Mute:
        id_tokens, among_allowed = ID_TOKENS, False

        def begin(self, prompt: Any) -> tuple[None, torch.Tensor]:
            return None, torch.full((len(prompt.token_QT), 6), NEVER)

        def extend(self, state: None, parent: torch.Tensor, code: torch.Tensor, depth: int) -> tuple[None, torch.Tensor]:
            return None, torch.zeros(*code.shape, SIZES[depth])

    with pytest.raises(DeadPrefixError, match="request 0: every beam is dead"):
        beam_search(Mute(), asked(llama), trie_of([(0, 0, 0)]), num_beams=2)
