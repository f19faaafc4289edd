"""A trained recommender on the disk, read back only as it was written, and only for the quantizer whose codes it speaks.

model.safetensors, config.json    the network, as transformers saves it
tokenizer.json, ...               the tokenizer with the ID words
collaborative.safetensors         the counting scorer that decoding is mixed with
collaborative_notes.parquet       the notes that it is about, by place
card.md                           for people
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from jobs.artifact import Artifacts
from jobs.lake import Lake, LakeError
from jobs.recommend.base_model import id_tokens_of
from jobs.recommend.collaborative import Collaborative, open_collaborative
from jobs.recommend.examples import prompt_tokens
from jobs.recommend.training_process import open_network
from jobs.staging import file_hash
from models.recommend.decoding import Decoder, Prompt, causal_decoder, encoder_decoder
from models.recommend.id_tokens import IdTokens
from models.recommend.lazy import Lazy
from models.recommend.lazy_decoder import lazy_decoder
from models.recommend.prompts import Profile, next_item, profile_words, prompt_text, terse
from schemas.recommend_tables import UNKNOWN

KIND = "recommender"


@dataclass(frozen=True)
class Recommender:
    """A network with all that turns histories into its prompts."""

    generation: str
    network: Any
    tokenizer: Any
    id_tokens: IdTokens
    manifest: dict[str, Any]
    collaborative: Collaborative

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether prompts are padded on the right and answers begin anew."""
        return bool(self.manifest["is_encoder_decoder"])

    def _known(self, profile: Profile) -> Profile:
        """A value that nobody had in training is unknown."""
        words = zip(profile, profile_words(profile), strict=True)
        return Profile(*(value if word in self._vocabulary else UNKNOWN for value, word in words))

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return self.tokenizer.get_vocab()

    def prompt_texts(self, histories: list[list[str]], profiles: list[Profile]) -> list[str]:
        """What the network reads of users: their latest notes, oldest first."""
        latest = [history[-int(self.manifest["settings"]["history"]) :] for history in histories]
        pairs = zip(profiles, latest, strict=True)
        if self.manifest["prompt_style"] == "terse":
            return [terse(self._known(profile), history) for profile, history in pairs]
        language = str(self.manifest["language"])
        return [prompt_text(next_item(profile, history, "", language)) for profile, history in pairs]

    @cached_property
    def decoder(self) -> Decoder:
        """The network as the beam search asks it: probabilities among a level's codes, as it learned."""
        if isinstance(self.network, Lazy):
            return lazy_decoder(self.network)
        build = encoder_decoder if self.is_encoder_decoder else causal_decoder
        return build(self.network, self.id_tokens, among_codes=True)

    def prompt(self, histories: list[list[str]], profiles: list[Profile]) -> Prompt:
        """Semantic IDs of users' notes, oldest first, and profiles as the network reads them.

        Raises `LakeError` where a history has a code that is not of the vocabulary.
        """
        found = prompt_tokens(self.tokenizer, self.prompt_texts(histories, profiles))
        history = int(self.manifest["settings"]["history"])
        for tokens, asked in zip(found, histories, strict=True):
            due = len(asked[-history:]) * self.id_tokens.num_levels
            if sum(self.id_tokens.first <= token < self.id_tokens.stop for token in tokens) != due:
                raise LakeError(
                    f"wrong vocabulary: recommender {self.generation} speaks IDs of {self.id_tokens.sizes} codes (quantizer "
                    f"{self.manifest['quantizer']}), and not all of {asked[-history:]} are such"
                )
        return _padded(found, self.tokenizer.pad_token_id, on_the_left=not self.is_encoder_decoder)


def load_recommender(lake: Lake, generation: str) -> Recommender:
    """The recommender of a generation.

    Raises `LakeError` where a file is missing, cut short or not the one that was written, and where the quantizer whose
    codes it speaks is gone or another one now.
    """
    artifacts = Artifacts(lake, KIND)
    folder, manifest = artifacts.folder(generation), artifacts.manifest(generation)
    for name, written in manifest["files"].items():
        if not (folder / name).exists() or file_hash(folder / name) != written:
            raise LakeError(
                f"{folder / name} is not the file that its manifest names: restore it, or train again"
            )
    _require_quantizer(lake, generation, manifest)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    network = open_network(folder, manifest["is_encoder_decoder"]).eval()
    id_tokens = id_tokens_of(tokenizer, tuple(manifest["sizes"]))
    return Recommender(generation, network, tokenizer, id_tokens, manifest, open_collaborative(folder))


def _require_quantizer(lake: Lake, generation: str, manifest: dict[str, Any]) -> None:
    quantizers, name = Artifacts(lake, "quantizer"), manifest["quantizer"]
    there = (
        file_hash(quantizers.folder(name) / "manifest.json")
        if name in quantizers.generations()
        else "missing"
    )
    if there != manifest["quantizer_manifest"]:
        raise LakeError(
            f"wrong vocabulary: recommender {generation} speaks codes of quantizer {name} with manifest "
            f"{manifest['quantizer_manifest'][:12]}, which is {there[:12]} in this lake: restore it, or train again"
        )


def _padded(tokens: list[list[int]], pad: int, on_the_left: bool) -> Prompt:
    width = max(map(len, tokens), default=0)
    token_QT = np.full((len(tokens), width), pad, dtype=np.int64)
    mask_QT = np.zeros_like(token_QT)
    for row, found in enumerate(tokens):
        at = slice(width - len(found), width) if on_the_left else slice(0, len(found))
        token_QT[row, at], mask_QT[row, at] = found, 1
    return Prompt(torch.from_numpy(token_QT), torch.from_numpy(mask_QT))
