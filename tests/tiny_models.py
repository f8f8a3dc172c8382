"""Tiny models with random weights: they say nothing sensible, and each says something else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

BASE = "tiny-base"
END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_ROLES = [END, "<|system|>", "<|user|>", "<|assistant|>"]


def tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer trained on ``texts``, with a chat template."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=_ROLES,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learned.train_from_iterator(texts, trainer)
    fast: Any = PreTrainedTokenizerFast  # transformers leaves it untyped
    wrapped: PreTrainedTokenizerFast = fast(tokenizer_object=learned, eos_token=END, pad_token=END)
    wrapped.chat_template = TEMPLATE
    return wrapped


def write_base(folder: Path, *, seed: int = 0, context: int = 512) -> Path:
    """A base model with random weights, wide enough that its choices are clear."""
    words = tokenizer([__doc__ or "", json.dumps(_ROLES)], 300)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=0.3,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def write_adapter(
    folder: Path, base: Path, *, seed: int, rank: int = 4, options: Mapping[str, Any] | None = None
) -> Path:
    """An adapter with random weights for every linear layer of ``base`` but its head."""
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(base))
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            prefix = f"base_model.model.{name}"
            a = torch.randn((rank, module.in_features), generator=generator)
            b = torch.randn((module.out_features, rank), generator=generator)
            weights[f"{prefix}.lora_A.weight"] = a * 0.3
            weights[f"{prefix}.lora_B.weight"] = b * 0.3
    folder.mkdir(parents=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.name,
        "r": rank,
        "lora_alpha": 2 * rank,
        "target_modules": sorted({name.split(".")[-3] for name in weights}),
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config | dict(options or {})))
    return folder
