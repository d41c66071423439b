"""CLIP on the CPU: pictures a second, batched over documents as filter/alignment does, against one picture at a time as filters that work
sample by sample do. One run, one thread, a model of ViT-B/32's size with random weights (speed does not depend on them), so nothing is fetched.

    python benchmarks/alignment.py --pictures 64
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

from leafinstruct.filter.alignment import Clip, Weights, load_clip


def checkpoint(folder: Path) -> Path:
    """A state dict of ViT-B/32's shape: 224 px, patches of 32, width 768 x 12 layers, text width 512 x 12."""
    load_clip()
    from clip.model import CLIP

    torch.manual_seed(0)
    model = CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12)
    path = folder / "random-vit-b-32.pt"
    torch.save(model.state_dict(), path)
    return path


def seconds(model: Clip, pictures: list[Image.Image]) -> float:
    """CPU seconds for one pass, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        model.pictures(pictures)
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    count = parser.parse_args().pictures
    torch.set_num_threads(1)
    pictures = [Image.effect_noise((640, 480), 20 + number).convert("RGB") for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        weights = Weights("random-vit-b-32", str(checkpoint(Path(folder))), None)
        rates = {size: count / seconds(Clip(weights, size), pictures) for size in (1, 16, 32)}
    for size, rate in rates.items():
        print(f"batch {size:>2}: {rate:5.1f} pictures/CPU-s, {rate / rates[1]:.2f} of one at a time")


if __name__ == "__main__":
    main()
