"""What calls share in a backbone changes no answer: a scheduler that counts steps, a dictionary of known
patches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from backbones.tiny_backbones import diffusion
from PIL import Image

from leafinstruct.backbones import patch_vq
from leafinstruct.backbones.emu2.diffusion import Diffusion


def test_an_image_within_the_denoising_of_another_changes_neither():
    unet, vae, scheduler = diffusion()
    decoder = Diffusion(unet, vae, scheduler, steps=3)
    vectors = [torch.randn(16, 12, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]

    def image(number: int) -> bytes:
        return decoder.image(vectors[number], None, 1.0, torch.Generator().manual_seed(number)).tobytes()

    wanted, found = [image(0), image(1)], list[bytes]()

    def other(*_: object) -> None:
        hook.remove()
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(image, 1).result())

    hook = unet.mid_block.register_forward_pre_hook(other)
    assert [image(0), *found] == wanted


def test_known_patches_are_forgotten_while_others_are_looked_up(monkeypatch):
    monkeypatch.setattr(patch_vq, "KNOWN", 24)
    chance = np.random.default_rng(0)
    book = torch.from_numpy(chance.integers(0, 256, (32, 192), dtype=np.uint8))
    strips = [chance.integers(0, 256, (16, 32, 3), dtype=np.uint8) for _ in range(9)]
    # half the patches of the one before
    images = [Image.fromarray(np.concatenate(pair)) for pair in pairwise(strips)]
    wanted = [patch_vq.PatchVq(book, 4).encode(image) for image in images]
    shared = patch_vq.PatchVq(book, 4)

    class Clears(patch_vq.PatchVq):
        """Another thread's image is encoded while the nearest patches of this one are searched."""

        def nearest(self, many: torch.Tensor) -> torch.Tensor:
            found = super().nearest(many)
            if len(self._known):
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(self._known.clear).result()
            return found

    for vq in (shared, Clears(book, 4)):
        assert [vq.encode(image) for image in images * 2] == wanted * 2
