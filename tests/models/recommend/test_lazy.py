"""The lazy network: notes from tokens, a softmax over what the catalogue has, and what may and may not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.recommend import lazy as module
from models.recommend.answer_loss import IGNORED
from models.recommend.lazy import Config, Lazy
from models.recommend.lazy_inputs import notes_of, without_some
from models.recommend.prefixes import prefix_keys
from tests.models.recommend.tiny_lazy import (
    AGE,
    CATALOGUE,
    HISTORIES,
    IDS,
    NEW,
    SIZES,
    SMALL,
    labels,
    lazy,
    log_prob,
    rows,
)

CLOSE = 1e-4


@pytest.fixture(scope="module")
def model() -> Lazy:
    return lazy()


def test_prefixes_are_numbered_in_order_of_their_codes() -> None:
    found = prefix_keys(np.array([[1, 0], [0, 2], [1, 2], [1, 0]]), (2, 3))
    assert [keys.tolist() for keys in found] == [[0, 1], [0 * 3 + 2, 1 * 3 + 0, 1 * 3 + 2]]


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ([[0, 3]], "outside the sizes"),
        ([[0, -1]], "outside the sizes"),
        ([[0, 1, 1]], "no catalogue of 2 levels"),
    ],
)
def test_ids_of_other_sizes_and_no_ids_are_no_catalogue(codes: list[list[int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prefix_keys(np.array(codes), (2, 3))
    with pytest.raises(ValueError, match="no catalogue"):
        prefix_keys(np.empty((0, 2), dtype=int), (2, 3))


def test_tokens_become_one_place_a_note_and_padding_none() -> None:
    """Codes of level 0 are words 3 and 4, of level 1 words 5 to 7; the second row begins inside a note."""
    level_V, first_L = torch.tensor([-1, -1, -1, 0, 0, 1, 1, 1, -1]), torch.tensor([3, 5])
    token_BT = torch.tensor([[3, 8, 4, 7, 3, 5], [6, 8, 0, 0, 3, 6]])
    mask_BT = torch.tensor([[0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    none = [-1, -1]
    assert notes_of(token_BT, mask_BT, level_V, first_L).tolist() == [
        [none, [1, 2], [0, 0], none],
        [none, [0, 1], none, none],
    ]


def test_every_other_history_loses_some_notes_and_the_rest_keep_their_order() -> None:
    code_BSL = torch.arange(1, 11)[None, :, None].expand(2000, -1, 2)
    torch.manual_seed(3)
    place_BS, kept_BSL = without_some(code_BSL, 0.2)
    num_B = (kept_BSL[..., 0] > 0).sum(1)
    assert 0.5 < float((num_B == 10).double().mean()) < 0.62  # half, and of the others 0.8 to the power of 9
    assert float(num_B.double().mean()) == pytest.approx(10 - 9 * 0.2 / 2, abs=0.1)
    for row in (num_B < 9).nonzero()[:20, 0].tolist():
        kept = kept_BSL[row, : num_B[row], 0].tolist()
        assert kept == sorted(kept)
        assert kept[0] == 1  # the profile's place stays
        assert [kept[place] for place in place_BS[row].tolist()] == [
            max(note for note in kept if note <= at) for at in range(1, 11)
        ]
    torch.manual_seed(3)
    assert torch.equal(without_some(code_BSL, 0.2)[1], kept_BSL)
    assert torch.equal(without_some(code_BSL, 0.0)[1], code_BSL)


def test_only_the_children_of_a_prefix_compete_by_hand() -> None:
    """With biases alone: of codes 0, 2, 3 the first has twice the weight of each other; after 0 come 1 and 4; after 0, 1
    come 2 and 3, of which 3 has three times the weight."""
    model = lazy()
    with torch.no_grad():
        for value in model.parameters():
            value.zero_()
        model.biases[0][0], model.biases[2][1] = math.log(2), math.log(3)
    found = log_prob(model, [(3, 3, 3)], [(0, 1, 3), (2, 0, 0), (3, 3, 3)]).exp()
    assert found.tolist() == [
        pytest.approx([1 / 2, 1 / 2, 3 / 4]),
        pytest.approx([1 / 4, 1 / 2, 1.0]),
        pytest.approx([1 / 4, 1.0, 1.0]),
    ]


@pytest.mark.parametrize("history", HISTORIES)
def test_the_probabilities_of_the_catalogue_sum_to_one(model: Lazy, history: list[tuple[int, ...]]) -> None:
    total = log_prob(model, history, CATALOGUE).sum(1).exp()
    assert float(total.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(total.max()) > 2 / len(CATALOGUE)  # else it would hold for a model that knows nothing


def test_one_pass_learns_every_answer_as_if_each_were_alone(model: Lazy) -> None:
    notes = HISTORIES[3]
    token_BT, mask_BT = rows([notes])
    with torch.no_grad():
        together = model(token_BT, mask_BT, labels(token_BT, [4]))[0].view(4, 3)
    for at, note in enumerate(notes):
        assert (-together[at]).tolist() == pytest.approx(
            log_prob(model, notes[:at], [note])[0].tolist(), abs=CLOSE
        )


def test_what_comes_later_changes_nothing_before_and_what_came_before_does(model: Lazy) -> None:
    first, other = [*HISTORIES[3]], [*HISTORIES[3][:3], (2, 4, 5)]
    found = []
    with torch.no_grad():
        for notes in (first, other, [(2, 4, 1), *first[1:]]):
            token_BT, mask_BT = rows([notes])
            found.append(model(token_BT, mask_BT, labels(token_BT, [3]))[0])
    assert torch.equal(found[0][:6], found[1][:6])
    assert not torch.allclose(found[0][3:6], found[2][3:6], rtol=0, atol=1e-3)


def test_padding_and_neighbours_in_a_batch_change_nothing(model: Lazy) -> None:
    token_BT, mask_BT = rows([[*history, (2, 4, 5)] for history in HISTORIES], length=23)
    with torch.no_grad():
        together = model(token_BT, mask_BT, labels(token_BT, [1] * 4))
    for row, history in enumerate(HISTORIES):
        assert (-together[row]).tolist() == pytest.approx(
            log_prob(model, history, [(2, 4, 5)])[0].tolist(), abs=CLOSE
        )


def test_labels_that_are_ignored_cost_nothing_however_wide_they_are(model: Lazy) -> None:
    token_BT, mask_BT = rows([HISTORIES[3], HISTORIES[0]])
    with torch.no_grad():
        found = model(token_BT, mask_BT, labels(token_BT, [2, 1]))
        assert found[1, :3].tolist() == [0.0] * 3
        assert found[1, 3:].min() > 0
        nothing = model(token_BT, mask_BT, torch.full((2, 1), IGNORED))
    assert nothing.tolist() == [[0.0], [0.0]]


def test_children_are_scored_alike_at_once_and_gathered(model: Lazy, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = log_prob(model, HISTORIES[0], CATALOGUE)
    monkeypatch.setattr(module, "FEW_NODES", 0)
    monkeypatch.setattr(module, "FEW_TIMES", 0)
    assert torch.allclose(log_prob(model, HISTORIES[0], CATALOGUE), at_once, atol=1e-5)


def test_a_prefix_that_nobody_had_is_read_by_its_codes_and_learned_nothing_from(model: Lazy) -> None:
    assert model.node(0, torch.tensor([0]), torch.tensor([1])).tolist() == [-1]
    assert model.node(1, torch.tensor([-1, 0]), torch.tensor([1, 1])).tolist() == [-1, 0]
    alone = model.vector(0, torch.tensor(1), torch.tensor(-1))
    assert torch.equal(alone, model.words_VD[IDS.first + 1])
    known, unknown, none = (log_prob(model, history, CATALOGUE) for history in ([(0, 1, 2)], [NEW], []))
    assert float(unknown.sum(1).exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert not torch.allclose(unknown, known, atol=0.01)
    assert not torch.allclose(unknown, none, atol=0.01)
    half_known = log_prob(model, HISTORIES[0], [(0, 1, 5), NEW])
    assert half_known[0, :2].max() < 0
    assert [half_known[0, 2].item(), *half_known[1].tolist()] == [0.0] * 4


def test_more_notes_than_places_are_no_error(model: Lazy) -> None:
    assert torch.isfinite(log_prob(model, [(0, 1, 2)] * 9, CATALOGUE)).all()


def test_it_learns_a_chain_by_heart() -> None:
    config = Config(places=8, dim=16, dropout=0.0, note_dropout=0.0)
    model = lazy(config=config, wide=1.0).train()
    chains = [[CATALOGUE[(start + step) % 7] for step in range(6)] for start in range(7)]
    token_BT, mask_BT = rows(chains)
    label_BA = labels(token_BT, [5] * 7)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = model(token_BT, mask_BT, label_BA).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05
    model.eval()
    for at, note in enumerate(CATALOGUE):
        best = log_prob(model, [note], CATALOGUE).sum(1).argmax()
        assert int(best) == (at + 1) % 7


def test_dropout_and_dropped_notes_are_the_dice_of_a_step() -> None:
    model = lazy().train()
    token_BT, mask_BT = rows(HISTORIES[3:] * 8)
    label_BA = labels(token_BT, [1] * 8)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(model(token_BT, mask_BT, label_BA))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    still = lazy(config=Config(**{**SMALL.__dict__, "dropout": 0.0})).train()
    torch.manual_seed(1)
    losses = still(token_BT, mask_BT, label_BA).sum(1)
    assert (
        1 < len({round(loss, 4) for loss in losses.tolist()}) < 8
    )  # rows of one history, whole or with a note dropped


def test_every_weight_learns() -> None:
    model = lazy(config=Config(**{**SMALL.__dict__, "dropout": 0.0, "note_dropout": 0.0})).train()
    token_BT, mask_BT = rows([[*CATALOGUE[:5]], [*CATALOGUE[2:]]])
    model(token_BT, mask_BT, labels(token_BT, [4, 4])).sum().backward()
    still = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert still == []
    assert model.num_parameters() == sum(value.numel() for value in model.parameters())
    assert model.words_VD.grad is not None
    assert model.words_VD.grad[AGE].any()
    assert not model.words_VD.grad[0].any()  # a word that nobody wrote
    assert model.id_tokens.sizes == SIZES
