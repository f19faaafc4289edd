"""Between questions and tensors: a model's own chat template, processor and tokenizer, with the note kept as data."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.tags.asking import Question, Token
from jobs.tags.picture_processor import find_processor
from models.tags.disarm import disarmed


@dataclass(frozen=True)
class Reader:
    """A model's processor (None for one that reads text only) and tokenizer."""

    processor: Any
    tokenizer: Any

    def read(self, question: Question) -> tuple[dict[str, Any], dict[str, Any]]:
        """Tensors with one value a token, [1, L], and the picture's tensors. Raises what the processor raises."""
        encoded = self._with_picture(question) if self.processor is not None else self._text_alone(question)
        shape = encoded["input_ids"].shape
        if "attention_mask" not in encoded:
            encoded["attention_mask"] = encoded["input_ids"].new_ones(shape)
        words = {name: t for name, t in encoded.items() if t.shape == shape}
        return words, {name: t for name, t in encoded.items() if name not in words}

    def text(self, ids: Sequence[int]) -> str:
        """The reply that ids stand for."""
        return self.tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def messages(self, question: Question) -> list[dict[str, object]]:
        """The chat as the processor takes it, the picture in it."""
        messages = question.prompt.messages()
        for message in messages:
            parts: Any = message["content"]
            message["content"] = [self._part(part, question.picture) for part in parts]
        return messages

    def _with_picture(self, question: Question) -> dict[str, Any]:
        template = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}
        return dict(self.processor.apply_chat_template([self.messages(question)], **template))

    def _part(self, part: dict[str, Any], picture: bytes | None) -> dict[str, Any]:
        if part["type"] == "text":
            return {"type": "text", "text": disarmed(part["text"], self._signs())}
        if picture is None:
            raise ValueError("the prompt shows a picture and there is none")
        return {"type": "image", "image": _opened(picture)}

    def _text_alone(self, question: Question) -> dict[str, Any]:
        if question.prompt.has_picture:
            raise ValueError("the model reads text only and the prompt shows a picture: set tags.use_pictures: false")
        said = {
            "system": disarmed(question.prompt.system, self._signs()),
            "user": disarmed(question.prompt.user, self._signs()),
        }
        if not self.tokenizer.chat_template:
            return dict(self.tokenizer("\n\n".join(said.values()) + "\n", return_tensors="pt"))
        messages = [{"role": role, "content": text} for role, text in said.items()]
        chat = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return dict(self.tokenizer(chat, add_special_tokens=False, return_tensors="pt"))

    def _signs(self) -> set[str]:
        special = {str(t) for t in self.tokenizer.added_tokens_decoder.values() if t.special}
        return special | {str(getattr(self.processor, "image_token", "") or "")}


def load_reader(folder: Path, *, reads_pictures: bool) -> Reader:
    """The processor and tokenizer in a folder; images are handled by PIL, torchvision is not needed.

    Raises `ConfigError` where the model's family cannot do without it.
    """
    from transformers import AutoTokenizer

    if not reads_pictures:
        return Reader(None, AutoTokenizer.from_pretrained(folder, trust_remote_code=False))
    processor = find_processor(folder)
    return Reader(processor, processor.tokenizer)


def _opened(picture: bytes) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=("PNG",)) as opened:
        return opened.convert("RGB")


def tokens_of(tokenizer: Any, ids: Sequence[int], logprobs: Sequence[float], text: str) -> tuple[Token, ...]:
    """Every token's end in the text of the reply, and its log-probability."""
    if not ids:
        return ()  # of which batch_decode would make one empty piece
    pieces = tokenizer.batch_decode(
        [[i] for i in ids], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    is_plain = "".join(pieces) == text
    lengths = [len(piece) for piece in pieces] if is_plain else _lengths(tokenizer, ids)
    tokens, end = [], 0
    for length, logprob in zip(lengths, logprobs, strict=True):
        end = min(end + length, len(text))
        tokens.append(Token(end, round(logprob, 5)))
    return tuple(tokens)


def _lengths(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    """By how much each token lengthens the text, where tokens hold parts of characters or eat blanks.

    Looks back to the last token after which the text was whole, as servers that stream do.
    """
    lengths, start, whole, length = [], 0, 0, 0
    for at in range(len(ids)):
        before = tokenizer.decode(list(ids[start:whole]), skip_special_tokens=True)
        now = tokenizer.decode(list(ids[start : at + 1]), skip_special_tokens=True)
        added = 0 if now.endswith("�") else max(len(now) - len(before), 0)
        if added:
            start, whole = whole, at + 1
        lengths.append(added)
        length += added
    return lengths
