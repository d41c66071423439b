"""Losses of held-out true lessons: per modality, and per position of an image, because later images are
harder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from leafinstruct.backbones.backbone import Backbone, pad_id
from leafinstruct.evaluate.sketchbook.lessons import PromptTemplate, Question, true_lesson
from leafinstruct.sketchbook.world.render import Style


def losses(
    backbone: Backbone, questions: Sequence[Question], template: PromptTemplate, style: Style, batch: int = 16
) -> dict[str, float]:
    """Return means over tokens in nats: text, image, image_1, image_2 ... The labels are the answer and its
    end token, as in training."""
    start, begin = len(backbone.encode([])), backbone.image_layout(None).begin
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for at in range(0, len(questions), batch):
        rows = [_row(backbone, question, template, style, start) for question in questions[at : at + batch]]
        length = max(len(ids) for ids, _ in rows)
        pad = pad_id(backbone.model)
        ids = torch.tensor([one + [pad] * (length - len(one)) for one, _ in rows])
        mask = torch.tensor([[1] * len(one) + [0] * (length - len(one)) for one, _ in rows])
        labels = ids.masked_fill(mask == 0, -100)
        for index, (_, given) in enumerate(rows):
            labels[index, :given] = -100
        with torch.no_grad():
            found = backbone.losses({"input_ids": ids, "attention_mask": mask}, labels)
        place = ((ids == begin) & (labels != -100)).cumsum(1)[:, 1:]
        for name, which in [
            ("text", found.text),
            ("image", found.image),
            *((f"image_{n}", found.image & (place == n)) for n in range(1, int(place.max()) + 1)),
        ]:
            sums[name][0] += float(found.value[which].double().sum())
            sums[name][1] += int(which.sum())
    return {name: total / count for name, (total, count) in sums.items() if count}


def _row(
    backbone: Backbone, question: Question, template: PromptTemplate, style: Style, start: int
) -> tuple[list[int], int]:
    """Return the ids of prompt and answer, and the length of the prompt."""
    prompt = backbone.encode(template([question.prompt]))
    lesson = true_lesson(question.howto, style)
    answer = [item for segment in lesson for item in backbone.encode([segment])[start:]]
    return [int(item) for item in [*prompt, *answer, backbone.end]], len(prompt)
