"""Check in a few minutes, without data, whether a backbone's weights work here.

We never ran the published weights. With this check their first user finds out cheaply, and can report what is
wrong.

    keys        every weight of the model is in the files, and no other
    text        control strings in a text are encoded as letters
    images      a test image is encoded and decoded, PSNR in dB
    identity    a new adapter changes no logit
    leak        with a random adapter, a later patch changes no earlier logit
    overfit     twenty steps on one row of text and image lower the loss

Cost: the model's weights, and a forward and backward pass over one image twenty times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor, nn

from leafinstruct.backbones.backbone import Backbone, Item
from leafinstruct.backbones.load import load
from leafinstruct.errors import BackboneError
from leafinstruct.moss import MossConfig, MossModel

PSNR = 15.0
"""dB from which an image of few colors is recognizable; a good tokenizer reaches 25 and more. Emu2's encoder
keeps the content rather than each pixel's position, so its result only has to be nearer than the mean
color."""
STEPS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. ok: whether it passed; detail: the measured figures."""

    check: str
    ok: bool
    detail: str


def examine(name: str, weights: Path, decoder: Path | None = None, device: str = "cpu") -> Iterator[Finding]:
    """Yield the findings. Arguments: see backbones.load. Raises BackboneError when there is nothing to
    examine."""
    backbone, odd = load(name, weights, decoder, device)
    count = sum(value.numel() for value in backbone.model.parameters())
    yield Finding(
        "keys",
        not odd,
        f"{count:,} parameters"
        + (f"; {len(odd)} keys differ, first {odd[0]}" if odd else ", all keys match"),
    )
    checks: tuple[tuple[str, Callable[[], tuple[bool, str]]], ...] = (
        ("text", lambda: _text(backbone)),
        ("images", lambda: _images(backbone, exact=name != "emu2")),
    )
    for check, look in checks:
        try:
            yield Finding(check, *look())
        except BackboneError as error:
            yield Finding(check, False, str(error))
    items = backbone.encode(["draw a red square", drawing(), "done"])
    inputs = backbone.inputs(items)
    plain = _logits(backbone.model, inputs)
    adapted = _adapted(backbone.model, "identity")
    worst = float((_logits(adapted, inputs) - plain).abs().max())
    yield Finding("identity", worst == 0.0, f"largest change of a logit {worst:.2g}")
    backbone.model = adapted
    yield Finding("overfit", *_overfit(backbone, inputs))
    backbone.model = adapted.unload()
    yield Finding("leak", *_leak(backbone, items))


def drawing(side: int = 512) -> Image.Image:
    """Return the test image: a red square, a blue disc and a ramp on white."""
    ramp = np.linspace(90, 255, side, dtype=np.uint8)[None].repeat(side, 0)
    image = Image.fromarray(np.stack([np.full_like(ramp, 255), ramp, ramp], axis=-1))
    pen = ImageDraw.Draw(image)
    pen.rectangle((side // 8, side // 8, side // 2, side // 2), fill=(200, 30, 30))
    pen.ellipse((side // 2, side // 2, side * 7 // 8, side * 7 // 8), fill=(40, 60, 190))
    return image


def _text(backbone: Backbone) -> tuple[bool, str]:
    text = "a </s> <eoss> <image> <|image start|> <|image token|> b"
    ids = backbone.encode([text])[1:]
    layout = backbone.image_layout(None)
    controls = sorted({layout.begin, backbone.end, *layout.closed} & set(ids))
    return (
        not controls,
        f"{len(ids)} ids, control ids {controls}"
        if controls
        else f"{len(ids)} ids, none of them a control id",
    )


def _images(backbone: Backbone, exact: bool) -> tuple[bool, str]:
    image = drawing()
    items = backbone.encode([image])[1:]
    back = backbone.decode_image(items[1:], 1.0, torch.Generator().manual_seed(0))
    wanted = np.asarray(image.resize(back.size, Image.Resampling.LANCZOS), np.float64)
    found, floor = _psnr(wanted, np.asarray(back, np.float64)), _psnr(wanted, wanted.mean((0, 1)))
    bound = max(PSNR, floor) if exact else floor
    return (
        found >= bound,
        (
            f"{found:.1f} dB at {back.width} x {back.height}, {len(items)} items; needs {bound:.1f}, "
            "the mean "
            f"color gives {floor:.1f}"
        ),
    )


def _psnr(wanted: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Return the PSNR in dB, for pixels up to 255."""
    error = float(np.square(wanted - found).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def _adapted(model: nn.Module, init: Literal["identity", "random"]) -> MossModel:
    torch.manual_seed(0)
    adapted: MossModel = MossModel(model, MossConfig(init=init), "default").to(model.device).eval()
    return adapted


def _logits(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**inputs, use_cache=False).logits.float()
    return found


def _leak(backbone: Backbone, items: list[Item]) -> tuple[bool, str]:
    """Check that another last patch changes no earlier logit."""
    model = _adapted(backbone.model, "random")
    codes = backbone.image_layout(None).codes.tolist()
    place = max(n for n, item in enumerate(items) if isinstance(item, Tensor) or item in codes)
    other = list(items)
    other[place] = (
        items[place] + 1.0
        if isinstance(items[place], Tensor)
        else codes[0]
        if items[place] != codes[0]
        else codes[1]
    )
    change = (_logits(model, backbone.inputs(other)) - _logits(model, backbone.inputs(items))).abs()[0]
    before, after = float(change[:place].max()), float(change[place:].max())
    model.unload()
    return before <= 1e-3 * after, f"largest change before the patch {before:.2g}, from it on {after:.2g}"


def _overfit(backbone: Backbone, inputs: Mapping[str, Tensor]) -> tuple[bool, str]:
    weights = [value for value in backbone.model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    history = []
    for _ in range(STEPS):
        losses = backbone.losses(inputs, inputs["input_ids"])
        means = [(losses.value * which).sum() / which.sum() for which in (losses.text, losses.image)]
        history.append([float(mean.detach()) for mean in means])
        sum(means).backward()
        optimizer.step()
        optimizer.zero_grad()
    (text, image), (last_text, last_image) = history[0], history[-1]
    count = sum(value.numel() for value in weights)
    detail = (
        f"text loss {text:.3f} -> {last_text:.3f}, image loss {image:.3f} -> {last_image:.3f} in {STEPS} "
        f"steps, {count:,} trainable parameters"
    )
    return last_text + last_image < text + image, detail
