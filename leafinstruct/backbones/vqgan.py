"""The image decoder of a VQGAN (Esser et al. 2021, arXiv 2012.09841): codes -> pixels, with the keys of the
published checkpoints.

transformers' Chameleon only has the encoder and the codebook. Keys here are those of the original:
`decoder.conv_in`, `decoder.mid.block_1`, `decoder.up.<level>.block.<n>`, `decoder.up.<level>.upsample.conv`,
`decoder.norm_out`, `decoder.conv_out`, `post_quant_conv`, `quantize.embedding`, possibly below `state_dict`.
Encoder and losses in the same file are ignored. Level 0 is the finest; decoding begins with the coarsest.
Files are read as tensors only, never as code.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention, silu

from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers import ChameleonVQVAE, ChameleonVQVAEConfig

_OURS = ("decoder.", "post_quant_conv.", "quantize.embedding.")


class Decoder(nn.Module):
    """Decodes a grid of codes to an image."""

    def __init__(self, config: ChameleonVQVAEConfig) -> None:
        super().__init__()
        self.codes = int(config.num_embeddings)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(config.num_embeddings, config.embed_dim)
        self.post_quant_conv = nn.Conv2d(config.embed_dim, config.latent_channels, 1)
        self.decoder = _Pixels(config)

    @classmethod
    def load(cls, file: Path, config: ChameleonVQVAEConfig) -> Decoder:
        """Load the published file, .ckpt or .safetensors. Raises BackboneError when it is unreadable, or its
        keys or shapes do not match config."""
        decoder = cls(config)
        decoder.eval()
        weights = {key: value for key, value in _read(file).items() if key.startswith(_OURS)}
        wanted = decoder.state_dict()
        if odd := sorted(weights.keys() ^ wanted.keys()):
            where = "lacks" if odd[0] in wanted else "has"
            raise BackboneError(
                f"{file}: {where} {odd[0]} ({len(odd)} keys differ); the file does not match this model's "
                "vq_config"
            )
        for key, value in wanted.items():
            if weights[key].shape != value.shape:
                raise BackboneError(
                    f"{file}: {key} has shape {tuple(weights[key].shape)}; vq_config needs "
                    f"{tuple(value.shape)}"
                )
        decoder.load_state_dict(weights)
        return decoder

    def forward(self, codes: Tensor) -> Tensor:
        """Decode codes, (B, H, W) int64, to (B, 3, H f, W f), about [-1, 1]."""
        vectors = self.quantize.embedding(codes).permute(0, 3, 1, 2)
        found: Tensor = self.decoder(self.post_quant_conv(vectors))
        return found

    def image(self, codes: Tensor) -> Image.Image:
        """codes: (H, W)."""
        with torch.no_grad():
            pixels = self(codes[None].to(self.quantize.embedding.weight.device))[0].float().cpu()
        return to_image(pixels)


class Vqgan:
    """Image tokenizer. Raises BackboneError for a decoder with another
    number of codes."""

    def __init__(self, encoder: ChameleonVQVAE, decoder: Decoder) -> None:
        config = encoder.config
        if decoder.codes != config.num_embeddings:
            raise BackboneError(
                f"the image decoder has {decoder.codes} codes, but the model "
                f"{config.num_embeddings}; use the "
                "vqgan.ckpt of these weights"
            )
        self._encoder, self._decoder = encoder, decoder
        self.codes, self._size = decoder.codes, int(config.resolution)
        self.side = self._size // 2 ** (len(config.channel_multiplier) - 1)

    def encode(self, image: Image.Image) -> list[int]:
        """Return the codes of the middle square of an image in reading order."""
        pixels = to_pixels([square(image, self._size)]).to(self._encoder.device, self._encoder.dtype)
        with torch.no_grad():
            found = self._encoder.encode(pixels).image_tokens
        return [int(code) for code in found.flatten()]

    def image(self, codes: Tensor) -> Image.Image:
        """codes: (H, W)."""
        return self._decoder.image(codes)

    @cached_property
    def identity(self) -> str:
        """Hash of the encoder's weights."""
        return weights_sha256(self._encoder)


def square(image: Image.Image, size: int) -> Image.Image:
    """Crop the middle square of an image and resize it to size x size, RGB."""
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    return image.convert("RGB").resize(
        (size, size), Image.Resampling.LANCZOS, (left, top, left + short, top + short)
    )


def to_pixels(images: Sequence[Image.Image]) -> Tensor:
    """Convert RGB images of one size to (B, 3, H, W), [-1, 1]."""
    return torch.from_numpy(
        np.stack([np.asarray(image, np.float32) for image in images]) / 127.5 - 1.0
    ).permute(0, 3, 1, 2)


def weights_sha256(module: nn.Module) -> str:
    """Return the sha256 of a module's state: names, shapes, types and values."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def to_image(pixels: Tensor) -> Image.Image:
    """Convert pixels, (3, H, W), clipped to [-1, 1], to an image."""
    scaled = ((pixels.clamp(-1, 1) + 1) * 127.5).round().permute(1, 2, 0)
    return Image.fromarray(scaled.numpy().astype(np.uint8))


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(file))
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise BackboneError(
            f"{file}: cannot be read as weights: {str(error).splitlines()[0][:150]}"
        ) from error
    return dict(found.get("state_dict", found)) if isinstance(found, dict) else {}


class _Pixels(nn.Module):
    def __init__(self, config: ChameleonVQVAEConfig) -> None:
        super().__init__()
        widths = [config.base_channels * times for times in config.channel_multiplier]
        wide = widths[-1]
        self.conv_in = nn.Conv2d(config.latent_channels, wide, 3, padding=1)
        self.mid = nn.Module()
        self.mid.block_1, self.mid.attn_1, self.mid.block_2 = (
            _Residual(wide, wide),
            _Attention(wide),
            _Residual(wide, wide),
        )
        levels: list[nn.Module] = []
        size = config.resolution // 2 ** (len(widths) - 1)
        for level in reversed(range(len(widths))):
            stage = nn.Module()
            stage.block, stage.attn = nn.ModuleList(), nn.ModuleList()
            for _ in range(config.num_res_blocks + 1):
                stage.block.append(_Residual(wide, widths[level]))
                wide = widths[level]
                if size in (config.attn_resolutions or []):
                    stage.attn.append(_Attention(wide))
            if level:
                stage.upsample = nn.Module()
                stage.upsample.conv = nn.Conv2d(wide, wide, 3, padding=1)
                size *= 2
            levels.insert(0, stage)
        self.up = nn.ModuleList(levels)
        self.norm_out = _norm(wide)
        self.conv_out = nn.Conv2d(wide, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid.block_2(self.mid.attn_1(self.mid.block_1(self.conv_in(x))))
        for level in reversed(range(len(self.up))):
            stage = self.up[level]
            for number, block in enumerate(stage.block):
                x = block(x)
                if len(stage.attn):
                    x = stage.attn[number](x)
            if level:
                x = stage.upsample.conv(interpolate(x, scale_factor=2.0, mode="nearest"))
        found: Tensor = self.conv_out(silu(self.norm_out(x)))
        return found


class _Residual(nn.Module):
    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(wide), nn.Conv2d(wide, out, 3, padding=1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        if wide != out:
            self.nin_shortcut = nn.Conv2d(wide, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv2(silu(self.norm2(self.conv1(silu(self.norm1(x))))))
        return found + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class _Attention(nn.Module):
    def __init__(self, wide: int) -> None:
        super().__init__()
        self.norm = _norm(wide)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(wide, wide, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(x)
        # (B, H W, C)
        q, k, v = (part(hidden).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).view_as(x)
        found: Tensor = x + self.proj_out(mixed)
        return found


def _norm(wide: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, wide, eps=1e-6)
