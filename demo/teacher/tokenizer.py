"""A tokenizer trained on the spot: byte-level BPE, so that any text survives, and whole phrases as single tokens.

On a processor without an accelerator the length of a prompt is what training costs. So the fixed sentences of prompts,
the punctuation between the values of a reply, the catalogue's words and the most frequent stretches of text between
them are one token each (Aho-Corasick, the longest match from the left); everything else is spelt in BPE pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from demo.catalogue import CATEGORIES
from demo.interests import INTERESTS
from demo.teacher.chains import ALL_SLOTS, LOOKS, words_of
from demo.teacher.handbooks import DEFINITIONS, NAMES, VAGUE, slot_names
from models.tags.chain import folded
from models.tags.prompt import ANSWER_HEAD, NO_PAGE, NOTE_HEAD, PAGE_HEAD, RULES, STEPS, NoteText

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<end_of_utterance>"
IMAGE, AROUND, WHOLE = "<image>", "<fake_token_around_image>", "<global-img>"
SPECIALS = (PAD, START, END, IMAGE, AROUND, WHOLE)
# What stands between the texts of a prompt or reply.
RUNS = (
    '{"category": ["', '"], "title": "', '", "hashtags": ["', '"], "body": "', '"}\n' + ANSWER_HEAD, '", "',
    '{"text": ["', '{"text": [], "picture": "', '"], "picture": "', '", "dimensions": ["',
    '"], "values": [{"dimension": "', '{"values": [{"dimension": "', '", "value": "', '", "evidence": "',
    '"}, {"dimension": "', '"}], "tags": ["', '"]}', '"}]}', '{"values": []}',
    '", "dimensions": [], "values": [], "tags": []}', '", "hashtags": [], "body": "',
    "\n- ", " Such as: ", ", ", ": ", ".\n- ", f".\n{NOTE_HEAD}\n", f"{NO_PAGE}\n{NOTE_HEAD}\n", " > ",
)  # fmt: skip
MIN_COUNT = 4  # of a stretch of text that becomes one token


def train_tokenizer(
    notes: Sequence[NoteText], replies: Sequence[str], *, num_pieces: int, num_stretches: int
) -> PreTrainedTokenizerFast:
    """The tokenizer of these notes and replies: about `num_pieces` BPE pieces and at most `num_stretches` phrases."""
    known = _catalogue_words()
    words = sorted({*known, *map(_capital, known), *map(folded, known)})
    fixed = [*RUNS, *_prompt_sentences()]
    stretches = _stretches(notes, words, num_stretches)
    tokenizer = byte_level(_corpus(notes, replies), num_pieces)
    tokenizer.add_tokens(
        [AddedToken(word, single_word=word.isascii(), normalized=False) for word in words]
        + [AddedToken(text, normalized=False) for text in dict.fromkeys([*fixed, *stretches])]
    )
    return as_fast(tokenizer)


def byte_level(texts: Iterable[str], num_pieces: int) -> Tokenizer:
    """A byte-level BPE of texts with the special tokens: any text comes back as it was."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=num_pieces,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def as_fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as `transformers` takes it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=4096,
    )


def _corpus(notes: Sequence[NoteText], replies: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield from (note.title, note.body, *note.hashtags)
    yield from replies


def _catalogue_words() -> set[str]:
    """Every value and name of the catalogue, in both languages, and what slots may be called."""
    found = {name for names in NAMES.values() for name in names}
    found |= {part for interest in INTERESTS for part in interest.path}
    found |= {name for interest in INTERESTS for names in interest.names for name in names}
    found |= {word for words in LOOKS.values() for pair in words for word in pair}
    for at, interest in enumerate(INTERESTS):
        found |= set(slot_names(at).values())
        slots = [slot for slot in ALL_SLOTS if slot != "product"]
        found |= {word for slot in slots for pair in words_of(at, slot) for word in pair}
        found.add(CATEGORIES[interest.category].name)
    return found


def _capital(word: str) -> str:
    return word[0].upper() + word[1:]


def _prompt_sentences() -> Iterable[str]:
    before, after = PAGE_HEAD.split("{category}")
    sentences = [text for texts in DEFINITIONS.values() for text in texts] + list(VAGUE)
    return [RULES, *STEPS.values(), before, after + "\n- ", "all notes", *sentences]


def _stretches(notes: Sequence[NoteText], words: Sequence[str], most: int) -> list[str]:
    """The stretches between catalogue words that are seen most often, the longer first where two are as frequent."""
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    known = re.compile("|".join(re.escape(word) for word in longest_first))
    counts: Counter[str] = Counter()
    for note in notes:
        for text in (note.title, note.body):
            for clause in re.split(r"(?<=[.!?。！？])(?: |\n)?", text):
                counts.update(part for part in known.split(clause) if len(part) > 2)
    often = [(text, count) for text, count in counts.items() if count >= MIN_COUNT and text not in words]
    often.sort(key=lambda item: (-item[1] * len(item[0].encode()), item[0]))
    return [text for text, _ in often[:most]]
