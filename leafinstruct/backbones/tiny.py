"""`leaf:tiny-1`: a Chameleon of two million parameters, included in the wheel, that knows only the images and
texts of Sketchbook.

A backbone without a download. The model is a small version of transformers' Chameleon, so adapters, packing,
caches and checkpoints are the same as with the large one. Images are 64 px, 8 x 8 patches (patch_vq); text is
a byte-level BPE, which covers every text. Training: `scripts/train_tiny_generalist.py`; abilities and limits:
`tiny-1/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import ChameleonConfig, PreTrainedTokenizerFast

from leafinstruct.backbones.chameleon import BEGIN, END, Chameleon, Interleaved
from leafinstruct.backbones.patch_vq import PATCH, PatchVq

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAME = "leaf:tiny-1"
FOLDER = Path(__file__).with_name("tiny-1")
SIDE = 8
"""Patches along a side of an image."""
WORDS = 1024
"""Number of ids of text and special tokens; the ids of codes follow."""
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", BEGIN, END)


def text_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Train the tokenizer of texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    words.decoder = decoders.ByteLevel()
    words.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=WORDS,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return words


def decoder(codes: int) -> Interleaved:
    """Return the model with random weights."""
    names = {name: number for number, name in enumerate(SPECIAL_TOKENS)}
    letters = str.maketrans("0123456789", "ABCDEFGHIJ")
    names |= {f"IMGIMG{str(code).translate(letters)}Z": WORDS + code for code in range(codes)}
    side = {
        "resolution": SIDE * PATCH,
        "channel_multiplier": [1, 1, 1, 1],
        "base_channels": 32,
        "num_res_blocks": 1,
        "attn_resolutions": [],
    }
    config = ChameleonConfig(
        vocab_size=WORDS + codes,
        hidden_size=160,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        vocabulary_map=names,
        vq_config={**side, "num_embeddings": 2, "embed_dim": 4, "latent_channels": 32},
    )
    model = Interleaved(config)
    model.model.vqmodel = None  # images become codes by patch_vq
    return model


def wrapped(model: Interleaved, words: Path, images: PatchVq) -> Chameleon:
    """Return the backbone. words: the tokenizer's file."""
    begin, pad, end, *others = SPECIAL_TOKENS
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(words),
        bos_token=begin,
        pad_token=pad,
        eos_token=end,
        additional_special_tokens=others,
    )
    return Chameleon(model, tokenizer, images)


def load(device: str = "cpu", dtype: torch.dtype | str = "auto") -> Chameleon:
    """Return the packaged backbone in evaluation mode. dtype: "auto" is float32, because half precision saves
    nothing at this size."""
    from safetensors.torch import load_file

    weights = load_file(FOLDER / "model.safetensors")
    book = weights.pop("book")
    model = decoder(len(book))
    model.load_state_dict(weights, strict=False)  # the head is the embedding
    model.tie_weights()
    return wrapped(
        model.to(device, torch.float32 if dtype == "auto" else dtype).eval(),
        FOLDER / "words.json",
        PatchVq(book, SIDE),
    )
