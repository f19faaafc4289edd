"""What the health report makes of tokenizers and pairs that do not quite fit the IDs."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from jobs.artifact import Artifacts
from jobs.ids.health_inputs import DayIds, codebook_sizes, explained, placed
from jobs.lake import Lake, LakeError
from models.ids.churn import Index


class Lookup:
    """A tokenizer of one level whose code k stands for the vector (k, k)."""

    levels, codes, input_dim = 1, 4, 2

    def encode(self, x_ND: NDArray[np.float32]) -> NDArray[np.int32]:
        return x_ND[:, :1].astype(np.int32)

    def last_costs(self, x_BD: NDArray[np.float32], codes_BL: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.square(x_BD[:, :1] - np.arange(4, dtype=np.float32))

    def reconstruct(self, codes_NL: NDArray[np.int32]) -> NDArray[np.float32]:
        assert codes_NL.shape[1] == 1
        return np.repeat(codes_NL.astype(np.float32), 2, axis=1)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {}


X = np.array([[0, 0], [2, 2]], dtype=np.float32)


def test_a_code_that_only_tells_notes_apart_is_not_reconstructed_from() -> None:
    assert explained(Lookup(), X, np.array([[0, 7], [2, 9]]), "2026-03-01") == 1.0
    # The second note's code stands for (1, 1): half of the way from the mean to neither.
    assert explained(Lookup(), X, np.array([[0], [1]]), "2026-03-01") == pytest.approx(0.5)


def test_vectors_of_another_width_are_left_out_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "notemill"):
        assert explained(Lookup(), np.zeros((2, 3), dtype=np.float32), np.array([[0], [1]]), "2026-03-01") is None
    assert "the quantizer makes vectors of 2, not 3" in caplog.text
    assert explained(Lookup(), X[:0], np.empty((0, 1), dtype=np.int32), "2026-03-01") is None


def test_a_vector_that_is_no_number_is_an_error_that_names_the_table() -> None:
    with pytest.raises(LakeError, match="table note_embeddings ds=2026-03-01: there is a NaN"):
        explained(Lookup(), np.full((2, 2), np.nan, dtype=np.float32), np.array([[0], [1]]), "2026-03-01")


def test_a_codebook_is_as_large_as_its_quantizer_says_and_a_level_beyond_as_its_codes_ask(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake")
    Artifacts(lake, "quantizer").write("g1", lambda _: {"settings": {"levels": 2, "codes": 256}})
    entries = Index(pa.array(["n1", "n2"]), np.array([[3, 9, 0], [5, 1, 2]]))
    assert codebook_sizes(lake, DayIds(entries, "g1")) == [256, 256, 3]
    assert codebook_sizes(lake, DayIds(entries, "g0")) == [6, 10, 3]


def test_pairs_of_a_note_with_itself_or_of_an_unknown_one_have_no_place() -> None:
    left, right = pa.array(["a", "a", "z", "b"]), pa.array(["b", "a", "a", "a"])
    found = placed(left, right, pa.array([1.0, 2.0, 3.0, 4.0]), pa.array(["b", "a"]))
    assert found.pairs_P2.tolist() == [[1, 0], [0, 1]]
    assert found.weight_P.tolist() == [1.0, 4.0]
    assert found.num_unknown == 1
