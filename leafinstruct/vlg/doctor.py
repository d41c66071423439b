"""Does a backbone work here? A few minutes and no data: what loads, whether pictures come back, whether the adapter is what its laws say.

The published weights were never run by us, so this is how their first user finds out cheaply, and what to send when something is wrong.

    keys        every weight of the model is in the files, and none is left over
    text        control strings in a text are letters
    pictures    a drawn test picture as codes and back, PSNR in dB
    identity    a new adapter changes no logit
    leak        with a random adapter, a later patch changes no earlier logit
    overfit     twenty steps on one row of text and picture lower the loss

Cost: the model's weights, and a forward and backward pass over one picture twenty times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from leafinstruct.errors import BackboneError
from leafinstruct.moss import MossConfig, MossModel
from leafinstruct.vlg.chameleon import Chameleon, Interleaved
from leafinstruct.vlg.emu3 import Emu3
from leafinstruct.vlg.vqgan import Decoder

BACKBONES = ("chameleon", "emu3")
PSNR = 15.0
"""dB from which a drawing of few colours is recognised; a good tokenizer gives 25 and more."""
STEPS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it holds, and the figures behind that."""

    check: str
    ok: bool
    said: str


def examine(name: str, weights: Path, vqgan: Path | None = None, device: str = "cpu") -> Iterator[Finding]:
    """The findings, one by one. vqgan: Chameleon's picture decoder. Raises BackboneError where there is nothing to examine."""
    if name not in BACKBONES:
        raise BackboneError(f"{name}: no such backbone; known are {', '.join(BACKBONES)}")
    if name == "chameleon" and vqgan is None:
        raise BackboneError("Chameleon's pictures need its decoder: give the published file with --vqgan .../vqgan.ckpt")
    backbone, info = _loaded(name, weights, vqgan, device)
    odd = [f"{kind} {key}" for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in sorted(map(str, info[kind]))]
    count = sum(value.numel() for value in backbone.model.parameters())
    yield Finding("keys", not odd, f"{count:,} parameters" + (f"; {len(odd)} keys differ, first {odd[0]}" if odd else ", all keys match"))
    checks: tuple[tuple[str, Callable[[Any], tuple[bool, str]]], ...] = (("text", _text), ("pictures", _pictures))
    for check, look in checks:
        try:
            yield Finding(check, *look(backbone))
        except BackboneError as error:
            yield Finding(check, False, str(error))
    ids = torch.tensor([backbone.encode(["draw a red square", drawing(), "done"])], device=device)
    plain = _logits(backbone.model, ids)
    adapted = _adapted(backbone.model, "identity")
    worst = float((_logits(adapted, ids) - plain).abs().max())
    yield Finding("identity", worst == 0.0, f"largest change of a logit {worst:.2g}")
    yield Finding("overfit", *_overfit(adapted, ids))
    adapted.unload()
    yield Finding("leak", *_leak(_adapted(backbone.model, "random"), ids, backbone))


def drawing(side: int = 512) -> Image.Image:
    """A red square, a blue disc and a ramp on white."""
    ramp = np.linspace(90, 255, side, dtype=np.uint8)[None].repeat(side, 0)
    picture = Image.fromarray(np.stack([np.full_like(ramp, 255), ramp, ramp], axis=-1))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((side // 8, side // 8, side // 2, side // 2), fill=(200, 30, 30))
    pen.ellipse((side // 2, side // 2, side * 7 // 8, side * 7 // 8), fill=(40, 60, 190))
    return picture


def _loaded(name: str, weights: Path, vqgan: Path | None, device: str) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoTokenizer, Emu3ForConditionalGeneration

    kind = Interleaved if name == "chameleon" else Emu3ForConditionalGeneration
    try:
        model, info = kind.from_pretrained(weights, dtype="auto", output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(weights)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BackboneError(f"{weights}: cannot be loaded as {name}: {str(error).splitlines()[0][:200]}") from error
    model = model.to(device).eval()
    if vqgan is not None and name == "chameleon":
        return Chameleon(model, tokenizer, Decoder.load(vqgan, model.model.vqmodel.config).to(device)), info
    return Emu3(model, tokenizer), info


def _text(backbone: Any) -> tuple[bool, str]:
    said = "a </s> <eoss> <image> <|image start|> <|image token|> b"
    ids = backbone.encode([said])[1:]
    script = backbone.script(None)
    controls = sorted({script.begin, backbone.end, *script.closed} & set(ids))
    return not controls, f"{len(ids)} ids, control ids {controls}" if controls else f"{len(ids)} ids, none of them a control id"


def _pictures(backbone: Any) -> tuple[bool, str]:
    picture = drawing()
    ids = backbone.encode([picture])[1:]
    back = backbone.decode_picture(ids[1:])
    wanted = np.asarray(picture.resize(back.size, Image.Resampling.LANCZOS), np.float64)
    error = float(np.square(wanted - np.asarray(back, np.float64)).mean())
    decibels = 10 * math.log10(255**2 / error) if error else math.inf
    return decibels >= PSNR, f"{decibels:.1f} dB at {back.width} x {back.height}, {len(ids)} ids; wanted {PSNR:.0f}"


def _adapted(model: Any, init: Any) -> MossModel:
    torch.manual_seed(0)
    adapted: MossModel = MossModel(model, MossConfig(init=init), "default").to(model.device).eval()
    return adapted


def _logits(model: Any, ids: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=ids, use_cache=False).logits.float()
    return found


def _leak(model: MossModel, ids: Tensor, backbone: Any) -> tuple[bool, str]:
    codes = backbone.script(None).codes.to(ids.device)
    place = int(torch.isin(ids[0], codes).nonzero()[-1])
    other = ids.clone()
    other[0, place] = codes[0] if ids[0, place] != codes[0] else codes[1]
    change = (_logits(model, other) - _logits(model, ids)).abs()[0]
    before, after = float(change[:place].max()), float(change[place:].max())
    model.unload()
    return before <= 1e-3 * after, f"largest change before the patch {before:.2g}, from it on {after:.2g}"


def _overfit(model: MossModel, ids: Tensor) -> tuple[bool, str]:
    weights = [value for value in model.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=1e-3)
    losses = []
    for _ in range(STEPS):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        losses.append(float(loss.detach()))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    count = sum(value.numel() for value in weights)
    return losses[-1] < losses[0], f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {STEPS} steps, {count:,} trainable parameters"
