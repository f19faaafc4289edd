"""Language models as scorers of the next code: all beams of a request beside each other, over one copy of its prompt.

In: prompts, then the code that every beam took and the beam it grew from. Out: the log-probabilities of the next code.
The beams of a request are the queries of one attention, and which keys each may look at (the prompt and its own codes) is a
mask, as in tree attention (SpecInfer, arXiv 2305.09781, section 4.2): the keys of a prompt are computed once and neither
repeated nor reordered, and what follows a beam's parent is a gather of rows of that mask. Nothing is brought to the host.

Shapes: Q requests, T tokens of a prompt, B beams, K codes of a level, V words, N keys of the cache, D features, H heads.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache

ATTENTION = ("eager", "sdpa")  # the others take no mask of their own for every query


class Prompt(NamedTuple):
    """token_QT, and mask_QT, 1 where a token is and 0 where padding is: on the left for a causal model, else on the right.

    Every prompt has a token: of an empty one no model says anything.
    """

    token_QT: Tensor
    mask_QT: Tensor


class CodeTokens(Protocol):
    """Which words are the codes of each level: `id_tokens.IdTokens`, or `title_trie.TitleTokens`."""

    @property
    def first(self) -> int:
        """The first token of any code."""

    @property
    def stop(self) -> int:
        """The token after the last."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """K of every level."""

    @property
    def num_levels(self) -> int:
        """How many there are."""

    def first_of(self, level: int) -> int:
        """The token of code 0 of a level."""


class State(NamedTuple):
    """What a decoder keeps from code to code. It is used once, as its cache grows in place.

    seen_QBN: which keys of the cache each beam may look at; next_Q1: the position of the next token; source_QTD and
    source_mask: what the encoder made of the prompt.
    """

    cache: Cache
    seen_QBN: Tensor
    next_Q1: Tensor
    widths: tuple[int, ...] = ()  # how many keys stand at each position of the decoder
    source_QTD: Tensor | None = None
    source_mask: Tensor | None = None


class Decoder(Protocol):
    """What `decoding.beam_search` asks for codes; one a family of models."""

    id_tokens: CodeTokens
    among_allowed: bool  # whether the codes that a trie allows are held against each other alone, as they were learned

    def begin(self, prompt: Prompt) -> tuple[Any, Tensor]:
        """What it keeps from code to code, and log_prob_QK of the first code, float32."""

    def extend(self, state: Any, parent_QB: Tensor, code_QB: Tensor, depth: int) -> tuple[Any, Tensor]:
        """log_prob_QBK of code `depth` after the beams took these codes at the level before, from these parents."""


def causal_decoder(model: nn.Module, id_tokens: CodeTokens, among_codes: bool = False) -> Decoder:
    """Of any causal language model of transformers whose layers are plain attention with positions of their own.

    `among_codes`: probabilities are over the codes of the level alone, not over all words.
    Raises `ValueError` for a model that cannot decode so, or whose vocabulary ends before the codes do.
    """
    return _Causal(model, id_tokens, among_codes)


def encoder_decoder(model: nn.Module, id_tokens: CodeTokens, among_codes: bool = False) -> Decoder:
    """Of `T5ForConditionalGeneration`: the encoder and the keys of its output once a request. Else as `causal_decoder`."""
    return _EncoderDecoder(model, id_tokens, among_codes)


class _Causal:
    among_allowed = False

    def __init__(self, model: Any, id_tokens: CodeTokens, among_codes: bool) -> None:
        _require_model(model, id_tokens)
        if kinds := set(getattr(model.config, "layer_types", None) or []) - {"full_attention", "sliding_attention"}:
            raise ValueError(f"layers of {sorted(kinds)} keep one state a beam: this decoder is for attention alone")
        if getattr(model.config, "alibi", False):
            raise ValueError("the model takes positions from its mask (ALiBi): choose one with position ids")
        self.model, self.id_tokens, self.among_codes = model, id_tokens, among_codes

    def begin(self, prompt: Prompt) -> tuple[State, Tensor]:
        _require_eval(self.model)
        seen_QT = prompt.mask_QT.bool()
        self._require_window(seen_QT.shape[1])
        length = seen_QT.shape[1]
        triangle_TT = torch.ones(length, length, dtype=torch.bool, device=seen_QT.device).tril()
        itself_TT = torch.eye(length, dtype=torch.bool, device=seen_QT.device)  # padding looks at itself: no empty rows
        seen_QTT = (triangle_TT & seen_QT[:, None]) | itself_TT
        position_QT = (seen_QT.long().cumsum(1) - 1).clamp(min=0)
        cache = DynamicCache()
        logits_Q1V = self._logits(prompt.token_QT, seen_QTT, position_QT, cache, logits_to_keep=1)
        state = State(cache, seen_QT[:, None], position_QT[:, -1:] + 1)
        return state, log_prob_of(logits_Q1V[:, -1], self.id_tokens, 0, self.among_codes)

    def extend(self, state: State, parent_QB: Tensor, code_QB: Tensor, depth: int) -> tuple[State, Tensor]:
        token_QB = code_QB + self.id_tokens.first_of(depth - 1)
        seen_QBN = _grown(state.seen_QBN, parent_QB)
        logits_QBV = self._logits(token_QB, seen_QBN, state.next_Q1.expand_as(token_QB), state.cache)
        log_prob_QBK = log_prob_of(logits_QBV, self.id_tokens, depth, self.among_codes)
        return State(state.cache, seen_QBN, state.next_Q1 + 1), log_prob_QBK

    def _logits(self, token_QB: Tensor, seen_QBN: Tensor, position_QB: Tensor, cache: Cache, **more: int) -> Tensor:
        mask_Q1BN = _additive(seen_QBN[:, None], self.model)
        found = self.model(
            input_ids=token_QB,
            attention_mask=mask_Q1BN,
            position_ids=position_QB,
            past_key_values=cache,
            use_cache=True,
            **more,
        )
        return found.logits

    def _require_window(self, length: int) -> None:
        window = getattr(self.model.config, "sliding_window", None)
        kinds = getattr(self.model.config, "layer_types", None) or ["sliding_attention"]
        if window and "sliding_attention" in kinds and length + self.id_tokens.num_levels > window:
            raise ValueError(f"a prompt of {length} tokens is longer than the model's window of {window}: shorten it")


class _EncoderDecoder:
    among_allowed = False

    def __init__(self, model: Any, id_tokens: CodeTokens, among_codes: bool) -> None:
        _require_model(model, id_tokens)
        if not (getattr(model.config, "is_encoder_decoder", False) and hasattr(model.decoder, "block")):
            raise ValueError(f"{type(model).__name__} is no T5: this decoder knows no other encoder-decoder")
        self.model, self.id_tokens, self.among_codes = model, id_tokens, among_codes

    def begin(self, prompt: Prompt) -> tuple[State, Tensor]:
        _require_eval(self.model)
        source_mask = _additive(prompt.mask_QT.bool()[:, None, None], self.model)
        source_QTD = self.model.encoder(input_ids=prompt.token_QT, attention_mask=source_mask).last_hidden_state
        token_Q1 = torch.full_like(prompt.token_QT[:, :1], self.model.config.decoder_start_token_id)
        seen_Q11 = torch.ones_like(token_Q1, dtype=torch.bool)[..., None]
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        state = State(cache, seen_Q11, token_Q1, (1,), source_QTD, source_mask)
        return state, self._log_prob(state, token_Q1, 0)[:, 0]

    def extend(self, state: State, parent_QB: Tensor, code_QB: Tensor, depth: int) -> tuple[State, Tensor]:
        seen_QBN, widths = _grown(state.seen_QBN, parent_QB), (*state.widths, code_QB.shape[1])
        state = state._replace(seen_QBN=seen_QBN, widths=widths)
        return state, self._log_prob(state, code_QB + self.id_tokens.first_of(depth - 1), depth)

    def _log_prob(self, state: State, token_QB: Tensor, depth: int) -> Tensor:
        """`T5Stack.forward` with the beams where it has positions: they stand side by side, all at position `depth`."""
        stack = self.model.decoder
        mask_QHBN = self._bias(state.widths) + _additive(state.seen_QBN[:, None], self.model)
        hidden_QBD = stack.embed_tokens(token_QB)
        for block in stack.block:
            hidden_QBD, *_ = block(
                hidden_QBD,
                None,
                mask_QHBN,
                state.source_QTD,
                None,
                state.source_mask,
                past_key_values=state.cache,
                is_causal=False,
            )
        hidden_QBD = stack.final_layer_norm(hidden_QBD)
        if self.model.config.scale_decoder_outputs:
            hidden_QBD = hidden_QBD * self.model.config.d_model**-0.5
        return log_prob_of(self.model.lm_head(hidden_QBD), self.id_tokens, depth, self.among_codes)

    def _bias(self, widths: tuple[int, ...]) -> Tensor:
        """T5's relative bias [1, H, 1, N] of the newest position to the position of every key."""
        attention = self.model.decoder.block[0].layer[0].SelfAttention
        bias_1H1P = attention.compute_bias(1, len(widths), past_seen_tokens=len(widths) - 1)
        of_position = zip(bias_1H1P.split(1, dim=-1), widths, strict=True)
        return torch.cat([one.expand(-1, -1, -1, width) for one, width in of_position], dim=-1)


def log_prob_of(logits_V: Tensor, id_tokens: CodeTokens, level: int, among_codes: bool = False) -> Tensor:
    """log_prob_K of a level's codes [..., K] from the scores of all words, in float32."""
    logits_V = logits_V.float()
    first = id_tokens.first_of(level)
    logit_K = logits_V[..., first : first + id_tokens.sizes[level]]
    return logit_K - (logit_K if among_codes else logits_V).logsumexp(-1, keepdim=True)


def _grown(seen_QBN: Tensor, parent_QB: Tensor) -> Tensor:
    """What the children see: what their parents saw, and of the newest keys each its own."""
    kept_QBN = seen_QBN.gather(1, parent_QB[..., None].expand(-1, -1, seen_QBN.shape[-1]))
    own_BB = torch.eye(parent_QB.shape[1], dtype=torch.bool, device=parent_QB.device)
    return torch.cat([kept_QBN, own_BB.expand(len(parent_QB), -1, -1)], dim=-1)


def _additive(seen: Tensor, model: Any) -> Tensor:
    """0 where a key is seen, else the least number there is: every row sees a key, so none becomes infinity alone."""
    dtype = model.get_input_embeddings().weight.dtype
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)


def _require_model(model: Any, id_tokens: CodeTokens) -> None:
    how = getattr(model.config, "_attn_implementation", "eager")
    if how not in ATTENTION:
        raise ValueError(f"attention is {how!r}, which takes no mask: load the model with attn_implementation='sdpa'")
    num_words = model.get_output_embeddings().weight.shape[0]
    if id_tokens.first < 0 or id_tokens.stop > num_words:
        raise ValueError(
            f"the codes are words {id_tokens.first} to {id_tokens.stop - 1}, the model has {num_words}: it was not made for "
            "them (resize its embeddings when the codes are added to the tokenizer)"
        )


def _require_eval(model: nn.Module) -> None:
    if model.training:
        raise ValueError("the model is in training mode, so that dropout would decide: call model.eval() first")
