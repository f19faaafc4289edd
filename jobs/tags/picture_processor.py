"""Processors of the Qwen-VL and SmolVLM families without torchvision, which theirs want for videos that nobody shows.

A picture goes through the family's own PIL image processor, the text through its tokenizer, and the picture's place in
the text is taken by as many placeholders as the network has vectors for it. What comes out is what the family's own
processor makes of pictures; videos are not read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jobs.config import ConfigError

FAMILIES: dict[str, Literal["qwen", "smolvlm"]] = {
    "qwen2_vl": "qwen",
    "qwen2_5_vl": "qwen",
    "qwen3_vl": "qwen",
    "smolvlm": "smolvlm",
}


@dataclass(frozen=True)
class PictureProcessor:
    """Takes the calls that ours make to a processor of `transformers`: one text, and a picture or none."""

    family: Literal["qwen", "smolvlm"]
    image_processor: Any
    tokenizer: Any
    image_token: str
    image_seq_len: int  # SmolVLM: vectors of one tile
    chat_template: str | None

    def apply_chat_template(
        self, messages: Any, *, add_generation_prompt: bool, tokenize: bool, **_: object
    ) -> Any:
        """The chat as text, or, for a list of one chat with its picture in it, as tensors."""
        chat = messages[0] if tokenize else messages
        text = self.tokenizer.apply_chat_template(
            chat,
            chat_template=self.chat_template,
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
        )
        if not tokenize:
            return text
        pictures = [
            part["image"] for message in chat for part in message["content"] if part["type"] == "image"
        ]
        return self(text=[text], images=pictures or None)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write what `find_processor` reads: the same processor comes back."""
        self.tokenizer.save_pretrained(folder)
        self.image_processor.save_pretrained(folder)
        settings = {"image_seq_len": self.image_seq_len}
        (Path(folder) / "processor_config.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")
        template = {"chat_template": self.chat_template}
        (Path(folder) / "chat_template.json").write_text(json.dumps(template) + "\n", encoding="utf-8")

    def __call__(
        self, *, text: Sequence[str], images: Sequence[Any] | None = None, **_: object
    ) -> dict[str, Any]:
        """Tensors of one text and its pictures. Raises `ValueError` where it has not one place for each picture."""
        (said,) = text
        places = said.split(self.image_token)
        if len(places) - 1 != len(images or ()):
            raise ValueError(f"the chat has {len(places) - 1} places for {len(images or ())} pictures")
        shown: dict[str, Any] = {}
        if images:
            asked = {"return_row_col_info": True} if self.family == "smolvlm" else {}
            shown = dict(self.image_processor(images=list(images), return_tensors="pt", **asked))
            signs = self._signs(shown)
            said = places[0] + "".join(sign + rest for sign, rest in zip(signs, places[1:], strict=True))
        words = dict(self.tokenizer([said], return_tensors="pt", return_token_type_ids=False))
        if self.family == "qwen":
            image_id = self.tokenizer.convert_tokens_to_ids(self.image_token)
            words["mm_token_type_ids"] = (words["input_ids"] == image_id).long()
        return {**words, **shown}

    def _signs(self, shown: dict[str, Any]) -> list[str]:
        """What stands for each picture in the text; takes what the network does not read out of `shown`."""
        if self.family == "qwen":
            area = self.image_processor.merge_size**2
            return [self.image_token * (int(grid.prod()) // area) for grid in shown["image_grid_thw"]]
        rows, columns = (
            [int(n) for of_text in shown.pop(name) for n in of_text] for name in ("rows", "cols")
        )
        return [self._tiles(*each) for each in zip(rows, columns, strict=True)]

    def _tiles(self, rows: int, columns: int) -> str:
        """The tiles of a picture row by row, and the whole picture last; the whole alone where it is not cut."""
        edge = getattr(self.tokenizer, "fake_image_token", "<fake_token_around_image>")
        whole = getattr(self.tokenizer, "global_image_token", "<global-img>")
        tile = self.image_token * self.image_seq_len
        lines = [
            "".join(f"{edge}<row_{row}_col_{column}>{tile}" for column in range(1, columns + 1)) + "\n"
            for row in range(1, rows + 1)
        ]
        return "".join(lines) + ("\n" if lines else "") + f"{edge}{whole}{tile}{edge}"


def find_processor(name: str | Path) -> Any:
    """The processor in a folder or under a hub's id: its own, or ours where that wants what is not installed.

    Raises `ConfigError` naming the family where neither can be had.
    """
    from transformers import AutoConfig, AutoProcessor

    try:
        return AutoProcessor.from_pretrained(name, trust_remote_code=False, backend="pil")
    except ImportError as error:
        family = AutoConfig.from_pretrained(name, trust_remote_code=False).model_type
        if family not in FAMILIES:
            first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
            raise ConfigError(
                f"{name} is a {family}, whose processor wants a package that is not installed ({first}): install "
                "torchvision of the same build as torch, or name a model of another family"
            ) from None
        return _without_torchvision(name, FAMILIES[family])


def _without_torchvision(name: str | Path, family: Literal["qwen", "smolvlm"]) -> PictureProcessor:
    from transformers import AutoImageProcessor, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    images = AutoImageProcessor.from_pretrained(name, trust_remote_code=False, backend="pil")
    default = "<|image_pad|>" if family == "qwen" else "<image>"
    seq_len = int(_setting(name, "processor_config.json", "image_seq_len") or 169)  # the family's own default
    template = tokenizer.chat_template or _setting(name, "chat_template.json", "chat_template")
    return PictureProcessor(
        family, images, tokenizer, getattr(tokenizer, "image_token", default), seq_len, template
    )


def _setting(name: str | Path, file: str, key: str) -> Any:
    """One value of a JSON file beside the model; None where there is no such file or no such key."""
    from transformers.utils import cached_file

    path = cached_file(str(name), file, _raise_exceptions_for_missing_entries=False)
    return json.loads(Path(path).read_text(encoding="utf-8")).get(key) if path else None
