"""A whole constrained search with its model, beside one without a trie, and beside `generate` with a Python trie.

    python -m benchmarks.decode [--rows 1000000] [--batch 64] [--beams 20] [--rounds 7] [--peer-rounds 2]

Seconds are of the processor, not of the clock, so that neighbours on a shared machine do not count.
Two models with random weights: T5 of TIGER's size (arXiv 2305.05065, section 4) and a causal model of about as many
parameters; histories of 20 IDs of 4 x 256 codes, drawn. What a search costs does not depend on what the weights are.

1. With and without the trie: one decoder, one code path, rounds that alternate; ratio of medians, and the quartiles of the
   rounds' own ratios. What the choice of the beams takes is told apart, by searches with the decoder's answers known.
2. The peer is `generate(num_beams=..., prefix_allowed_tokens_fn=...)` over nested dictionaries, as LC-Rec and GENRE call it;
   its own processor is put in by hand, as `generate` would, so that the seconds spent in it can be told apart.
3. Both find the same IDs; and with a beam as wide as a small catalogue, what a forward pass over every ID finds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PrefixConstrainedLogitsProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from benchmarks import report
from benchmarks.trie import catalogue, python_trie
from models.ids.trie import Trie
from models.ids.trie_build import build
from models.ids.trie_torch import DeviceTrie, on_device
from models.recommend.decoding import (
    Beams,
    Decoder,
    Prompt,
    beam_search,
    causal_decoder,
    encoder_decoder,
    free_beam_search,
)
from models.recommend.id_tokens import IdTokens
from models.recommend.mixing import ItemScores, Mix, leaf_ranges

SIZES, HISTORY, START = (256,) * 4, 20, 0
ID_TOKENS = IdTokens(3, SIZES)
SMALL, SHARES, CALLS = 300, 100, 10
FREE_BAR, PEER_BAR, CLOSE = 1.05, 20.0, 1e-3


def timed(do: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and what it took."""
    started = time.process_time()
    found = do()
    return found, time.process_time() - started


class Remembering:
    """A decoder that answers a second search from memory: what that one takes is the choice of the beams alone."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder, self.id_tokens, self.known = decoder, decoder.id_tokens, {}

    def begin(self, prompt: Prompt) -> tuple[Any, Tensor]:
        if 0 not in self.known:
            self.known[0] = self.decoder.begin(prompt)
        return self.known[0]

    def extend(self, state: Any, parent_QB: Tensor, code_QB: Tensor, depth: int) -> tuple[Any, Tensor]:
        if depth not in self.known:
            self.known[depth] = self.decoder.extend(state, parent_QB, code_QB, depth)
        return self.known[depth]


class WatchedProcessor(PrefixConstrainedLogitsProcessor):
    """The peer's processor, and the seconds spent in it."""

    seconds = 0.0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        found, seconds = timed(lambda: super(WatchedProcessor, self).__call__(input_ids, scores))
        self.seconds += seconds
        return found


def models() -> dict[str, Any]:
    """One of each family, at random."""
    torch.manual_seed(7)
    words = {"vocab_size": ID_TOKENS.stop, "pad_token_id": START, "bos_token_id": None, "eos_token_id": None}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 32}
    t5 = T5Config(**words, d_model=128, d_kv=64, num_heads=6, d_ff=1024, num_layers=4, decoder_start_token_id=START)
    causal = Qwen3Config(
        **words, **heads, hidden_size=128, intermediate_size=1024, num_hidden_layers=9, tie_word_embeddings=True
    )
    return {"t5": T5ForConditionalGeneration(t5).eval(), "causal": Qwen3ForCausalLM(causal).eval()}


def decoder_of(model: Any) -> Decoder:
    return (encoder_decoder if model.config.is_encoder_decoder else causal_decoder)(model, ID_TOKENS)


def drawn_prompt(ids_SL: np.ndarray, batch: int) -> Prompt:
    """Histories of notes of the catalogue, all full: padding would only make the peer slower."""
    drawn = ids_SL[np.random.default_rng(9).integers(0, len(ids_SL), batch * HISTORY)]
    token_QT = torch.tensor(ID_TOKENS.tokens(drawn)).view(batch, -1)
    return Prompt(token_QT, torch.ones_like(token_QT))


def drawn_mix(trie: DeviceTrie, batch: int) -> Mix:
    place_QM = torch.randint(len(trie.note_indptr_S1) - 1, (batch, SHARES), generator=torch.Generator().manual_seed(4))
    return Mix(ItemScores(place_QM, torch.full((batch, SHARES), 1 / SHARES)), leaf_ranges(trie))


def ours(model: Any, trie: DeviceTrie, prompt: Prompt, beams: int, rounds: int) -> tuple[dict[str, Any], Beams]:
    """Alternating rounds of the search without a trie, with it, and with a second opinion mixed in."""
    mix = drawn_mix(trie, len(prompt.token_QT))
    searches = {
        "free": lambda decoder: free_beam_search(decoder, prompt, beams),
        "trie": lambda decoder: beam_search(decoder, prompt, trie, beams),
        "mixed": lambda decoder: beam_search(decoder, prompt, trie, beams, mix=mix),
    }
    decoder, remembering = decoder_of(model), Remembering(decoder_of(model))
    constrained = searches["trie"](remembering)
    whole, choice = np.zeros((rounds, 3)), np.zeros((rounds, 3))
    for number in range(-1, rounds):  # the first is to warm up
        for at, search in enumerate(searches.values()):
            whole_s = timed(lambda do=search: do(decoder))[1]
            calls_s = timed(lambda do=search: [do(remembering) for _ in range(CALLS)])[1]
            whole[max(number, 0), at], choice[max(number, 0), at] = whole_s, calls_s / CALLS
    (free_s, trie_s, mixed_s), ratio = np.median(whole, axis=0), whole[:, 1] / whole[:, 0]
    low, high = np.quantile(ratio, [0.25, 0.75])
    free_ms, trie_ms, mixed_ms = 1e3 * np.median(choice, axis=0)
    return {
        **{"free s": free_s, "trie s": trie_s, "ratio": trie_s / free_s, "low": low, "high": high},
        **{"mixed/free": mixed_s / free_s, "free choice ms": free_ms, "trie choice ms": trie_ms},
        **{"mixed choice ms": mixed_ms, "constraint ms": trie_ms - free_ms},
    }, constrained


def peer(model: Any, root: dict[int, Any], prompt: Prompt, beams: int, rounds: int) -> tuple[dict[str, float], Any]:
    """Median seconds of `generate`, of them in its processor, and what it found: code_QBL and score_QB."""
    asked = 1 if model.config.is_encoder_decoder else prompt.token_QT.shape[1]

    def allowed(_: int, sequence: Tensor) -> list[int]:
        node = root
        for token in sequence.tolist()[asked:]:
            node = node[token]
        return list(node)

    how = GenerationConfig(
        num_beams=beams, num_return_sequences=beams, do_sample=False, max_new_tokens=len(SIZES), length_penalty=0.0,
        pad_token_id=START, decoder_start_token_id=START, return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    seconds = []
    for number in range(-1, rounds):
        part = Prompt(*(tensor[:2] for tensor in prompt)) if number < 0 else prompt  # the first is to warm up
        processor = WatchedProcessor(allowed, beams)
        told = {"input_ids": part.token_QT, "attention_mask": part.mask_QT, "generation_config": how}
        found, spent = timed(lambda t=told, p=processor: model.generate(**t, logits_processor=LogitsProcessorList([p])))
        if number >= 0:
            seconds.append((spent, processor.seconds))
    whole_s, processor_s = np.median(seconds, axis=0)
    first_L = torch.tensor([ID_TOKENS.first_of(level) for level in range(len(SIZES))])
    code_QBL = found.sequences[:, asked:].view(-1, beams, len(SIZES)) - first_L
    return {"peer s": whole_s, "peer constraint ms": 1e3 * processor_s}, (code_QBL, found.sequences_scores.view(-1, beams))


def as_brute_force(model: Any, ids_SL: np.ndarray) -> float:
    """The greatest difference of a score to a whole forward pass over every ID; infinity where a note was not found."""
    small = build(ids_SL, np.zeros(len(ids_SL), dtype=int), SIZES).trie
    prompt = drawn_prompt(ids_SL, 1)
    found = beam_search(decoder_of(model), prompt, on_device(small), len(ids_SL))
    answer = torch.tensor(ID_TOKENS.tokens(small.ids()))
    asked = prompt.token_QT.expand(len(answer), -1)
    with torch.no_grad():
        if model.config.is_encoder_decoder:
            before = torch.cat([torch.full_like(answer[:, :1], START), answer[:, :-1]], dim=1)
            logits = model(input_ids=asked, decoder_input_ids=before).logits
        else:
            logits = model(input_ids=torch.cat([asked, answer], dim=1)).logits[:, asked.shape[1] - 1 : -1]
    score_S = logits.log_softmax(-1).gather(-1, answer[..., None]).sum((1, 2))
    is_whole = sorted(found.state_QB[0].tolist()) == list(range(len(answer)))
    return float((score_S[found.state_QB[0]] - found.score_QB[0]).abs().max()) if is_whole else float("inf")


def family_row(name: str, model: Any, trie: Trie, root: dict[int, Any], args: argparse.Namespace) -> dict[str, Any]:
    """All figures of one family."""
    ids_SL, there = trie.ids(), on_device(trie)
    prompt = drawn_prompt(ids_SL, args.batch)
    row, beams = ours(model, there, prompt, args.beams, args.rounds)
    theirs, (code_QBL, score_QB) = peer(model, root, prompt, args.beams, args.peer_rounds)
    return {
        "model": name,
        "M parameters": sum(weight.numel() for weight in model.parameters()) / 1e6,
        **row,
        **theirs,
        "whole ratio": theirs["peer s"] / row["trie s"],
        "constraint ratio": theirs["peer constraint ms"] / row["constraint ms"],
        "same IDs": float((code_QBL == beams.code_QBL).all(-1).float().mean()),
        "score difference": float((score_QB - beams.score_QB).abs().max()),
        "to brute force": as_brute_force(model, ids_SL[:: len(ids_SL) // SMALL][:SMALL]),
    }


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("decode", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--beams", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peer-rounds", type=int, default=2)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    trie = build(*catalogue(args.rows, len(SIZES), SIZES[0]), SIZES).trie
    root = python_trie(ID_TOKENS.tokens(trie.ids()))
    rows = [family_row(name, model, trie, root, args) for name, model in models().items()]
    report.write(
        "decode",
        rows,
        bars={bar: held for row in rows for bar, held in bars_of(row).items()},
        command=f"python -m benchmarks.decode {' '.join(argv)}".rstrip(),
        packages=["numpy", "torch", "transformers"],
        settings=vars(args),
    )


def bars_of(row: dict[str, Any]) -> dict[str, bool]:
    """The promises, of one family."""
    name, ratio, own, whole = row["model"], row["ratio"], row["constraint ratio"], row["whole ratio"]
    spread = f"{row['low']:.3f} to {row['high']:.3f}"
    return {
        f"{name}: at most {FREE_BAR - 1:.0%} slower with the trie (ratio {ratio:.3f}, rounds {spread})": ratio <= FREE_BAR,
        f"{name}: the constraint adds less than 1/{PEER_BAR:.0f} of what the peer's does (1/{own:.0f})": own >= PEER_BAR,
        f"{name}: a whole search at least {PEER_BAR:.0f} times as fast as the peer's (ratio {whole:.1f})": whole >= PEER_BAR,
        f"{name}: the peer finds the same IDs": row["same IDs"] > 0.999 and row["score difference"] < CLOSE,
        f"{name}: on {SMALL} notes, scores of a pass over every ID": row["to brute force"] < CLOSE,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
