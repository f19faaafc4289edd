"""The student where none is named: a small Idefics3 (a SigLIP tower, a Llama of two layers), made on the spot.

A picture becomes four vectors, one a quarter, each made of its patches by place (pixel shuffle: Idefics3, arXiv
2408.12637, section 2.2): so outlines come through, and few tokens are read. Nothing is downloaded. The tokenizer is
learned from the prompts and replies that the student will see; where the teacher is a folder its tokenizer is taken
over, so that the teacher's token probabilities mean something to the student.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from jobs.tags.student_model import StudentModel
from models.tags.initial import start_copying, start_seeing
from models.tags.prompt import ANSWER_HEAD, NOTE_HEAD, RULES, STEPS

SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
IMAGE = "<image>"
SIGNS = (IMAGE, "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")  # the processor's
SIDE = 2  # vectors of a picture in a row
# A blank and a Chinese character are never part of a larger token: so a span has the same tokens in the note, as evidence
# and as a tag, which is what copying it takes.
ALONE = r"[ \u3400-\u4dbf\u4e00-\u9fff]"
# What stands in every prompt or between the words of every reply is one token, which more than halves an answer.
WHOLE = (
    RULES,
    *STEPS.values(),
    NOTE_HEAD,
    ANSWER_HEAD,
    '{"values": [{"dimension": "',
    '"}, {"dimension": "',
    '", "value": "',
    '", "evidence": "',
    '", "evidence": "picture"}, {"dimension": "',
    '"}]}',
)
TEMPLATE = (
    "{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}<image>\n{% else %}{{ c.text }}\n"
    "{% endif %}{% endfor %}{% endfor %}"
)


@dataclass(frozen=True)
class Sizes:
    """The network. Two layers are the least that can copy a span from a note (an induction head takes two)."""

    vocabulary: int = 6000
    hidden: int = 128
    layers: int = 2
    heads: int = 4
    picture: int = 64  # pixels
    patch: int = 8
    vision_hidden: int = 64
    vision_layers: int = 2
    max_tokens: int = 4096


def compact_student(
    texts: Iterable[str], seed: int, sizes: Sizes, teacher: str | None = None
) -> StudentModel:
    """A new student with random weights; the same texts, seed and sizes make the same one."""
    from transformers import Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tokenizer = teachers_tokenizer(teacher) if teacher else _new_tokenizer(texts, sizes)
    torch.manual_seed(seed)
    network = Idefics3ForConditionalGeneration(_config(tokenizer, _narrower(sizes, teacher)))
    start_seeing(network.model.vision_model, network.model.connector)
    start_copying(network.model.text_model)
    network.generation_config.pad_token_id = tokenizer.pad_token_id
    network.generation_config.eos_token_id = tokenizer.eos_token_id
    side = {"longest_edge": sizes.picture}
    processor = Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size=side, max_image_size=side, do_image_splitting=False
        ),  # the whole picture, squeezed
        tokenizer=tokenizer,
        image_seq_len=SIDE**2,
        chat_template=TEMPLATE,
    )
    return StudentModel(network.eval(), processor, sees_pictures=True)


def _new_tokenizer(texts: Iterable[str], sizes: Sizes) -> Any:
    """Byte-level BPE, so that no text is unknown."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ALONE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=sizes.vocabulary,
        special_tokens=[*SPECIAL.values(), *SIGNS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.add_tokens(list(WHOLE))
    return PreTrainedTokenizerFast(tokenizer_object=bpe, padding_side="left", **SPECIAL)


def teachers_tokenizer(teacher: str) -> Any:
    """The tokenizer in a teacher's folder, with the stretches of prompts and replies that it has not as single tokens."""
    from tokenizers import AddedToken
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(teacher, trust_remote_code=False)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    known = tokenizer.get_vocab()
    lacking = [sign for sign in SIGNS if sign not in known]
    if lacking:
        tokenizer.add_special_tokens({"additional_special_tokens": lacking})  # behind the teacher's own
    # To add a token again would change how the teacher's text is cut.
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in WHOLE if text not in known])
    tokenizer.chat_template = None
    return tokenizer


def _narrower(sizes: Sizes, teacher: str | None) -> Sizes:
    """At most half as wide as the teacher, where it can be looked at."""
    from transformers import AutoConfig

    if not teacher:
        return sizes
    text = AutoConfig.from_pretrained(teacher, trust_remote_code=False).get_text_config()
    half = max(sizes.heads * 8, int(text.hidden_size) // 2 // (sizes.heads * 2) * (sizes.heads * 2))
    return Sizes(**{**sizes.__dict__, "hidden": min(sizes.hidden, half)})


def _config(tokenizer: Any, sizes: Sizes) -> Any:
    from transformers import Idefics3Config

    ids = {name: getattr(tokenizer, f"{name}_id") for name in SPECIAL}
    return Idefics3Config(
        vision_config={
            "hidden_size": sizes.vision_hidden,
            "intermediate_size": sizes.vision_hidden * 2,
            "num_hidden_layers": sizes.vision_layers,
            "num_attention_heads": sizes.heads,
            "image_size": sizes.picture,
            "patch_size": sizes.patch,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": sizes.hidden,
            "intermediate_size": sizes.hidden * 3,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.heads,
            "max_position_embeddings": sizes.max_tokens,
            "tie_word_embeddings": True,
            **{name: value for name, value in ids.items() if value is not None},
        },
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        scale_factor=sizes.picture // sizes.patch // SIDE,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
    )


def as_folder(student: StudentModel, folder: Path) -> None:
    """Save a student as any other model's folder."""
    student.network.save_pretrained(folder)
    student.processor.save_pretrained(folder)
