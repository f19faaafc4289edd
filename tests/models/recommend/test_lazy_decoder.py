"""The lazy network's search: the training's own softmax on the training's catalogue, and the day's on another day's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from models.recommend import decoding, lazy_decoder
from models.recommend.decoding import Beams, Prompt, beam_search, free_beam_search
from models.recommend.lazy import Lazy
from tests.models.recommend.tiny import brute_beams, trie_of
from tests.models.recommend.tiny_lazy import CATALOGUE, HISTORIES, IDS, NEW, SIZES, lazy, log_prob, rows

CLOSE = 1e-4
NEVER = -math.inf


@pytest.fixture(scope="module")
def model() -> Lazy:
    return lazy()


def prompt_of(histories: list[list[tuple[int, ...]]] = HISTORIES, length: int = 0) -> Prompt:
    return Prompt(*rows(histories, length))


def found(beams: Beams, request: int) -> dict[tuple[int, ...], float]:
    kept = beams.state_QB[request] >= 0
    codes = [tuple(one) for one in beams.code_QBL[request][kept].tolist()]
    return dict(zip(codes, beams.score_QB[request][kept].tolist(), strict=True))


def searched(
    model: Lazy, ids: list[tuple[int, ...]], num_beams: int = 16, prompt: Prompt | None = None
) -> Beams:
    decoder = lazy_decoder.lazy_decoder(model)
    return beam_search(decoder, prompt or prompt_of(), trie_of(ids, SIZES), num_beams)


def test_on_the_trainings_catalogue_every_note_has_the_trainings_probability(model: Lazy) -> None:
    beams = searched(model, CATALOGUE)
    for request, history in enumerate(HISTORIES):
        expected = log_prob(model, history, CATALOGUE).sum(1).tolist()
        scores = found(beams, request)
        assert [scores[one] for one in CATALOGUE] == pytest.approx(expected, abs=CLOSE)
        assert list(scores) == sorted(CATALOGUE, key=lambda one: -scores[one])
        assert beams.score_QB[request, len(CATALOGUE) :].eq(NEVER).all()


@pytest.mark.parametrize("num_beams", [1, 2, 3])
def test_a_narrow_search_keeps_what_a_beam_search_in_plain_python_keeps(model: Lazy, num_beams: int) -> None:
    beams = searched(model, CATALOGUE, num_beams)
    for request, history in enumerate(HISTORIES):
        log_prob_NL = log_prob(model, history, CATALOGUE).double().cumsum(1)
        scores = {
            one[: length + 1]: float(log_prob_NL[row, length])
            for row, one in enumerate(CATALOGUE)
            for length in range(3)
        }
        expected = brute_beams(scores, CATALOGUE, num_beams)
        assert list(found(beams, request)) == [codes for _, codes in expected]
        assert beams.score_QB[request].tolist() == pytest.approx([score for score, _ in expected], abs=CLOSE)


def test_notes_that_are_gone_leave_their_share_to_their_siblings(model: Lazy) -> None:
    left = [one for one in CATALOGUE if one != (2, 4, 5)]
    before, after = found(searched(model, CATALOGUE), 0), found(searched(model, left), 0)
    assert after[(2, 4, 1)] == pytest.approx(
        math.log(math.exp(before[(2, 4, 1)]) + math.exp(before[(2, 4, 5)])), abs=CLOSE
    )
    assert after[(2, 0, 0)] == pytest.approx(before[(2, 0, 0)], abs=CLOSE)


def test_notes_that_are_new_are_found_by_their_codes_and_all_sums_to_one(model: Lazy) -> None:
    """A new code after a known prefix competes by its own vector with its siblings; below it nothing competes."""
    today = [*CATALOGUE, (0, 1, 5), NEW]
    before, beams = found(searched(model, CATALOGUE), 0), searched(model, today)
    after = found(beams, 0)
    assert sorted(after) == sorted(today)
    for request in range(len(HISTORIES)):
        assert sum(map(math.exp, found(beams, request).values())) == pytest.approx(1.0, abs=1e-4)
    ratio = before[(0, 1, 2)] - before[(0, 1, 3)]
    assert after[(0, 1, 2)] - after[(0, 1, 3)] == pytest.approx(
        ratio, abs=CLOSE
    )  # among each other as they were
    token_BT, mask_BT = rows(HISTORIES[:1])
    with torch.no_grad():
        hidden = model.last(token_BT, mask_BT)
        own = float(hidden[0] @ model.words_VD[IDS.first + 1])
        rival = float(hidden[0] @ (model.words_VD[IDS.first + 3] + model.nodes[0][2]) + model.biases[0][2])
    assert after[NEW] - after[(3, 3, 3)] == pytest.approx(own - rival, abs=CLOSE)


def test_a_history_of_new_notes_is_answered(model: Lazy) -> None:
    beams = searched(model, CATALOGUE, prompt=prompt_of([[NEW], [(0, 1, 2)]]))
    assert sum(map(math.exp, found(beams, 0).values())) == pytest.approx(1.0, abs=1e-4)
    assert found(beams, 0) != found(beams, 1)


def test_requests_of_different_lengths_and_paddings_are_answered_as_if_each_were_alone(model: Lazy) -> None:
    together = searched(model, CATALOGUE, prompt=prompt_of(length=26))
    for request, history in enumerate(HISTORIES):
        alone = searched(model, CATALOGUE, prompt=prompt_of([history]))
        assert found(together, request) == pytest.approx(found(alone, 0), abs=CLOSE)


def test_beams_scored_in_parts_are_scored_alike(model: Lazy, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = searched(model, CATALOGUE)
    monkeypatch.setattr(lazy_decoder, "CHILDREN_A_CALL", 1)
    assert torch.allclose(searched(model, CATALOGUE).score_QB, whole.score_QB, atol=1e-5)


def test_free_of_the_catalogue_it_gives_probabilities_over_all_codes(model: Lazy) -> None:
    beams = free_beam_search(lazy_decoder.lazy_decoder(model), prompt_of(), 4 * 5 * 6)
    assert beams.score_QB.double().exp().sum(1).tolist() == pytest.approx([1.0] * 4, abs=1e-4)
    assert len(np.unique(beams.code_QBL[0].numpy(), axis=0)) == 4 * 5 * 6


def test_no_step_brings_a_number_to_the_host(model: Lazy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "require_alive", lambda beams: None)
    trie = trie_of(CATALOGUE, SIZES)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        prompt = Prompt(*(mode.from_tensor(tensor) for tensor in prompt_of()))
        beams = beam_search(lazy_decoder.lazy_decoder(model), prompt, trie, 5)
    assert beams.score_QB.shape == (4, 5)


def test_a_model_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="training mode"):
        searched(lazy().train(), CATALOGUE)
