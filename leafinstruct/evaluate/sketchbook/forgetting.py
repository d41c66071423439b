"""Measure what an adapter made its base forget: the tasks of the base, in the style of its training.

caption -> image      right if the recognizer finds it exact, with each thing anywhere within the place that
                      the caption names
image -> caption      right if it is equal, up to the wordings of a place
image -> itself       right if all patches are equal; the next image of a lesson depends on this, so the
                      base's card reports it
"""

from __future__ import annotations

import re
from collections.abc import Callable

from PIL import Image

from leafinstruct.backbones.backbone import Backbone
from leafinstruct.backbones.batched import answers
from leafinstruct.backbones.chameleon import Chameleon
from leafinstruct.backbones.generate import Settings
from leafinstruct.backbones.sampling import GREEDY
from leafinstruct.evaluate.sketchbook.lessons import PromptTemplate, first_image
from leafinstruct.evaluate.sketchbook.reading import PX, Seen, read
from leafinstruct.sketchbook.documents.captions import captioned, spots
from leafinstruct.sketchbook.documents.wording import AT
from leafinstruct.sketchbook.world.chance import stream
from leafinstruct.sketchbook.world.render import Style, render
from leafinstruct.sketchbook.world.scene import Scene

ASKED = "What does the picture show?"
MOST_TOKENS = 160
"""Maximum number of tokens of a caption, or of an image with special tokens and some text before it."""
_PLAINEST = {wording: wordings[0] for wordings in AT.values() for wording in wordings}
_PLACE = re.compile("|".join(sorted(_PLAINEST, key=len, reverse=True)))


def same_caption(one: str, other: str) -> bool:
    """Whether two captions are equal up to the wordings of places."""
    plain = [_PLACE.sub(lambda found: _PLAINEST[found[0]], text.strip()) for text in (one, other)]
    return plain[0] == plain[1]


def _placed(image: Image.Image, scene: Scene, view: Seen) -> Scene:
    """Return the scene with each thing moved to the allowed place that is nearest to the image. Things are
    placed one by one, because they do not overlap."""
    for index in range(len(scene.items)):
        choices = spots(scene, index)
        scene = choices[read(image, choices, view).best]
    return scene


def remembered(
    backbone: Backbone,
    count: int,
    seed: int,
    template: PromptTemplate,
    view: Seen,
    batch: int = 64,
    on_done: Callable[[int], None] = lambda _: None,
) -> dict[str, float]:
    """Return the shares of right images (`drawn`) and captions (`named`) among `count`. view: the base's
    style."""
    known = [captioned(stream(seed, "caption", index)) for index in range(count)]
    settings = Settings(GREEDY, GREEDY, max_images=1, max_tokens=MOST_TOKENS, stop=("USER:",))
    prompts = [backbone.encode(template([f"Draw {caption}"])) for _, caption in known]
    found = answers(backbone, prompts, settings, batch, one_image=True, on_done=on_done)
    exact = 0
    for (scene, _), answer in zip(known, found, strict=True):
        image = first_image(answer)
        exact += image is not None and read(image, [_placed(image, scene, view)], view).exact
    prompts = [backbone.encode(template([render(scene, PX, view.style), ASKED])) for scene, _ in known]
    named = answers(backbone, prompts, settings, batch, on_done=lambda done: on_done(count + done))
    right = 0
    for (_, caption), answer in zip(known, named, strict=True):
        right += (
            len(answer.segments) == 1
            and isinstance(answer.segments[0], str)
            and same_caption(answer.segments[0], caption)
        )
    return {"drawn": exact / count, "named": right / count}


def copied(
    backbone: Chameleon, count: int, seed: int, template: PromptTemplate, style: Style, batch: int = 64
) -> dict[str, float]:
    """Return the shares, 0 to 1, of `count` images that are copied with all codes equal: `alone`, and
    `captioned` with the image's caption before "Draw it again."."""
    known = [
        (render(scene, PX, style), caption)
        for scene, caption in (captioned(stream(seed, "caption", index)) for index in range(count))
    ]
    settings = Settings(GREEDY, GREEDY, max_images=1, max_tokens=MOST_TOKENS, stop=("USER:",))
    found = {}
    for name, text in (("alone", "Draw it again."), ("captioned", "It shows {} Draw it again.")):
        prompts = [backbone.encode(template([image, text.format(caption)])) for image, caption in known]
        again = [
            first_image(answer) for answer in answers(backbone, prompts, settings, batch, one_image=True)
        ]
        same = (
            one is not None and backbone.images.encode(one) == backbone.images.encode(image)
            for one, (image, _) in zip(again, known, strict=True)
        )
        found[name] = sum(same) / count
    return found
