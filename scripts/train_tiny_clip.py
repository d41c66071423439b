"""Train `leaf:tiny-clip-1`, the small CLIP of Sketchbook, and pack it for the wheel.

    python scripts/train_tiny_clip.py --seed 1 --steps 1000

A pair is an image and one of its texts (its step, the step under a heading, its caption, for the last image
the title). Images are rendered at 128 px and prepared by CLIP's own preprocessing, as in the filter. A batch
has one image from each of many documents, so every negative is from another document. Introductions and
closing lines are near images but describe none, so they are negatives, too.

The loss is a sum of two. The contrastive one (Radford et al. 2021, arXiv 2103.00020) ranks the texts of one
image. The pairwise sigmoid one (Zhai et al. 2023, arXiv 2303.15343) teaches a single cosine above which an
image matches a text, which a rule with a threshold needs.

The vocabulary is closed, so training embeds only tokens that occur, and the checkpoint has zeros for the
others: a table of 49,408 rows compresses to almost nothing, and the filter can count words unknown to the
model. Documents have separate seeds (`DATA_SEED`, `CHECK_SEED`), which no corpus, threshold or test uses. The
same arguments give the same weights on the same machine; another processor or number of threads adds floats
in another order.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import lzma
import math
import random
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from leafinstruct.filter.embedders.clip import load_clip
from leafinstruct.sketchbook import tiny_clip
from leafinstruct.sketchbook.documents.blocks import Block, DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.page import Page, page
from leafinstruct.sketchbook.documents.plan import Settings, chunks, draft
from leafinstruct.sketchbook.documents.wording import sentence
from leafinstruct.sketchbook.world.render import render

clip = load_clip()

DATA_SEED, CHECK_SEED = 20_260_101, 20_260_202

SIDE = 64
"""Input side in px; with patches of 8 px every patch is one cell of a scene."""

CONTEXT = 40
"""Maximum number of tokens; the longest text of an image has 39."""

IMAGE_PX = 128

VOCABULARY = 49_408
"""Rows of CLIP's token table."""

WEIGHTS = (3, 1, 2, 0.5)
"""Sampling weights of an image's texts: step, step without its cue, caption, title."""


@dataclass(frozen=True)
class Pairs:
    """Training data: n images of some documents, with token numbers of Tokens."""

    pixels: Tensor
    """(n, 64, 64, 3) uint8."""
    texts: Tensor
    """(n, 4, 40), the texts of each image in the order of WEIGHTS."""
    unrelated: Tensor
    """(documents, 2, 40), introduction and closing line, which describe no image."""
    document: NDArray[np.int64]
    """(n,), document of each image, ascending."""


class Tokens:
    """CLIP's tokenizer with a dense numbering of the tokens that occur. Their order is kept, so that the end
    token has the largest number."""

    def __init__(self, texts: list[str]) -> None:
        self._rows = dict(zip(texts, clip.tokenize(texts, context_length=CONTEXT), strict=True))
        self.used = torch.unique(torch.cat([torch.zeros(1, dtype=torch.int32), *self._rows.values()]))

    def __call__(self, text: str) -> Tensor:
        """Return the numbers of a text's tokens, (40,). Raises ValueError for a token that does not occur in
        training."""
        row = self._rows[text] if text in self._rows else clip.tokenize([text], context_length=CONTEXT)[0]
        numbers = torch.searchsorted(self.used, row).clamp_(max=len(self.used) - 1)
        if not torch.equal(self.used[numbers], row):
            raise ValueError(f"not in the vocabulary: {text!r}")
        return numbers


_RESIZE: Any = clip.clip._transform(SIDE).transforms[0]
_MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(1, 3, 1, 1)
_STD = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(1, 3, 1, 1)


def squeeze(image: Image.Image) -> NDArray[np.uint8]:
    """Apply CLIP's preprocessing to a square image, before the conversion to floats: (64, 64, 3)."""
    return np.asarray(_RESIZE(image))


def floats(pixels: Tensor) -> Tensor:
    """(B, 64, 64, 3) uint8 -> (B, 3, 64, 64), normalized as CLIP does."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - _MEAN) / _STD


def training_pairs(documents: int) -> tuple[Pairs, Tokens]:
    settings = Settings(DATA_SEED, documents, IMAGE_PX)
    pixels, wordings, unrelated, owner = [], [], [], []
    for index in range(documents):
        howto = draft(settings, index)
        unrelated.append((howto.intro, howto.outro))
        for step in howto.steps:
            pixels.append(squeeze(render(step.scene, IMAGE_PX)))
            last = step is howto.steps[-1]
            wordings.append(
                (step.text, sentence(step.body), sentence(step.caption), howto.title if last else step.text)
            )
            owner.append(index)
    tokens = Tokens(sorted({text for group in (*wordings, *unrelated) for text in group}))
    return Pairs(
        torch.from_numpy(np.stack(pixels)),
        _rows(tokens, wordings),
        _rows(tokens, unrelated),
        np.asarray(owner),
    ), tokens


def _rows(tokens: Tokens, groups: list[Any]) -> Tensor:
    return torch.stack([torch.stack([tokens(text) for text in group]) for group in groups])


def fresh_model(tokens: Tokens) -> Any:
    """Return CLIP's own class with 1.5 M parameters: a vision transformer over 8 x 8 patches and a text
    transformer."""
    return clip.model.CLIP(
        embed_dim=128,
        image_resolution=SIDE,
        vision_layers=4,
        vision_width=128,
        vision_patch_size=8,
        context_length=CONTEXT,
        vocab_size=len(tokens.used),
        transformer_width=128,
        transformer_heads=2,
        transformer_layers=3,
    )


def train(
    model: Any, pairs: Pairs, tokens: Tokens, steps: int, batch: int, rate: float, rng: random.Random
) -> None:
    """Train with AdamW, a warmup and a cosine schedule. Prints the mean loss every 100 steps and the check
    every 500."""
    scale, bias = nn.Parameter(torch.tensor(math.log(10.0))), nn.Parameter(torch.tensor(-5.0))
    optimizer = torch.optim.AdamW(
        [*model.parameters(), scale, bias], lr=rate, weight_decay=0.05, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.08)
    images_of = np.split(np.arange(len(pairs.document)), np.flatnonzero(np.diff(pairs.document)) + 1)
    start, mean = time.perf_counter(), 0.0
    for step in range(1, steps + 1):
        cosine, known = cosines(model, pairs, images_of, batch, rng)
        loss = contrastive(cosine * model.logit_scale.exp(), known) + pairwise(
            cosine * scale.exp() + bias, known
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        model.logit_scale.data.clamp_(max=math.log(100.0))
        mean += loss.item()
        if step % 100 == 0:
            print(f"step {step}: loss {mean / 100:.3f}, {time.perf_counter() - start:.0f} s", flush=True)
            mean = 0.0
        if step % 500 == 0:
            check(model, tokens, 200)


def cosines(
    model: Any, pairs: Pairs, images_of: list[NDArray[np.int64]], batch: int, rng: random.Random
) -> tuple[Tensor, Tensor]:
    """Return the cosines of a batch's images with their texts and with F unrelated texts, (B, B + F), and the
    mask of pairs with a known label.

    A document's own introduction is neither right nor wrong for its image, so the label is unknown.
    """
    documents = rng.sample(range(len(images_of)), batch)
    chosen = torch.tensor([int(rng.choice(images_of[document])) for document in documents])
    wording = torch.tensor(rng.choices(range(len(WEIGHTS)), WEIGHTS, k=batch))
    others = rng.sample(documents, batch // 4)
    unrelated = pairs.unrelated[torch.tensor(others), torch.tensor(rng.choices((0, 1), k=len(others)))]
    with torch.autocast("cpu", torch.bfloat16):  # twice as fast on processors that have it
        images = model.encode_image(floats(pairs.pixels[chosen]))
        texts = model.encode_text(torch.cat([pairs.texts[chosen, wording], unrelated]))
    known = torch.tensor(documents)[:, None] != torch.tensor(others)
    cosine = functional.normalize(images.float(), dim=-1) @ functional.normalize(texts.float(), dim=-1).T
    return cosine, torch.cat([torch.ones(batch, batch, dtype=torch.bool), known], dim=1)


def contrastive(logits: Tensor, known: Tensor) -> Tensor:
    """Return the mean cross-entropy of image -> text and text -> image. logits: (B, B + F)."""
    labels = torch.arange(len(logits))
    by_image = functional.cross_entropy(logits.masked_fill(~known, -1e4), labels)
    return (by_image + functional.cross_entropy(logits[:, : len(logits)].T, labels)) / 2


def pairwise(logits: Tensor, known: Tensor) -> Tensor:
    """Return the mean over images of the summed binary losses of their pairs. logits: (B, B + F)."""
    signs = 2 * torch.eye(*logits.shape) - 1
    return -(functional.logsigmoid(signs * logits) * known).sum() / len(logits)


def check(model: Any, tokens: Tokens, documents: int) -> None:
    """Print the AUC, and the share of misaligned documents below a threshold that costs 2% of the others."""
    model.eval()
    settings = Settings(CHECK_SEED, documents, IMAGE_PX, (("misaligned", 0.3),))
    images: list[float] = []
    worst: list[float] = []
    wrong: list[float] = []
    for document in [
        page(settings, index, chunk.format)
        for chunk in chunks(settings)
        for index in range(chunk.start, chunk.stop)
    ]:
        with torch.inference_mode():
            values = own(model, tokens, document)
        if document.defect_image is None:
            images += values
            worst.append(min(values))
        else:
            wrong.append(values[document.defect_image])
    auc = float((np.asarray(images)[:, None] > np.asarray(wrong)[None]).mean())
    threshold = float(np.quantile(worst, 0.02))
    caught = float((np.asarray(wrong) < threshold).mean())
    print(
        (
            f"AUC {auc:.4f}; a minimum of {threshold:.3f} drops 2% of {len(worst)} clean documents and "
            f"{caught:.1%} of {len(wrong)} misaligned ones"
        ),
        flush=True,
    )
    model.train()


def own(model: Any, tokens: Tokens, document: Page) -> list[float]:
    """Return `alignment.beside` of each image of the page, as the filter computes it."""
    blocks = document.blocks
    places = [place for place, block in enumerate(blocks) if isinstance(block, DrawnImage)]
    opened = [squeeze(Image.open(io.BytesIO(image.data)).convert("RGB")) for image in document.images]
    images = functional.normalize(model.encode_image(floats(torch.from_numpy(np.stack(opened)))), dim=-1)
    texts = [own_texts(blocks, place) for place in places]
    rows = torch.stack([tokens(text) for group in texts for text in group])
    embedded = functional.normalize(model.encode_text(rows), dim=-1).split([len(group) for group in texts])
    return [float((text @ image).max()) for text, image in zip(embedded, images, strict=True)]


def own_texts(blocks: tuple[Block, ...], place: int) -> list[str]:
    """Return the texts with which the filter compares an image: the nearest one before it, and its caption or
    else the nearest one after it."""
    image = blocks[place]
    before = [block.text for block in blocks[:place] if isinstance(block, Paragraph) and not block.heading]
    after = [
        block.text for block in blocks[place + 1 :] if isinstance(block, Paragraph) and not block.heading
    ]
    caption = image.caption if isinstance(image, DrawnImage) else ""
    return [*before[-1:], *([caption] if caption else after[:1])]


def pack(model: Any, tokens: Tokens) -> None:
    """Write the checkpoint beside its module, in half precision and xz, and print the value of
    `tiny_clip.SHA256`."""
    state = {name: value.detach().half() for name, value in model.state_dict().items()}
    table = torch.zeros(VOCABULARY, state["token_embedding.weight"].shape[1], dtype=torch.half)
    table[tokens.used.long()] = state["token_embedding.weight"]
    state["token_embedding.weight"] = table
    buffer = io.BytesIO()
    torch.save(state, buffer)
    packed = lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    tiny_clip.PACKED.write_bytes(packed)
    print(
        f"{tiny_clip.PACKED.name}: {len(packed):,} bytes; SHA256 = "
        f"{hashlib.sha256(buffer.getvalue()).hexdigest()!r}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and pack leaf:tiny-clip-1.")
    parser.add_argument(
        "--seed", type=int, default=1, help="Seed of weights and batches; documents have separate seeds."
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--documents", type=int, default=9_000)
    parser.add_argument("--batch", type=int, default=128, help="Images per batch, one per document.")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="Highest learning rate.")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    pairs, tokens = training_pairs(arguments.documents)
    print(
        f"{len(pairs.pixels)} images, {len(tokens.used)} tokens, {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    model = fresh_model(tokens)
    train(
        model, pairs, tokens, arguments.steps, arguments.batch, arguments.rate, random.Random(arguments.seed)
    )
    check(model, tokens, 1000)
    pack(model, tokens)
    print(f"{(time.perf_counter() - start) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main()
