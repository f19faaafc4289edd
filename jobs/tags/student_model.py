"""Any small Hugging Face causal or image-text model as a student that is taught: prompts to tensors, replies to tokens.

Rows are padded on the left, so that the replies of a batch end at the same column and only the logits of replies are
computed.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from jobs.config import ConfigError
from jobs.tags.picture_processor import find_processor
from models.notes.pictures import FORMATS
from models.tags.distillation import IGNORED
from models.tags.prompt import Prompt

if TYPE_CHECKING:
    from PIL import Image

Inputs = Mapping[str, Tensor]  # one prompt, in rows of one


@dataclass
class StudentModel:
    """A network that is taught, with what turns text and pictures into its inputs. Saved as a folder it is asked as any
    local model is: `student.load_folder`."""

    network: Any
    processor: Any
    sees_pictures: bool

    @property
    def tokenizer(self) -> Any:
        """The text side of the processor."""
        return getattr(self.processor, "tokenizer", self.processor)

    def prompt_inputs(self, prompt: Prompt, picture: bytes | None) -> Inputs:
        """What the network reads before its reply."""
        shown = prompt if self.sees_pictures else Prompt(prompt.system, prompt.user, has_picture=False)
        text = self._chat(_without_special_tokens(shown, self._special_tokens()))
        if not self.sees_pictures:
            is_bare = self.tokenizer.chat_template is None  # a chat brings its special tokens along
            return dict(self.tokenizer(text, add_special_tokens=is_bare, return_tensors="pt"))
        pictures = {"images": [opened(picture)]} if shown.has_picture and picture is not None else {}
        return dict(self.processor(text=[text], return_tensors="pt", **pictures))

    def reply_tokens(self, reply: str) -> list[int]:
        """The tokens of a reply and its end; whatever stands in it is text, never a special token."""
        tokens = self.tokenizer(reply, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [*tokens, self.tokenizer.eos_token_id]

    def batch(self, prompts: Sequence[Inputs], replies: Sequence[Sequence[int]]) -> tuple[Inputs, Tensor]:
        """The network's inputs, and reply_BT: the reply tokens as the last T columns, `IGNORED` before them."""
        rows = [_continued(one, reply) for one, reply in zip(prompts, replies, strict=True)]
        longest = max(len(reply) for reply in replies)
        reply_BT = torch.full((len(replies), longest), IGNORED)
        for row, reply in zip(reply_BT, replies, strict=True):
            row[longest - len(reply) :] = torch.tensor(reply)
        return self._stacked(rows), reply_BT.to(self.network.device)

    def reply_logits(self, inputs: Inputs, num_tokens: int) -> Tensor:
        """logits_BTV for the last `num_tokens` tokens, each from the column before it."""
        asked: dict[str, Any] = {**inputs, "use_cache": False}
        plain = getattr(
            self.network, "get_base_model", lambda: self.network
        )()  # inside of LoRA, where there is one
        if "logits_to_keep" in inspect.signature(plain.forward).parameters:
            asked["logits_to_keep"] = num_tokens + 1
        return self.network(**asked).logits[:, -num_tokens - 1 : -1]

    def _chat(self, prompt: Prompt) -> str:
        if self.tokenizer.chat_template is None and not getattr(self.processor, "chat_template", None):
            return f"{prompt.system}\n\n{prompt.user}\n"  # as `encoding.Reader` has it, who asks
        messages: list[dict[str, Any]] = prompt.messages()
        if not self.sees_pictures:  # templates of text models take a text where others take a list
            messages = [{**m, "content": "".join(part["text"] for part in m["content"])} for m in messages]
        return self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)

    def _special_tokens(self) -> list[str]:
        named = {*self.tokenizer.all_special_tokens, getattr(self.processor, "image_token", None)}
        added = {t.content for t in self.tokenizer.added_tokens_decoder.values() if t.special}
        return sorted(t for t in named | added if isinstance(t, str) and len(t) > 1)

    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return self.tokenizer.eos_token_id if pad is None else pad

    def _stacked(self, rows: Sequence[Inputs]) -> Inputs:
        """Rows of one as a batch: what runs along the tokens is padded on the left, the rest is joined."""
        width = max(row["input_ids"].shape[1] for row in rows)
        fill = {"input_ids": self._pad()}
        stacked: dict[str, Tensor] = {}
        for name in sorted({name for row in rows for name in row}):
            parts = [row[name] for row in rows if name in row]
            if all(_is_by_token(row, name) for row in rows if name in row):
                parts = [
                    torch.nn.functional.pad(p, (width - p.shape[1], 0), value=fill.get(name, 0))
                    for p in parts
                ]
            stacked[name] = torch.cat(_same_shape(parts)).to(self.network.device)
        return stacked


def open_student(
    name: str, device: str = "cpu", **options: Any
) -> StudentModel:
    """The model in a folder or under a hub's id: image-text where it is one, else causal.

    Raises `ConfigError` where there is none, or its weights are not safetensors.
    """
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoTokenizer,
    )
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # in a log it is but noise
    try:
        sees = (
            AutoConfig.from_pretrained(name, trust_remote_code=False).model_type
            in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        )
        processor = find_processor(name) if sees else AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
        network = kind.from_pretrained(name, use_safetensors=True, trust_remote_code=False, **options)
    except (OSError, ValueError, ImportError) as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigError(
            f"tags.student is {name!r}, which does not open as a causal or image-text model with safetensors weights: "
            f"{first}. Name the folder of one, or a hub id that this machine has or can reach, or leave it empty"
        ) from None
    return StudentModel(network.to(device).eval(), processor, sees)


def opened(picture: bytes) -> Image.Image:
    """The picture in colour. It was checked when its bytes were read; only known formats are tried all the same."""
    from PIL import Image

    with Image.open(io.BytesIO(picture), formats=FORMATS) as found:
        return found.convert("RGB")


def _without_special_tokens(prompt: Prompt, special: Sequence[str]) -> Prompt:
    """A note that spells a special token must not become one: a blank after its first character makes it text."""
    system, user = prompt.system, prompt.user
    for token in special:
        user = user.replace(token, f"{token[0]} {token[1:]}")
    return Prompt(system, user, prompt.has_picture)


def _continued(row: Inputs, reply: Sequence[int]) -> Inputs:
    """A prompt with its reply behind it: the mask goes on with 1, every other mark of a token with 0."""
    tail = {
        "input_ids": torch.tensor([list(reply)]),
        "attention_mask": torch.ones(1, len(reply), dtype=torch.int64),
    }
    nothing = torch.zeros(1, len(reply), dtype=torch.int64)
    return {
        name: torch.cat([value, tail.get(name, nothing).to(value.dtype)], dim=1)
        if _is_by_token(row, name)
        else value
        for name, value in row.items()
    }


def _is_by_token(row: Inputs, name: str) -> bool:
    return row[name].shape == row["input_ids"].shape


def _same_shape(parts: Sequence[Tensor]) -> Sequence[Tensor]:
    """Parts padded with zeros to the widest in every dimension but the first (pictures cut into unlike many tiles)."""
    if len({p.shape[1:] for p in parts}) == 1:
        return parts
    widest = [max(p.shape[d] for p in parts) for d in range(1, parts[0].dim())]
    return [
        torch.nn.functional.pad(
            p, [n for d in range(p.dim() - 1, 0, -1) for n in (0, widest[d - 1] - p.shape[d])]
        )
        for p in parts
    ]
