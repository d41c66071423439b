"""What the examples of a document take: requests and tokens, before any is asked. Pure.

at most      every example goes back in every round
expected     SENT_BACK of the examples of each round go back

Used by `leaf build --dry-run`. A calibration replaces these figures by ratios to what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping

from leafinstruct.llm.tokens import Predicted, predict, text_tokens
from leafinstruct.records.document import Document, Text
from leafinstruct.records.example import Turn, example_id
from leafinstruct.rewrite import steps, tasks
from leafinstruct.rewrite.asking import RewriteSettings, request_of
from leafinstruct.rewrite.refine import examine
from leafinstruct.rewrite.tasks import Facts
from leafinstruct.rewrite.worded import Task

SENT_BACK = 0.5
"""Assumed share of the examples of a round that are below `rewrite.refine.min`. It depends on the model and
the pages; the report of a build has the true number (`written_again` of its counts)."""
CRITIQUE = 300
"""Assumed tokens of a critique."""
_AROUND = 15  # assumed tokens of an answer around each text and image of the document
_INSTRUCTION = 60
_VERDICT = 40 * len(examine.FIELDS)  # without a critique: a reason and a score for each question


def predicted(settings: RewriteSettings, document: Document) -> dict[str, Predicted]:
    """Purpose -> what the first round of all examples of a document takes; empty if nothing is asked. A piece
    of a long document counts even if no task fits it."""
    config = settings.config
    if settings.offline or config.mode == "keep" or document.is_conversation:
        return {}
    found = {"rewrite": Predicted()} | ({"examine": Predicted()} if settings.examiner else {})
    fitting = asked = 0
    for piece in steps.pieces(document, config.max_words, config.max_images):
        asked += 1
        identity = example_id(document.id, "", piece.number)
        task = tasks.choose(piece.document, settings.tasks(piece.document), Facts(), identity)
        if task is not None:
            fitting += 1
            task = settings.styled(task, example_id(document.id, task.family.name, piece.number))
            for purpose, one in _of_piece(settings, piece.document, task).items():
                found[purpose] += one
    return {purpose: one.times(asked / fitting) for purpose, one in found.items()} if fitting else {}


def _of_piece(settings: RewriteSettings, document: Document, task: Task) -> dict[str, Predicted]:
    images, px = len(document.images), settings.config.image_px
    answer = (
        text_tokens(text.text for text in document.texts) + _AROUND * len(document.segments) + _INSTRUCTION
    )
    found = {"rewrite": predict(request_of(document, task, {}, settings), images, px, answer)}
    if settings.examiner is not None:
        # an example that repeats its document
        parts = tuple(item.text if isinstance(item, Text) else item for item in document.segments)
        turns = (Turn("assistant", parts),)
        request = examine.request(document, task, turns, {}, settings.examiner.prompt, {})
        found["examine"] = predict(request, images, px, _VERDICT)
    return found


def in_rounds(first: Mapping[str, Predicted], rounds: int, share: float) -> dict[str, Predicted]:
    """Purpose -> what all rounds take. first: the first round; rounds: maximum times that an example goes
    back; share: of the examples of each round that do."""
    again = sum(share**number for number in range(1, rounds + 1))
    found = dict(first)
    if again and "rewrite" in first:
        once = first["rewrite"]
        more = CRITIQUE * once.requests + once.output_tokens  # a later request repeats the answer
        found["rewrite"] = once + Predicted(
            once.requests, once.input_tokens + more, once.output_tokens
        ).times(again)
    if again and "examine" in first:
        found["examine"] = first["examine"].times(1 + again)
    return found
