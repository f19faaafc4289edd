"""Training end to end on a tiny lake: what is written, what it recommends, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.lake import Lake
from jobs.recommend.recommender import load_recommender
from jobs.recommend.train_recommender import run
from models.ids.text import codes_to_text
from models.ids.trie_build import build
from models.ids.trie_torch import on_device
from models.recommend.decoding import beam_search
from tests.jobs.recommend.taught import (
    CODES,
    DAY,
    NOTES,
    PROFILES,
    configured,
    make_quantizer,
    publish_taught,
    rings,
    rows_of,
    semantic_id,
)

pytestmark = pytest.mark.usefixtures("quick_publish")


@pytest.fixture
def taught(lake: Lake) -> Lake:
    make_quantizer(lake)
    publish_taught(lake, rows_of(rings(24, 9)))
    return lake


def test_a_recommender_tells_what_comes_next_in_the_ring(taught: Lake) -> None:
    recommender = load_recommender(taught, run(configured(taught, epochs=12), DAY))
    prompt = recommender.prompt(
        [[semantic_id("n01"), semantic_id("n02")], [semantic_id("n03")]], [PROFILES[0]] * 2
    )
    ids = np.array(list(NOTES.values()), dtype=np.int32)
    trie = on_device(build(ids, np.zeros(len(ids), dtype=np.int64), [CODES] * 3).trie)
    found = beam_search(recommender.decoder, prompt, trie, num_beams=3)
    best = [codes_to_text(codes[0].tolist()) for codes in found.code_QBL]
    assert best == [semantic_id("n03"), semantic_id("n04")]
