"""The network: an Idefics3 (the architecture that SmolVLM grew out of), small enough to train on two cores.

64 by 64 pixels become 8 x 8 patches, two encoder layers, then 16 vectors of the language model's width by pixel
shuffle (Idefics3, arXiv 2408.12637, section 2.2); the language model is a Llama with tied embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import (
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from demo.teacher.tokenizer import IMAGE
from models.tags.initial import start_copying, start_seeing

PIXELS, PATCH, SHUFFLE = 64, 8, 2
NUM_IMAGE_TOKENS = (PIXELS // PATCH // SHUFFLE) ** 2
# As short as a chat can be: every message ends with the same token.
CHAT_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] in ('image', 'image_url') %}<image>{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


@dataclass(frozen=True)
class Size:
    """How large the network is; the defaults train in about ten minutes on two cores."""

    width: int = 128
    inner: int = 384
    layers: int = 4
    heads: int = 4
    vision_width: int = 64
    vision_inner: int = 192
    vision_layers: int = 2


def make_processor(tokenizer: PreTrainedTokenizerFast) -> Idefics3Processor:
    """Pictures to 64 by 64 pixels without splitting, and the chat template."""
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": PIXELS}, max_image_size={"longest_edge": PIXELS}, do_image_splitting=False
    )
    return Idefics3Processor(
        image_processor=pictures,
        tokenizer=tokenizer,
        image_seq_len=NUM_IMAGE_TOKENS,
        chat_template=CHAT_TEMPLATE,
    )


def make_network(
    tokenizer: PreTrainedTokenizerFast, size: Size, seed: int
) -> Idefics3ForConditionalGeneration:
    """An untrained network for a tokenizer."""
    ids = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    text = {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "hidden_size": size.width,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        **ids,
    }
    vision = {
        "hidden_size": size.vision_width,
        "intermediate_size": size.vision_inner,
        "num_hidden_layers": size.vision_layers,
        "num_attention_heads": 4,
        "image_size": PIXELS,
        "patch_size": PATCH,
    }
    torch.manual_seed(seed)
    network = Idefics3ForConditionalGeneration(
        Idefics3Config(
            text_config=text,
            vision_config=vision,
            image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
            scale_factor=SHUFFLE,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    start_seeing(network.model.vision_model, network.model.connector)
    start_copying(network.model.text_model)
    # For heads this small the plain products are faster on a processor than the fused kernel, above all in bfloat16.
    network.set_attn_implementation("eager")
    network.generation_config = GenerationConfig(do_sample=False, max_new_tokens=512, **ids)
    return network
