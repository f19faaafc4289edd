"""Language models of a few thousand parameters, saved as anyone's would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

TEXT = [
    "Recommend the next note to this user. Answer with its ID.",
    "The user is female, aged 25-34.",
    "<unknown>",
]


def tiny_language_model(folder: Path, tied: bool = True, padded_to: int = 0, seed: int = 1) -> Path:
    """A Llama of two layers with a byte-level tokenizer; its vocabulary may be padded beyond its words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(TEXT, trainer)
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="</s>")
    torch.manual_seed(seed)
    sizes = LlamaConfig(
        vocab_size=padded_to or len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        eos_token_id=0,
        bos_token_id=None,
    )
    LlamaForCausalLM(sizes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
