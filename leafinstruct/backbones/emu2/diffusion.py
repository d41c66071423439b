"""Decode Emu2's vectors to pixels: the diffusion decoder of Emu2-Gen (folders `unet`, `vae`, `scheduler`), an
SDXL conditioned on an image's 64 vectors instead of text.

Guidance applies here: the noise is u + g (c - u), where u is the noise for the vectors that the model
generates for an empty prompt. Chosen: diffusers' modules and scheduler (`pip install 'leafinstruct[emu2]'`)
with our own loop, because the published pipeline is code from the Hub that also contains the language model.
The published weights were never run here.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from leafinstruct._quiet_import import quiet
from leafinstruct.backbones.vqgan import to_image
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKL,
        EulerDiscreteScheduler,
        ModelMixin,
        SchedulerMixin,
        UNet2DConditionModel,
    )

STEPS = 50
"""Denoising steps, as published."""


class Diffusion:
    """An image decoder."""

    def __init__(
        self,
        unet: UNet2DConditionModel,
        vae: AutoencoderKL,
        scheduler: EulerDiscreteScheduler,
        steps: int = STEPS,
    ) -> None:
        self._unet, self._vae, self._scheduler, self._steps = unet.eval(), vae.eval(), scheduler, steps
        self._factor = 2 ** (len(vae.config.block_out_channels) - 1)

    @classmethod
    def load(
        cls, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32, steps: int = STEPS
    ) -> Diffusion:
        """Load the folders of Emu2-Gen; weights are read from safetensors only. Raises BackboneError when
        they or diffusers are missing."""
        try:
            with quiet():
                from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
        except ImportError as error:
            raise BackboneError(
                "Emu2's image decoder needs diffusers: pip install 'leafinstruct[emu2]'"
            ) from error
        parts: list[ModelMixin] = []
        for kind, name in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")):
            half = "bf16" if list((folder / name).glob("*.bf16.safetensors")) else None
            parts.append(
                _part(kind, folder, name, variant=half, use_safetensors=True, torch_dtype=dtype).to(device)
            )
        unet, vae = parts
        return cls(unet, vae, _part(EulerDiscreteScheduler, folder, "scheduler"), steps)

    @property
    def width(self) -> int:
        """Size of the vectors."""
        return int(self._unet.config.cross_attention_dim)

    def image(
        self, vectors: Tensor, unprompted: Tensor | None, guidance: float, generator: torch.Generator
    ) -> Image.Image:
        """Decode vectors, (N, d). unprompted: those of an empty prompt, None for no guidance; generator: on
        the CPU, for the first noise."""
        # a scheduler counts steps, and another thread may use it at the same time
        unet, scheduler = self._unet, deepcopy(self._scheduler)
        device, dtype = unet.device, unet.dtype
        side = unet.config.sample_size
        prompts = torch.stack([vectors] if unprompted is None else [vectors, unprompted]).to(device, dtype)
        size = side * self._factor
        times = torch.tensor([[size, size, 0, 0, size, size]], device=device).expand(len(prompts), -1)
        conditions = {"time_ids": times, "text_embeds": prompts.mean(1)}
        scheduler.set_timesteps(self._steps, device=device)
        noise = torch.randn(1, unet.config.in_channels, side, side, generator=generator)
        latents = noise.to(device, dtype) * scheduler.init_noise_sigma
        with torch.no_grad():
            for time in scheduler.timesteps:
                given = scheduler.scale_model_input(latents.expand(len(prompts), -1, -1, -1), time)
                noises = unet(given, time, encoder_hidden_states=prompts, added_cond_kwargs=conditions).sample
                guided = (
                    noises[:1] if unprompted is None else noises[1:] + guidance * (noises[:1] - noises[1:])
                )
                latents = scheduler.step(guided, time, latents, return_dict=False)[0]
            pixels = self._vae.decode(latents / self._vae.config.scaling_factor, return_dict=False)[0]
        return to_image(pixels[0].float().cpu())


def _part(
    kind: type[ModelMixin] | type[SchedulerMixin],
    folder: Path,
    name: str,
    **how: str | bool | torch.dtype | None,
) -> ModelMixin | SchedulerMixin:
    try:
        return kind.from_pretrained(folder, subfolder=name, **how)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise BackboneError(
            f"{folder}: {name} cannot be loaded: {str(error).splitlines()[0][:200]}"
        ) from error
