"""A small Qwen2-VL processor without weights: characters as tokens, and the control tokens that its template
writes. For what reads exports."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2VLImageProcessor, Qwen2VLProcessor

CONTROL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
PAD = "<|image_pad|>"


def tokenizer() -> Any:
    """Bytes as tokens; control tokens in a text are obeyed, as trainers let them be."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=CONTROL,
    )


def processor() -> Any:
    from transformers import Qwen2VLVideoProcessor

    return Qwen2VLProcessor(Qwen2VLImageProcessor(), tokenizer(), Qwen2VLVideoProcessor())


def understood(tokenizer: Any, tokens: list[int], labels: list[int], pad: int, grids: Any) -> dict[str, Any]:
    """What became of a row. pad: the token of an image's patch."""
    return {
        "text": tokenizer.decode(tokens),
        "learnt": tokenizer.decode([token for token in labels if token >= 0 and token != pad]),
        "patches": tokens.count(pad),
        "patches_learnt": labels.count(pad),
        "grids": [] if grids is None else grids.tolist(),
    }
