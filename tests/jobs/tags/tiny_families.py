"""Small real models of families whose processors want torchvision, saved as folders without one."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from tests.jobs.tags.tiny_models import SIZES, plain_tokenizer, widened

QWEN_SIGNS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
SMOL_SIGNS = ["<fake_token_around_image>", "<global-img>"]
SMOL_SIGNS += [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
CHAT = (
    "{{% for m in messages %}}{{{{ m.role }}}}: {{% for c in m.content %}}{{% if c.type == 'image' %}}{picture}"
    "{{% else %}}{{{{ c.text }}}}{{% endif %}}{{% endfor %}} {{% endfor %}}assistant:"
)
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def tiny_qwen(folder: Path, family: str) -> Path:
    """A model of the family qwen2_vl, qwen2_5_vl or qwen3_vl; a placeholder stands for 28 pixels by 28 (qwen3: 32)."""
    tokenizer = plain_tokenizer(QWEN_SIGNS)
    tokenizer.chat_template = CHAT.format(picture="<|vision_start|><|image_pad|><|vision_end|>")
    named = dict(zip(QWEN_SIGNS, tokenizer.convert_tokens_to_ids(QWEN_SIGNS), strict=True))
    names = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    signs = dict(zip(names, named.values(), strict=True))
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]}
    text = {
        "vocab_size": len(tokenizer),
        **SIZES,
        **IDS,
        "rope_parameters": rope,
        "tie_word_embeddings": False,
    }
    patch = 16 if family == "qwen3_vl" else 14
    vision = {"depth": 2, "num_heads": 2, "patch_size": patch, "in_channels": 3}
    torch.manual_seed(0)
    if family == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
        model = Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(vision_config=vision, text_config=text, **signs)
        )
    elif family == "qwen2_5_vl":
        vision |= {
            "hidden_size": 16,
            "out_hidden_size": 32,
            "intermediate_size": 32,
            "fullatt_block_indexes": [1],
        }
        model = Qwen2_5_VLForConditionalGeneration(
            Qwen2_5_VLConfig(vision_config=vision, text_config=text, **signs)
        )
    else:
        vision |= {
            "hidden_size": 16,
            "out_hidden_size": 32,
            "intermediate_size": 32,
            "deepstack_visual_indexes": [0],
        }
        vision |= {"num_position_embeddings": 16}
        text |= {"head_dim": 8}
        text["rope_parameters"] = {**rope, "mrope_interleaved": True}
        model = Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(vision_config=vision, text_config=text, **signs)
        )
    _save(model, folder)
    tokenizer.save_pretrained(folder)
    sizes = {"shortest_edge": (2 * patch) ** 2, "longest_edge": (12 * patch) ** 2}
    Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size=sizes).save_pretrained(folder)
    return folder


def tiny_smolvlm(folder: Path) -> Path:
    """A SmolVLM that cuts pictures into tiles of 28 pixels by 28, four placeholders each."""
    tokenizer = plain_tokenizer(SMOL_SIGNS)
    tokenizer.chat_template = CHAT.format(picture="<image>")
    text = {"model_type": "llama", "vocab_size": len(tokenizer), **SIZES, **IDS}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision |= {"image_size": 28, "patch_size": 7}
    torch.manual_seed(0)
    config = SmolVLMConfig(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=3,
        tie_word_embeddings=False,
        **IDS,
    )
    _save(SmolVLMForConditionalGeneration(config), folder)
    tokenizer.save_pretrained(folder)
    SmolVLMImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28}).save_pretrained(
        folder
    )
    (folder / "processor_config.json").write_text(
        json.dumps({"image_seq_len": 4, "processor_class": "SmolVLMProcessor"})
    )
    return folder


def _save(model: torch.nn.Module, folder: Path) -> None:
    widened(model)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 0
    model.save_pretrained(folder)
