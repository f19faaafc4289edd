"""The tokenizer of a compact recommender, made on the spot: signs, ID words, profile words, and a BPE where titles are read.

The same words and titles make the same tokenizer, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from models.recommend.id_tokens import id_words

SPECIAL = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
TITLE_WORDS = 4000  # tokens of the BPE, its 256 bytes included
# A Chinese character is never part of a larger token together with others' neighbours: titles are short and few.
ALONE = r"[\u3400-\u4dbf\u4e00-\u9fff]"


def compact_tokenizer(
    sizes: tuple[int, ...], profile_words: Iterable[str], titles: Iterable[str] = ()
) -> Any:
    """A fast tokenizer; the ID words are one block. Without titles any other text is unknown to it."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    titles = list(titles)
    inner = _title_tokens(titles) if titles else _no_text()
    words = [*id_words(sizes), *sorted(set(profile_words))]
    inner.add_tokens([AddedToken(word, lstrip=True, normalized=False) for word in words])
    return PreTrainedTokenizerFast(tokenizer_object=inner, padding_side="left", **SPECIAL)


def _no_text() -> Any:
    """A vocabulary of signs alone: blanks between words mean nothing."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate(SPECIAL.values())}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL["unk_token"]))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.add_special_tokens(list(SPECIAL.values()))
    return inner


def _title_tokens(titles: list[str]) -> Any:
    """Byte-level BPE, so that no title is unknown."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ALONE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TITLE_WORDS,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(titles, trainer)
    return inner
