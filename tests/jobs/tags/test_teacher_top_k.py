"""What a teacher's top-k tokens are stored as, and who may learn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from jobs.lake import LakeError
from jobs.tags.compact_student import compact_student, teachers_tokenizer
from jobs.tags.teacher_top_k import StoredTopK, TopK, tokenizer_hash, write_top_k
from models.tags.prompt import RULES
from tests.jobs.tags.taught import TINY, texts, tiny_student

TOP = TopK(
    np.array([7, 2]), np.array([[7, 8, 9], [2, 7, 5]]), np.float32([[-0.25, -2.0, -3.0], [-0.5, -1.5, -4.0]])
)


def test_an_answer_comes_back_as_it_was_stored_and_an_unknown_one_is_none(tmp_path: Path) -> None:
    write_top_k(tmp_path / "a.safetensors", "t1", {"a" * 64: TOP})
    write_top_k(
        tmp_path / "b.safetensors",
        "t1",
        {"b" * 64: TopK(TOP.tokens[:1], TOP.ids_TK[:1], TOP.logprobs_TK[:1])},
    )
    stored = StoredTopK(tmp_path, "t1")
    found = stored("a" * 64)
    assert found is not None
    assert (found.tokens.tolist(), found.ids_TK.tolist(), found.logprobs_TK.tolist()) == tuple(
        p.tolist() for p in TOP
    )
    assert stored("c" * 64) is None
    assert sorted(stored.hashes) == ["a.safetensors", "b.safetensors"]


def test_a_shard_is_three_plain_tensors_an_answer(tmp_path: Path) -> None:
    write_top_k(tmp_path / "a.safetensors", "t1", {"f": TOP})
    tensors = load_file(tmp_path / "a.safetensors")
    assert {name: (str(t.dtype), t.shape) for name, t in tensors.items()} == {
        "f.tokens": ("int32", (2,)),
        "f.ids": ("int32", (2, 3)),
        "f.logprobs": ("float16", (2, 3)),
    }


def test_the_tokens_of_another_tokenizer_or_of_none_are_not_learned_from(tmp_path: Path) -> None:
    write_top_k(tmp_path / "a.safetensors", "t1", {"f": TOP})
    assert StoredTopK(tmp_path, "t2")("f") is None
    assert StoredTopK(tmp_path, "")("f") is None
    assert StoredTopK(tmp_path / "none", "t1")("f") is None


def test_a_student_with_the_teachers_tokenizer_and_a_token_of_its_own_reads_the_same_ids(
    tmp_path: Path,
) -> None:
    teacher = tiny_student(tmp_path / "teacher")
    student = compact_student([], 1, TINY, str(teacher))
    made_alone = compact_student(texts(), 1, TINY)
    assert tokenizer_hash(student.tokenizer) == tokenizer_hash(made_alone.tokenizer)
    assert student.reply_tokens("oak 棉") == made_alone.reply_tokens("oak 棉")
    student.tokenizer.add_tokens(["<own>"])
    assert tokenizer_hash(student.tokenizer) == tokenizer_hash(made_alone.tokenizer)
    other = compact_student(["quite other words"], 1, TINY)
    assert tokenizer_hash(student.tokenizer) != tokenizer_hash(other.tokenizer)
    assert tokenizer_hash(object()) == ""


def test_stretches_of_replies_are_single_tokens_behind_the_teachers_own_which_stay_as_they_are(
    tmp_path: Path,
) -> None:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(texts(), trainers.BpeTrainer(vocab_size=300, show_progress=False))
    bpe.add_tokens([AddedToken(RULES, normalized=False), AddedToken("\nThe note:\n{", normalized=False)])
    theirs = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>")
    theirs.save_pretrained(tmp_path)
    ours = teachers_tokenizer(str(tmp_path))
    text = f"{RULES} oak\nThe note:\n{{"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    assert tokenizer_hash(ours) == tokenizer_hash(theirs)
    between = '", "evidence": "picture"}, {"dimension": "'
    assert len(theirs(between)["input_ids"]) > 1
    assert [i >= len(theirs) for i in ours(between)["input_ids"]] == [True]


def test_files_that_are_no_shards_or_do_not_fit_are_named(tmp_path: Path) -> None:
    write_top_k(tmp_path / "a.safetensors", "t1", {"f": TOP._replace(ids_TK=TOP.ids_TK[:1])})
    with pytest.raises(
        LakeError, match=r"a.safetensors: answer f has 2 tokens and probabilities of \(1, 3\)"
    ):
        StoredTopK(tmp_path, "t1")("f")
    save_file({"x": np.zeros(1)}, tmp_path / "b.safetensors")
    assert list(StoredTopK(tmp_path, "t1").hashes) == ["a.safetensors"]
    (tmp_path / "c.safetensors").write_bytes(b"\x80\x04 no tensors")
    with pytest.raises(LakeError, match=r"c.safetensors is no shard of a teacher's top-k tokens"):
        StoredTopK(tmp_path, "t1")
