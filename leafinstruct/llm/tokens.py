"""Number of tokens of a request: an estimate, an upper bound, and corrections learned from the server's
counts.

    estimate   UTF-8 bytes / 4 for text (English: 4 characters a token; Chinese: 3 bytes a character, about
               0.75 token). For each image a constant by file size, after the 85 + 170 for each 512-px tile of
               OpenAI's vision guide: 255 (one tile), 765 (four), 1,105 (six)
    bound      1 token a byte (no byte-level tokenizer makes more), 512 for the chat template, the schema
               twice (as `response_format` and in words), and for each image 2,833 + 5,667 for each 512-px
               tile, at most 8 tiles: gpt-4o-mini, the highest documented charge
    learned    the largest count for each byte and each image that the server reported; a server that counts
               more than the bound raises it

Estimates are always labeled as such. A tokenizer for each model (tiktoken) would be right for one vendor
only.
"""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

from leafinstruct.llm.request import Request, SentImage, Usage

_BYTES_PER_TOKEN = 4
_MESSAGE_TOKENS = 4  # role and separators
_IMAGE_TOKENS = ((20_000, 255), (200_000, 765))  # (file bytes up to, tokens)
_LARGE_IMAGE_TOKENS = 1_105
_TEMPLATE_TOKENS = 512
_IMAGE, _TILE, _TILE_PX, _MOST_TILES = 2_833, 5_667, 512, 8
_MARGIN = 1.25  # above what was learned, since requests differ
_ABSURD = 4  # times the bound; a higher count is a defect of the server
_ABSURD_OUTPUT = 1 << 20  # tokens of one answer beyond max_tokens


@dataclass(frozen=True)
class Size:
    """Size of one request. text: UTF-8 bytes of messages and schemas; estimate: tokens in total."""

    text: int
    sent: tuple[SentImage, ...]
    estimate: int

    def longer(self, texts: Iterable[str]) -> Size:
        """Return the size with more text."""
        more = sum(len(text.encode("utf-8", "replace")) for text in texts)
        return (
            Size(self.text + more, self.sent, self.estimate + -(-more // _BYTES_PER_TOKEN)) if more else self
        )

    @cached_property
    def images(self) -> tuple[int, ...]:
        """Upper bound of the tokens of each image; reads the headers, about 40 us an image."""
        return tuple(_most_image_tokens(image.data) for image in self.sent)


def size_of(request: Request) -> Size:
    """The size of a request without repair turns."""
    parts = [part for message in request.messages for part in message.parts]
    text = sum(len(part.encode("utf-8", "replace")) for part in parts if isinstance(part, str))
    schema = len(json.dumps(request.schema))
    images = tuple(part for part in parts if isinstance(part, SentImage))
    estimate = (
        -(-(text + schema) // _BYTES_PER_TOKEN)
        + _MESSAGE_TOKENS * len(request.messages)
        + sum(map(_image_tokens, images))
    )
    return Size(text + 2 * schema, images, estimate)


def estimate_tokens(request: Request) -> int:
    """Estimate the input tokens of one request: text, schema and images. The answer adds up to
    `llm.max_tokens`."""
    return size_of(request).estimate


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the questions about one document take, before any is asked: requests, and tokens of both sides."""

    requests: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def __add__(self, other: Predicted) -> Predicted:
        return Predicted(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def times(self, count: float) -> Predicted:
        """The same, so many times."""
        return Predicted(self.requests * count, self.input_tokens * count, self.output_tokens * count)


def predict(request: Request, images: int, px: int, answer: float) -> Predicted:
    """Predict one request with further images, whose bytes need not be there. images: their number; px: the
    longer side as sent; answer: tokens of the answer."""
    tokens = 85 + 170 * math.ceil(px / _TILE_PX) ** 2  # OpenAI's vision guide, see above
    return Predicted(1, estimate_tokens(request) + tokens * images, answer)


def text_tokens(texts: Iterable[str]) -> float:
    """Estimate the tokens of texts."""
    return sum(len(text.encode("utf-8", "replace")) for text in texts) / _BYTES_PER_TOKEN


def _image_tokens(image: SentImage) -> int:
    return next((tokens for limit, tokens in _IMAGE_TOKENS if len(image.data) <= limit), _LARGE_IMAGE_TOKENS)


def _most_image_tokens(data: bytes) -> int:
    """Upper bound from the image's header; the maximum for bytes that are no image."""
    from PIL import Image  # an offline run sends no image

    tiles = _MOST_TILES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # only the size is needed, however large
            width, height = Image.open(io.BytesIO(data)).size
        tiles = min(tiles, math.ceil(width / _TILE_PX) * math.ceil(height / _TILE_PX))
    except (OSError, ValueError, Image.DecompressionBombError):
        pass
    return _IMAGE + _TILE * tiles


class Learned:
    """Predict the tokens of future requests from the server's counts."""

    def __init__(self, *, images: bool) -> None:
        """images: whether to learn the tokens of an image, for `most`."""
        self._images = images
        self._ratio: dict[str, float] = {}  # by purpose: reported / estimated
        self._byte = 0.0  # tokens a byte of requests without images
        # tokens an image, and as a share of its bound; the text's tokens included
        self._image, self._image_ratio = 0.0, 0.0
        self._output = 0

    def learn(self, purpose: str, size: Size, reported: Usage | None) -> None:
        """Learn from one answer. reported: the server's counts."""
        if reported is None:
            return
        self._ratio[purpose] = max(self._ratio.get(purpose, 0.0), reported.input_tokens / size.estimate)
        self._output = max(self._output, reported.output_tokens)
        if not size.images:
            self._byte = max(self._byte, reported.input_tokens / max(1, size.text))
        elif self._images:
            self._image = max(self._image, reported.input_tokens / len(size.images))
            self._image_ratio = max(self._image_ratio, reported.input_tokens / sum(size.images))

    def most(self, size: Size, limit: int) -> Usage:
        """Return the upper bound. A byte counts as at least one token whatever was learned, since writing
        systems differ that much. limit: tokens of the answer."""
        images: float = sum(size.images)
        if self._image:
            learned = [max(self._image, self._image_ratio * bound) for bound in size.images]
            images = sum(learned) if self._image_ratio > 1 else sum(map(min, size.images, learned))
        text = size.text * max(1.0, self._byte)
        return Usage(math.ceil(text + images) + _TEMPLATE_TOKENS, max(limit, self._output), estimated=True)

    def likely(self, purpose: str, size: Size, limit: int) -> Usage:
        """Return the largest usage of this purpose so far, scaled to this size; before the first answer,
        the estimate."""
        ratio = self._ratio.get(purpose, 0.0)
        tokens = math.ceil(size.estimate * ratio * _MARGIN) if ratio else size.estimate
        return Usage(tokens, max(limit, self._output), estimated=True)


def read_usage(usage: object) -> Usage | None:
    """Return the server's token counts, the larger reading if they are ambiguous; None if they are missing or
    invalid.

    Some servers count reasoning only in `total_tokens`, not in `completion_tokens`; Gemini leaves the latter
    out if all of the answer was reasoning. Others leave tokens from their own cache out of `prompt_tokens`. A
    discount on cached tokens is ignored.
    """
    if not isinstance(usage, Mapping):
        return None
    asked, answered, total = (
        usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    if answered is None and _is_count(total) and _is_count(asked):
        answered = total - asked
    if not _is_count(asked) or not _is_count(answered):
        return None
    rest = total - asked - answered if _is_count(total) else 0
    cached = cached_tokens(usage)
    if rest > 0 and rest == cached:
        return Usage(asked + rest, answered)
    return Usage(asked, answered + max(0, rest))


def cached_tokens(usage: Mapping[str, Any]) -> int:
    """Return the prompt tokens that the server took from its own cache."""
    details = usage.get("prompt_tokens_details")
    found = [details.get("cached_tokens")] if isinstance(details, Mapping) else []
    found += [usage.get("cache_read_input_tokens"), usage.get("prompt_cache_hit_tokens")]
    return max(filter(_is_count, found), default=0)


def is_absurd(usage: Usage, size: Size, limit: int) -> bool:
    """Whether counts are impossible for what was sent and generated. limit: tokens of the answer."""
    bound = size.text + 16 * _TEMPLATE_TOKENS + (_IMAGE + _TILE * _MOST_TILES) * len(size.images)
    return usage.input_tokens > _ABSURD * bound or usage.output_tokens > limit + _ABSURD_OUTPUT


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
