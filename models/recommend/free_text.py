"""What a language model answers unasked, through `generate`: beams, never samples, whatever its folder would have.

In: prompts. Out: the tokens of each answer; `as_codes` reads IDs among them. A model's generation_config.json is set aside
for the call: in transformers it fills in all that a caller leaves open, temperature and penalties too.

Shapes: Q requests, A answers of a request, T tokens of an answer, L levels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from models.recommend.decoders import Prompt
from models.recommend.id_tokens import IdTokens


@torch.no_grad()
def generate(
    model: Any,
    prompt: Prompt,
    pad_token: int,
    stop_token: int | None = None,
    max_new_tokens: int = 32,
    num_beams: int = 20,
    answers: int = 1,
) -> Tensor:
    """token_QAT of the best answers, best first, padded on the right. Scores are not divided by a length (D3).

    Raises `ValueError` for more answers than beams, or a model in training mode.
    """
    if not 1 <= answers <= num_beams:
        raise ValueError(f"{answers} answers of {num_beams} beams: ask for at least 1, and at most as many as beams")
    if model.training:
        raise ValueError("the model is in training mode, so that dropout would decide: call model.eval() first")
    start = getattr(model.config, "decoder_start_token_id", None)
    how = GenerationConfig(
        do_sample=False,
        num_beams=num_beams,
        num_return_sequences=answers,
        max_new_tokens=max_new_tokens,
        length_penalty=0.0,
        pad_token_id=pad_token,
        eos_token_id=stop_token,
        decoder_start_token_id=start,
    )
    its_own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        found = model.generate(input_ids=prompt.token_QT, attention_mask=prompt.mask_QT, generation_config=how)
    finally:
        model.generation_config = its_own
    asked = 1 if getattr(model.config, "is_encoder_decoder", False) else prompt.token_QT.shape[1]
    return found[:, asked:].view(len(prompt.token_QT), answers, -1)


def as_codes(id_tokens: IdTokens, token_QAT: Tensor) -> Tensor:
    """code_QAL: the first L tokens as codes of their levels, -1 for a word that is none (so that no note has the ID)."""
    missing = max(0, id_tokens.num_levels - token_QAT.shape[-1])
    token_QAL = torch.nn.functional.pad(token_QAT, (0, missing), value=-1)[..., : id_tokens.num_levels]
    first_L = token_QAL.new_tensor([id_tokens.first_of(level) for level in range(id_tokens.num_levels)])
    code_QAL = token_QAL - first_L
    return code_QAL.masked_fill((code_QAL < 0) | (code_QAL >= token_QAL.new_tensor(id_tokens.sizes)), -1)
