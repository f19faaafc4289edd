"""Small real models of `transformers`, made on the spot with random weights, saved as a user's own would be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WORDS = ["note data answer tag tent stove light dry camping color red picture values dimension evidence users care about"]
PICTURE_CHAT = (
    "{% for m in messages %}{{ m.role }}: {% for c in m.content %}{% if c.type == 'image' %}<image>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
TEXT_CHAT = "{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}assistant:"
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}


def _tokenizer(
    texts: Sequence[str] = WORDS, size: int = 400, signs: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>", "<image>", *signs]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", bos_token="<s>"
    )


def plain_tokenizer(signs: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of few words in which a family's signs are one token each."""
    return _tokenizer(signs=signs)


def tiny_llava(
    folder: Path,
    *,
    seed: int = 0,
    window: int = 2048,
    sizes: Mapping[str, int] = SIZES,
    texts: Sequence[str] = WORDS,
    num_words: int = 400,
    stop: Sequence[int] = (2,),
) -> Path:
    """A LLaVA (a CLIP before a Llama) that answers with noise; `window` is how many tokens it takes."""
    tokenizer = _tokenizer(texts, num_words)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            **vision,
            "image_size": 28,
            "patch_size": 14,
            "projection_dim": 16,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            **sizes,
            **ids,
            "max_position_embeddings": window,
        },
        image_token_index=3,
        vision_feature_select_strategy="default",
        vision_feature_layer=-1,
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(config)
    widened(model)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = list(stop), 0
    model.save_pretrained(folder)
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=PICTURE_CHAT,
    )
    processor.save_pretrained(folder)
    return folder


def tiny_llama(folder: Path, *, seed: int = 0) -> Path:
    """A Llama that reads text only."""
    tokenizer = _tokenizer()
    tokenizer.chat_template = TEXT_CHAT
    torch.manual_seed(seed)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SIZES, **ids))
    widened(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def reciting_llama(folder: Path, parts: Sequence[str], best: float, second: float) -> Path:
    """A Llama that says `parts`, unlike each other and each one token, to every prompt, by weights written by hand.

    At each step its scores are `best` for the token that it says, `second` for `<pad>`, and 0 for all others.
    """
    tokenizer = _tokenizer()
    tokenizer.chat_template = TEXT_CHAT
    tokenizer.add_tokens(list(parts))
    said = [tokenizer("assistant:")["input_ids"][-1], *tokenizer.convert_tokens_to_ids(list(parts)), 2]
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    sizes = {**SIZES, "max_position_embeddings": 4096}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes, **ids))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(float("norm" in name))  # attention and MLP add nothing: a token depends on the one before it
        for at, (before, token) in enumerate(itertools.pairwise(said)):
            model.model.embed_tokens.weight[before, at] = 1.0  # which the norm makes the root of the width
            model.lm_head.weight[token, at] = best / SIZES["hidden_size"] ** 0.5
            model.lm_head.weight[0, at] = second / SIZES["hidden_size"] ** 0.5
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def widened(model: torch.nn.Module) -> None:
    """Larger weights, so that the likeliest token is clearly so and replies differ."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "vision" not in name and "visual" not in name:
                weight.mul_(8.0)
