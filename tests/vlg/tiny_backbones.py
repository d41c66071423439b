"""Tiny random backbones with a tokenizer of whole words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from moss.tiny import CODES, EOL, chameleon, emu3
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from leafinstruct.vlg.chameleon import Chameleon, Interleaved
from leafinstruct.vlg.emu3 import Emu3
from leafinstruct.vlg.vqgan import Decoder

WORDS = ["draw", "a", "red", "house", "now", "the", "door", "then", "it", "is", "done", "*", *"0123456789", "<", ">", "eoss", "s", "/"]
EMU3_MARKS = {"<|image start|>": 121, "<|image token|>": 122, "<|extra_200|>": EOL, "<|extra_201|>": 123, "<|image end|>": 124}


def tokenizer(marks: dict[str, int]) -> Any:
    """Words at 130 and on; marks are special."""
    names = {"<unk>": 3, "<s>": 0, "</s>": 2, "<pad>": 1, **marks, **{word: 130 + number for number, word in enumerate(WORDS)}}
    inner = Tokenizer(models.WordLevel(names, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(marks),
    )


def interleaved() -> Any:
    plain = chameleon()
    model = Interleaved(plain.config).eval()
    model.load_state_dict(plain.state_dict())
    return model


def tiny_chameleon(model: Any = None) -> Chameleon:
    model = model if model is not None else interleaved()
    torch.manual_seed(2)
    return Chameleon(model, tokenizer({"<racm3:break>": 197, "<eoss>": 196, "<image>": 190}), Decoder(vq()).eval())


def tiny_emu3(model: Any = None) -> Emu3:
    return Emu3(model if model is not None else emu3(), tokenizer(EMU3_MARKS), grid=(3, 2))


def vq() -> Any:
    return chameleon().config.vq_config


def checkpoint(folder: Path, suffix: str = ".ckpt") -> Path:
    """A VQGAN as published: tensors below state_dict, the encoder's and the discriminator's among them."""
    torch.manual_seed(2)
    weights = {**Decoder(vq()).state_dict(), "encoder.conv_in.weight": torch.zeros(2), "loss.discriminator.x": torch.zeros(1)}
    path = folder / f"vqgan{suffix}"
    if suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "epoch": 3}, path)
    return path


__all__ = ["CODES", "checkpoint", "interleaved", "tiny_chameleon", "tiny_emu3", "tokenizer", "vq"]
