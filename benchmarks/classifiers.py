"""Measure classifiers of images and the perplexity of texts on the CPU, in one thread: in batches as filter
runs them, against one at a time. Random weights of the size of ViT-B/16 and of GPT-2 (they do not affect
speed), so nothing is downloaded.

    python benchmarks/classifiers.py [--images 32] [--texts 32] [--rounds 3]

Rounds alternate, and the best of each is reported, in CPU seconds. Images are decoded JPEGs of 1024 x 768.
Texts have 20 to 300 tokens, as the paragraphs and short pages that filter scores.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from leafinstruct import _torchvision
from leafinstruct.errors import RecipeError
from leafinstruct.filter.config import ClassifierConfig, Dtype, FilterConfig, PerplexityConfig
from leafinstruct.filter.embedders.devices import check_dtype
from leafinstruct.filter.predictors.classifier import ImageClassifier
from leafinstruct.filter.predictors.perplexity import Perplexity
from leafinstruct.filter.predictors.predictor import predictors_of

LETTERS = 50_000
"""Size of the vocabulary, like GPT-2's."""


def vision_transformer(folder: Path) -> Path:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    ViTForImageClassification(ViTConfig()).save_pretrained(folder)
    ViTImageProcessor().save_pretrained(folder)
    return folder


def language_model(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    GPT2LMHeadModel(GPT2Config(vocab_size=LETTERS, bos_token_id=1, eos_token_id=1)).save_pretrained(folder)
    vocabulary = {"<unk>": 0, "<s>": 1} | {f"w{at}": at for at in range(2, LETTERS)}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)
    return folder


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (1024, 768))
    return image.convert("RGB")


def photographs(count: int) -> list[bytes]:
    """JPEGs of smooth noise."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        small = Image.fromarray(random.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        kept = io.BytesIO()
        small.resize((1024, 768), Image.Resampling.BICUBIC).save(kept, "JPEG")
        found.append(kept.getvalue())
    return found


def classifying(folder: Path, images: Sequence[bytes], dtype: Dtype, size: int) -> Callable[[], object]:
    section = ClassifierConfig(
        name="b", model=str(folder), label="LABEL_1", device="cpu", dtype=dtype, batch_size=size
    )
    (found,) = predictors_of(FilterConfig(classifiers=(section,)))
    model = ImageClassifier(found.checkpoint)
    return lambda: model.images(images, opened)


def predicting(folder: Path, texts: Sequence[list[str]], dtype: Dtype, size: int) -> Callable[[], object]:
    section = PerplexityConfig(model=str(folder), device="cpu", dtype=dtype, batch_size=size)
    (found,) = predictors_of(FilterConfig(perplexity=section))
    model = Perplexity(found.checkpoint)
    return lambda: model.documents(texts)


def report(what: str, count: int, ways: dict[str, Callable[[], Any]], rounds: int) -> None:
    """Print the rate of each way, and the ratio to the first."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, run in ways.items():
            started = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - started)
    first = next(iter(best.values()))
    for name, seconds in best.items():
        print(
            f"{what}, {name}: {count / seconds:.2f}/CPU-s, {1000 * seconds / count:.0f} CPU-ms each, "
            f"{first / seconds:.2f} times"
        )
    print(f"load average {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--texts", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    _torchvision.mend()
    lower: list[Dtype] = []
    try:
        check_dtype("bfloat16", "cpu")
        lower = ["bfloat16"]
    except RecipeError as error:
        print(error)
    random = np.random.default_rng(1)
    texts = [
        [" ".join(f"w{word}" for word in random.integers(2, LETTERS, int(length)))]
        for length in random.integers(20, 300, arguments.texts)
    ]
    with tempfile.TemporaryDirectory() as name:
        classifier, decoder = vision_transformer(Path(name) / "vit"), language_model(Path(name) / "gpt")
        images = photographs(arguments.images)
        ways = {"float32, one at a time": classifying(classifier, images, "float32", 1)}
        for dtype in ("float32", *lower):
            ways[f"{dtype}, batches of 32"] = classifying(classifier, images, dtype, 32)
        report("images", len(images), ways, arguments.rounds)
        ways = {"float32, one at a time": predicting(decoder, texts, "float32", 1)}
        for dtype in ("float32", *lower):
            ways[f"{dtype}, batches of 8"] = predicting(decoder, texts, dtype, 8)
        report("texts", len(texts), ways, arguments.rounds)


if __name__ == "__main__":
    main()
