"""Titles of different lengths decoded inside a catalogue of them: what scoring every title finds."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from models.ids.trie_torch import note_places, on_device
from models.recommend.decoding import beam_search, causal_decoder, encoder_decoder
from models.recommend.title_trie import title_trie
from tests.models.recommend.tiny import PROMPTS, START, WORDS, asked, model_of

STOP = 6
# 7-9 begins 7-9-10-11; 12 goes on to one title alone, of four forced words and a stop; 8 is a title of two notes.
TITLES = [[7, 9], [7, 9, 10, 11], [12, 13, 14, 15, 16], [8], [7, 20], [8]]


def choices(tokens: list[int]) -> list[bool]:
    """Whether each of a title's tokens, its stop included, was one of several that might stand there."""
    ended = [[*title, STOP] for title in TITLES]
    return [
        len({other[at] for other in ended if other[:at] == tokens[:at] and len(other) > at}) > 1
        for at in range(len(tokens))
    ]


@torch.no_grad()
def brute_force(model: Any, prompt: list[int], title: list[int]) -> float:
    answer = torch.tensor([[*title, STOP]])
    if model.config.is_encoder_decoder:
        before = torch.cat([torch.tensor([[START]]), answer[:, :-1]], dim=1)
        logits = model(input_ids=torch.tensor([prompt]), decoder_input_ids=before).logits
    else:
        logits = model(input_ids=torch.cat([torch.tensor([prompt]), answer], dim=1)).logits[:, len(prompt) - 1 : -1]
    scores = logits.log_softmax(-1)[0].gather(1, answer.T)[:, 0]
    return float(sum(score for score, is_choice in zip(scores, choices([*title, STOP]), strict=True) if is_choice))


@pytest.mark.parametrize("family", ["t5", "llama"])
def test_titles_are_ranked_by_the_words_that_were_a_choice(family: str) -> None:
    model = model_of(family)
    built, words = title_trie(TITLES, STOP, WORDS)
    make = encoder_decoder if family == "t5" else causal_decoder
    trie = on_device(built.trie)
    beams = beam_search(make(model, words), asked(model), trie, num_beams=8, score_forced=False)
    for request, prompt in enumerate(PROMPTS):
        expected = sorted(((brute_force(model, prompt, title), title) for title in TITLES[:5]), reverse=True)
        assert beams.score_QB[request, :5].tolist() == pytest.approx([score for score, _ in expected], abs=2e-4)
        found = [[token for token in tokens if token != STOP] for tokens in beams.code_QBL[request, :5].tolist()]
        assert found == [title for _, title in expected]


def test_notes_of_one_title_share_a_leaf_in_their_order() -> None:
    built, words = title_trie(TITLES, STOP, WORDS)
    assert words.sizes == (WORDS,) * 6
    leaf = torch.tensor(built.trie.walk(torch.tensor([[8, STOP, STOP, STOP, STOP, STOP]]).numpy()))
    assert built.order_N[note_places(on_device(built.trie), leaf, 3)[0, :2]].tolist() == [3, 5]


@pytest.mark.parametrize(
    ("titles", "stop", "message"),
    [
        ([], STOP, "0 titles"),
        ([[7], []], STOP, "title 1 is empty"),
        ([[7, STOP]], STOP, "title 0 is empty or has the stop token 6 in it"),
        ([[7]], WORDS, "the stop token 31 of 31 words"),
        ([[WORDS]], STOP, "outside a vocabulary of 31"),
    ],
)
def test_titles_that_make_no_trie_are_refused(titles: list[list[int]], stop: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        title_trie(titles, stop, WORDS)
