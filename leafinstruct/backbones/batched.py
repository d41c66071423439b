"""Generate many answers at once, for backbones with one vocabulary and images of one shape.

With greedy sampling the answers are those of `generate`, id by id. One answer at a time leaves a small model
waiting for Python. Rows are at different positions of different images: prompts are padded on the left, an
attention mask hides the padding, and each row has its own position. A finished row leaves the batch and the
KV cache; the convolution's state (moss.conv_cache) follows the KV cache.

Cost: a step is one pass for all rows, so a batch of 32 costs about as much as its longest three or four
answers one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from leafinstruct.backbones.backbone import Backbone, Item, Segment, pad_id
from leafinstruct.backbones.codes import Codes
from leafinstruct.backbones.generate import Ended, Settings, before_any, free_positions, shut_ids
from leafinstruct.backbones.sampling import sampled
from leafinstruct.errors import BackboneError

if TYPE_CHECKING:
    from transformers.cache_utils import Cache

Why = Ended | Literal["image"]
"""Why an answer ended: see `generate`; "image": after the requested image."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer. segments: text and complete images in order, as `generate` yields them, without a cut
    image; ids: all generated ids."""

    segments: tuple[Segment, ...]
    ids: tuple[int, ...]
    ended: Why


def answers(
    backbone: Backbone,
    prompts: Sequence[Sequence[Item]],
    settings: Settings,
    batch: int = 32,
    one_image: bool = False,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[Answered]:
    """Return one answer per prompt, in order. prompts: ids, as `encode` gives them; after one that ends with
    the token that begins an image, the answer begins with the image's first patch. one_image: an answer ends
    with its first complete image. on_done: called with the number of finished answers.

    Raises BackboneError for a backbone whose patches are vectors, for guidance, and for a prompt without free
    positions after it.
    """
    if not isinstance(backbone, Codes):
        raise BackboneError(
            "batched answers need a backbone with one vocabulary for words and codes, such as "
            "Chameleon or Emu3"
        )
    if settings.guidance != 1.0:
        raise BackboneError("batched answers do not support guidance")
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))  # little padding
    found: dict[int, Answered] = {}
    for at in range(0, len(order), batch):
        numbers = order[at : at + batch]
        rows = [_Row(backbone, prompts[number], settings, number, one_image) for number in numbers]
        _generate(backbone, rows)
        found.update((row.number, row.answered()) for row in rows)
        on_done(len(found))
    return [found[number] for number in range(len(prompts))]


def _generate(backbone: Backbone, rows: list[_Row]) -> None:
    """Generate until all rows have ended."""
    length = max(len(row.fresh) for row in rows)
    pad = pad_id(backbone.model)
    ids = torch.tensor([[pad] * (length - len(row.fresh)) + row.fresh for row in rows])
    mask = torch.tensor([[0] * (length - len(row.fresh)) + [1] * len(row.fresh) for row in rows])
    cache: Cache | None = None
    while True:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        logits, cache = _pass(backbone.model, ids, mask, positions, cache)
        for row, one in zip(rows, logits, strict=True):
            row.take(one)
        going = [at for at, row in enumerate(rows) if row.ended is None]
        if not going:
            return
        if len(going) < len(rows):
            kept = torch.tensor(going)
            cache.batch_select_indices(kept.to(logits.device))
            mask, rows = mask[kept], [rows[at] for at in going]
        ids = torch.tensor([[row.ids[-1]] for row in rows])
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)


def _pass(
    model: nn.Module, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache | None
) -> tuple[Tensor, Cache]:
    """Return the last position's logits, (B, V) on the CPU, and the cache."""
    device = model.device
    with torch.no_grad():
        out = model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return out.logits[:, -1].float().cpu(), out.past_key_values


@dataclass
class _Row:
    """The state of one answer, which `generate` keeps in its loop."""

    backbone: Backbone
    prompt: Sequence[Item]
    settings: Settings
    number: int
    one_image: bool
    ids: list[int] = field(default_factory=list)
    ended: Why | None = None

    def __post_init__(self) -> None:
        self.fresh = [int(item) for item in self.prompt]
        self._layout = self.backbone.image_layout(self.settings.grid)
        self._shut, self._mute = shut_ids(self._layout)
        left = free_positions(self.backbone, len(self.fresh))
        self._most, self._short = min(left, self.settings.max_tokens), left < self.settings.max_tokens
        self._chance = torch.Generator().manual_seed(self.settings.seed + self.number)
        self._step = 0 if self.fresh[-1] == self._layout.begin else None
        self._images = 0
        self._words, self._patches, self._segments = list[int](), list[Item](), list[Segment]()

    def take(self, logits: Tensor) -> None:
        """Add the next id. logits: (V,)."""
        if self._step is None:
            closed = self._shut if self._images < self.settings.max_images else self._mute
            self._text(sampled(logits.index_fill(0, closed, -torch.inf), self.settings.text, self._chance))
        else:
            given = self._layout.steps[self._step]
            self._patch(
                int(self.backbone.patch([logits], self.settings.image, 1.0, self._chance))
                if given is None
                else given
            )
        if self.ended is None and len(self.ids) >= self._most:
            self._end("context" if self._short else "max_tokens")

    def _patch(self, item: int) -> None:
        assert self._step is not None, "checked by take"
        self.ids.append(item)
        self._patches.append(item)
        self._step += 1
        if self._step == len(self._layout.steps):
            self._segments.append(self.backbone.decode_image(self._patches, 1.0, self._chance))
            self._patches, self._step = [], None
            if self.one_image:
                self._end("image")

    def _text(self, item: int) -> None:
        self.ids.append(item)
        if item == self.backbone.end:
            self._end("end")
        elif item == self._layout.begin:
            self._write(self.backbone.decode_text(self._words))
            self._words, self._images, self._step = [], self._images + 1, 0
        else:
            self._words.append(item)
            stop = self.settings.stop
            if stop and (cut := before_any(self.backbone.decode_text(self._words), stop)) is not None:
                self._words = []
                self._write(cut)
                self._end("stop")

    def _write(self, text: str) -> None:
        if text:
            self._segments.append(text)

    def _end(self, why: Why) -> None:
        if self._words:
            self._write(self.backbone.decode_text(self._words))
        self.ended = why

    def answered(self) -> Answered:
        """Return the answer of a row that has ended."""
        assert self.ended is not None, "_generate runs until all rows have ended"
        return Answered(tuple(self._segments), tuple(self.ids), self.ended)
