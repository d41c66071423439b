"""Train `leaf:tiny-1`, the small vision-language generalist of Sketchbook, and pack it for the wheel.

    python scripts/train_tiny_generalist.py tokenizer WORK     the codebook and the text tokenizer: two
                                                               minutes
    python scripts/train_tiny_generalist.py base WORK          the decoder: about an hour on two cores; a
                                                               killed run continues
    python scripts/train_tiny_generalist.py pack WORK          writes leafinstruct/backbones/tiny-1/

The decoder is Chameleon's, with 1.9 M parameters. Rows use the prompt template of `leaf train`
(train.data.encode). There are four tasks:

    draw    a caption -> one image                tell    one image -> its caption
    again   an image -> the same image            plan    a question for a lesson in words only -> its texts,
                                                          without images

So it can generate the image of a caption, copy an image, and write a lesson. But it has never seen an image
that follows from a different earlier image and a text: an adapter has to learn this. Copies are at various
distances, as in lessons; with a single distance, a model would learn the distance. Lessons have a separate
seed (DATA_SEED) and never a held-out combination.

The embeddings of codes are initialized as a random projection of their patches, so that similar patches begin
similar. Chosen: Muon over AdamW, and small batches: after 230 s on one core the loss of patches was 2.1 with
AdamW and batches of 32, 1.5 with Muon, 0.96 with Muon and batches of 16. The Trainer is not used, because it
needs the backbone. The same arguments give the same weights on the same machine and number of threads.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from leafinstruct.backbones.patch_vq import COLOR, PATCH, PatchVq, features, patches
from leafinstruct.backbones.tiny import FOLDER, SIDE, WORDS, decoder, text_tokenizer, wrapped
from leafinstruct.evaluate.sketchbook.guide_asks import guide_asks
from leafinstruct.sketchbook.documents.captions import captioned
from leafinstruct.sketchbook.documents.lessons import MOST_STEPS, is_kept_back, lesson
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.render import render

DATA_SEED, CHECK_SEED = 20_261_101, 20_261_102
CODES = 3072
STYLES = ("pencil", "pencil", "chalk")
"""Styles of the images for the codebook; the decoder is trained on pencil only."""
BOOK_IMAGES, BOOK_ROUNDS = 9_000, 40
STEPS, WARMUP = 8_000, 50
RATE, MUON_RATE = 2.5e-3, 0.01
"""Learning rates of AdamW (embeddings, norms) and of Muon (all other matrices). Muon at 0.02 is as good."""
ROWS = {"draw": (16, 6), "tell": (16, 2), "again": (8, 3), "plan": (8, 3)}
"""Rows of a batch, and sampling weight, of each task."""
POOL = 24_000
"""Number of images for the decoder, rendered once."""
SAVE_EVERY = 100


def rendered(
    count: int, seed: int, styles: tuple[Any, ...] = ("pencil",)
) -> Iterator[tuple[Image.Image, str]]:
    """Yield images of 64 px and their captions."""
    for index in range(count):
        scene, caption = captioned(stream(seed, "caption", index))
        yield render(scene, SIDE * PATCH, styles[index % len(styles)]), caption


def plans(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield questions for lessons, and their texts."""
    index = 0
    while count:
        rng = stream(seed, "plan", index)
        index += 1
        howto = lesson(rng, rng.randint(3, MOST_STEPS))
        if not is_kept_back(howto):
            count -= 1
            yield (
                rng.choice(guide_asks(howto.title)),
                "\n".join([howto.intro, *(step.text for step in howto.steps), howto.outro]),
            )


def find_book(work: Path) -> None:
    """Find the codebook by k-means (Lloyd) over the distinct patches, weighted by the root of their
    frequency."""
    images = [image for image, _ in rendered(BOOK_IMAGES, DATA_SEED, STYLES)]
    many, counts = np.unique(patches(images).reshape(-1, 3 * PATCH * PATCH), axis=0, return_counts=True)
    pixels, weights = torch.from_numpy(many), torch.from_numpy(counts).float() ** 0.5
    points = features(pixels)
    generator = torch.Generator().manual_seed(1)
    centres = points[torch.multinomial(weights, CODES, generator=generator)].clone()
    for number in range(BOOK_ROUNDS):
        norms = centres.square().sum(1)
        mine = torch.cat([(norms - 2 * part @ centres.T).argmin(1) for part in points.split(4096)])
        sums = torch.zeros_like(centres).index_add_(0, mine, points * weights[:, None])
        total = torch.zeros(CODES).index_add_(0, mine, weights)
        errors = (points - centres[mine]).square().sum(1) * weights
        centres = torch.where(total[:, None] > 0, sums / total.clamp(min=1e-6)[:, None], centres)
        empty = (total == 0).nonzero().flatten()
        centres[empty] = points[errors.topk(len(empty)).indices]
        print(
            (
                f"book {number + 1}/{BOOK_ROUNDS}: {len(points):,} patches, error {errors.sum():.1f}, "
                f"{len(empty)} empty"
            ),
            flush=True,
        )
    book = (centres[:, : 3 * PATCH * PATCH] * 255).round().clamp(0, 255).to(torch.uint8)
    torch.save(book, work / "book.pt")
    for style in ("pencil", "chalk"):
        shown = [image for image, _ in rendered(400, CHECK_SEED, (style,))]
        found = PatchVq(book, SIDE)
        back = [found.image(torch.tensor(found.encode(image)).view(SIDE, SIDE)) for image in shown]
        apart = np.stack(
            [np.asarray(one, float) - np.asarray(two, float) for one, two in zip(shown, back, strict=True)]
        )
        print(
            f"{style}: {10 * math.log10(255**2 / np.square(apart).mean()):.2f} dB on 400 other images "
            f"(weight of color {COLOR})"
        )


def find_words(work: Path) -> None:
    """Train a byte-level BPE in which each word of Sketchbook is one token."""
    texts = [captioned(stream(DATA_SEED, "caption", index))[1] for index in range(20_000)]
    texts += [text for pair in plans(20_000, DATA_SEED) for text in pair]
    text_tokenizer(texts).save(str(work / "words.json"))


class Data:
    """Batches by number; the same number gives the same batch. Images are rendered and encoded once, and
    stored."""

    def __init__(self, work: Path) -> None:
        book = torch.load(work / "book.pt", weights_only=True)
        self.images = PatchVq(book, SIDE)
        kept = work / f"pool-{self.images.identity[:8]}-{POOL}.npz"
        if not kept.exists():
            found = list(rendered(POOL, DATA_SEED + 1))
            codes = [
                self.images.nearest(
                    torch.from_numpy(patches([image for image, _ in found[at : at + 100]]).reshape(-1, 192))
                ).view(100, -1)
                for at in range(0, POOL, 100)
            ]
            np.savez(
                kept,
                codes=torch.cat(codes).numpy().astype(np.int16),
                captions=np.array([caption for _, caption in found]),
            )
        with np.load(kept) as pool:
            self.codes, self.captions = (
                pool["codes"].astype(np.int64),
                [str(caption) for caption in pool["captions"]],
            )
        self.plans = list(plans(POOL, DATA_SEED + 2))
        self.net = wrapped(decoder(CODES), work / "words.json", self.images)
        self.image_layout = self.net.image_layout(None)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return ids and labels, (B, T)."""
        rng = random.Random(f"batch/{number}")
        kind = rng.choices(list(ROWS), [share for _, share in ROWS.values()])[0]
        rows = [self.row(kind, rng) for _ in range(ROWS[kind][0])]
        length = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), length), 1)
        labels = torch.full((len(rows), length), -100)
        for at, (one, asked) in enumerate(rows):
            ids[at, : len(one)] = torch.tensor(one)
            labels[at, asked : len(one)] = ids[at, asked : len(one)]
        return ids, labels

    def row(self, kind: str, rng: random.Random) -> tuple[list[int], int]:
        """Return ids, and the length of the prompt."""
        at = rng.randrange(POOL)

        def words(text: str) -> list[int]:
            return [int(item) for item in self.net.encode([text])[1:]]

        image = [self.image_layout.begin, *(self.codes[at] + WORDS).tolist(), self.image_layout.steps[-1]]
        match kind:
            case "draw":
                asked, answer = (
                    words("USER:" + rng.choice(("Draw ", "Show me ", "")) + self.captions[at] + "ASSISTANT:"),
                    image,
                )
            case "tell":
                asked, answer = (
                    [*words("USER:"), *image, *words("What does the picture show?ASSISTANT:")],
                    words(self.captions[at]),
                )
            case "again":
                between = rng.choice(("", f"It shows {self.captions[at]} ")) + "Draw it again.ASSISTANT:"
                asked, answer = [*words("USER:"), *image, *words(between)], image
                if rng.random() < 0.5:
                    answer = [
                        *image,
                        *words(rng.choice(("Once more:", f"Again, {self.captions[at]}"))),
                        *image,
                    ]
            case _:
                ask, text = self.plans[at]
                asked, answer = words(f"USER:In words only: {ask}ASSISTANT:"), words(text)
        return [0, *asked, *answer, self.net.end], len(asked) + 1


class Muon(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not typed here
    """Momentum with orthogonalized updates of matrices (Jordan et al. 2024), scaled to the size of AdamW's
    (Liu et al. 2025, section 2.2).

    torch.optim.Muon computes in bfloat16, which takes ten times as long on a CPU without bfloat16
    instructions: 2.1 s per step, not 0.2.
    """

    def __init__(self, matrices: list[Tensor]) -> None:
        super().__init__(matrices, {"lr": MUON_RATE})

    def step(self) -> None:  # the closure is not supported
        """Update all matrices."""
        for group in self.param_groups:
            for value in group["params"]:
                momentum = self.state[value].setdefault("momentum", torch.zeros_like(value))
                momentum.mul_(0.95).add_(value.grad)
                with torch.no_grad():
                    update = _orthogonal(value.grad + 0.95 * momentum)
                    value.mul_(1 - 0.05 * group["lr"]).add_(
                        update, alpha=-0.2 * max(value.shape) ** 0.5 * group["lr"]
                    )


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return about U V of the matrix's U S V: five Newton-Schulz steps with Jordan's coefficients, which give
    singular values in [0.7, 1.2]."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(5):
        square = wide @ wide.T
        wide = 3.4445 * wide + (-4.7750 * square + 2.0315 * square @ square) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


def train(work: Path, threads: int) -> None:
    """Train and write `work/base.pt`; continue from `work/state.pt` if it exists."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    data = Data(work)
    model = data.net.model
    model.train()
    start = features(data.images.book)
    projected = (start - start.mean(0)) @ torch.randn(start.shape[1], model.config.hidden_size)
    with torch.no_grad():
        model.get_input_embeddings().weight[WORDS:] = projected / projected.std() * 0.02
    matrices = [value for name, value in model.named_parameters() if value.ndim == 2 and ".layers." in name]
    others = [value for value in model.parameters() if not any(value is one for one in matrices)]
    optimizers = (Muon(matrices), torch.optim.AdamW(others, RATE, (0.9, 0.98), weight_decay=0.01))
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, _rate) for optimizer in optimizers]
    first, state = 0, work / "state.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        for one, found in zip((model, *optimizers, *schedules), saved["states"], strict=True):
            one.load_state_dict(found)
        first = saved["step"]
    started, tokens = time.monotonic(), 0
    means: dict[str, list[float]] = {"text": [], "image": []}
    for step in range(first, STEPS):
        batch, labels = data.batch(step)
        hidden = model.model(input_ids=batch).last_hidden_state[:, :-1]
        asked = labels[:, 1:] != -100
        wanted = labels[:, 1:][asked]
        losses = cross_entropy(
            model.lm_head(hidden[asked]), wanted, reduction="none"
        )  # only at labels, because the head is a third of the work
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in (*optimizers, *schedules):
            one.step()
        model.zero_grad()
        tokens += batch.numel()
        for name, which in (("text", wanted < WORDS), ("image", wanted >= WORDS)):
            means[name] += [float(losses.detach()[which].mean())] if bool(which.any()) else []
        if (step + 1) % 50 == 0:
            line = ", ".join(f"{name} {sum(found) / max(1, len(found)):.3f}" for name, found in means.items())
            print(
                f"step {step + 1}/{STEPS}: {line}, {tokens / (time.monotonic() - started):,.0f} tokens/s",
                flush=True,
            )
            means = {name: [] for name in means}
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == STEPS:
            saved = {
                "states": [one.state_dict() for one in (model, *optimizers, *schedules)],
                "step": step + 1,
            }
            torch.save(saved, work / "state.new")
            (work / "state.new").replace(state)
    torch.save(model.state_dict(), work / "base.pt")


def pack(work: Path) -> None:
    """Write the packaged files. The weights are stored in half precision, which is enough."""
    weights = {
        name: value.half()
        for name, value in torch.load(work / "base.pt", weights_only=True).items()
        if name != "lm_head.weight"
    }
    FOLDER.mkdir(exist_ok=True)
    save_file(
        {**weights, "book": torch.load(work / "book.pt", weights_only=True)}, FOLDER / "model.safetensors"
    )
    shutil.copyfile(work / "words.json", FOLDER / "words.json")
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(
        f"{sum(value.numel() for value in weights.values()):,} parameters, {size / 1e6:.1f} MB in "
        f"{FOLDER.name}"
    )


def _rate(step: int) -> float:
    return min(1.0, (step + 1) / WARMUP) * (
        0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / STEPS)))
    )


def main() -> None:
    """Run one stage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=("tokenizer", "base", "pack"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "tokenizer":
        find_words(arguments.work)
        find_book(arguments.work)
    elif arguments.stage == "base":
        train(arguments.work, arguments.threads)
    else:
        pack(arguments.work)


if __name__ == "__main__":
    main()
