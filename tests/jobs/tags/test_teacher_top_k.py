"""What a teacher's top-k tokens are stored as, and who may learn from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from jobs.lake import LakeError
from jobs.tags.compact_student import compact_student, teachers_tokenizer
from jobs.tags.teacher_top_k import StoredTopK, ToldTopK, TopK, tokenizer_hash, write_top_k
from models.tags.prompt import RULES
from tests.jobs.tags.taught import TINY, texts, tiny_student

TOP = TopK(
    np.array([7, 2]), np.array([[7, 8, 9], [2, 7, 5]]), np.float32([[-0.25, -2.0, -3.0], [-0.5, -1.5, -4.0]])
)


SHORT = TopK(TOP.tokens[:1], TOP.ids_TK[:1], TOP.logprobs_TK[:1])


def stored(room: Path, answers: dict[str, TopK], tokenizer: str = "t1") -> Path:
    """The shard of these answers."""
    (path,) = write_top_k(room, {answer: ToldTopK(tokenizer, top) for answer, top in answers.items()})
    return path


def test_an_answer_comes_back_as_it_was_stored_and_an_unknown_one_is_none(tmp_path: Path) -> None:
    paths = [stored(tmp_path, {"a" * 64: TOP}), stored(tmp_path, {"b" * 64: SHORT})]
    known = StoredTopK(tmp_path, "t1")
    found = known("a" * 64)
    assert found is not None
    assert (found.tokens.tolist(), found.ids_TK.tolist(), found.logprobs_TK.tolist()) == tuple(
        p.tolist() for p in TOP
    )
    assert known("c" * 64) is None
    assert sorted(known.hashes) == sorted(path.name for path in paths)


def test_the_same_answers_make_the_same_shard_whatever_came_first(tmp_path: Path) -> None:
    path = stored(tmp_path, {"a": TOP, "b": SHORT})
    again = stored(tmp_path / "again", {"b": SHORT, "a": TOP})
    assert (again.name, again.read_bytes()) == (path.name, path.read_bytes())
    assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    write_top_k(tmp_path / "two", {"a": ToldTopK("t1", TOP), "b": ToldTopK("t2", SHORT)})
    found = [[StoredTopK(tmp_path / "two", t)(a) is not None for a in "ab"] for t in ("t1", "t2")]
    assert found == [[True, False], [False, True]]


def test_tokens_that_a_student_does_not_have_are_not_learned_from(tmp_path: Path) -> None:
    stored(tmp_path, {"f": TOP})  # whose largest id is 9
    assert StoredTopK(tmp_path, "t1", 10)("f") is not None
    assert StoredTopK(tmp_path, "t1", 9)("f") is None


def test_a_shard_is_three_plain_tensors_an_answer(tmp_path: Path) -> None:
    tensors = load_file(stored(tmp_path, {"f": TOP}))
    assert {name: (str(t.dtype), t.shape) for name, t in tensors.items()} == {
        "f.tokens": ("int32", (2,)),
        "f.ids": ("int32", (2, 3)),
        "f.logprobs": ("float16", (2, 3)),
    }


def test_the_tokens_of_another_tokenizer_or_of_none_are_not_learned_from(tmp_path: Path) -> None:
    stored(tmp_path, {"f": TOP})
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
    path = stored(tmp_path, {"f": TOP._replace(ids_TK=TOP.ids_TK[:1])})
    with pytest.raises(LakeError, match=rf"{path.name}: answer f has 2 tokens and probabilities of \(1, 3\)"):
        StoredTopK(tmp_path, "t1")("f")
    save_file({"x": np.zeros(1)}, tmp_path / "b.safetensors")
    assert list(StoredTopK(tmp_path, "t1").hashes) == [path.name]
    (tmp_path / "c.safetensors").write_bytes(b"\x80\x04 no tensors")
    with pytest.raises(LakeError, match=r"c.safetensors is no shard of a teacher's top-k tokens"):
        StoredTopK(tmp_path, "t1")
