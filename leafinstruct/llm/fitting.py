"""Smaller questions about a document, for a server that declines a larger one. Pure functions.

    too many images     half as many, down to 1
    images too large    half the pixels on the longer side, down to 128
    format not read     the same images, encoded again as JPEG, once
    too long            half the pixels (down to 256), then half the images and half the words,
                        down to 1 image and 100 words

A step depends only on the question and on what is too large. So the same document meets the same server with
the same questions in any run. Each smaller question is asked and cached like any other, and its answer states
what was shown. A declined request is not charged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from leafinstruct.llm.request import Excess, Request

_LEAST_PX, _LEAST_PX_OF_LONG, _LEAST_WORDS = 128, 256, 100


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a document that a question shows.

    images: their number.
    px: longer side of each, pixels.
    words: None for all, which then cannot be reduced.
    jpeg: whether all images are encoded again as JPEG.
    """

    images: int
    px: int
    words: int | None
    jpeg: bool = False

    def less(self, excess: Excess) -> Shown | None:
        """Return the next step, None if there is none."""
        if excess == "images":
            return replace(self, images=self.images // 2) if self.images > 1 else None
        if excess == "pixels":
            return (
                replace(self, px=max(_LEAST_PX, self.px // 2))
                if self.images and self.px > _LEAST_PX
                else None
            )
        if excess == "format":
            return replace(self, jpeg=True) if self.images and not self.jpeg else None
        if self.images and self.px > _LEAST_PX_OF_LONG:
            return replace(self, px=max(_LEAST_PX_OF_LONG, self.px // 2))
        images = max(1, self.images // 2) if self.images else 0
        words = (
            self.words
            if self.words is None or self.words <= _LEAST_WORDS
            else max(_LEAST_WORDS, self.words // 2)
        )
        fewer = replace(self, images=images, words=words)
        return None if fewer == self else fewer


def fitted(ask: Callable[[Shown], Request], whole: Shown, shown: Shown | None = None) -> Request:
    """Return the question that shows `whole`, linked to the smaller ones. ask: builds the question for one
    `Shown`."""
    now = shown or whole

    def smaller(excess: Excess) -> Request | None:
        less = now.less(excess)
        return None if less is None else fitted(ask, whole, less)

    return replace(ask(now), smaller=smaller, shown="" if now == whole else _described(now, whole))


def _described(now: Shown, whole: Shown) -> str:
    facts = [f"{now.images} of {whole.images} images"] if now.images < whole.images else []
    facts += [f"images of at most {now.px} pixels"] if now.px < whole.px else []
    facts += ["images encoded anew"] if now.jpeg else []
    facts += [f"at most {now.words} words"] if now.words != whole.words else []
    return f"shown: {', '.join(facts)}; the server takes no larger request"
