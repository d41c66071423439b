"""The rewriter's question about a piece of a document, with smaller ones behind it for a server that takes no
larger one.

Only images become fewer or smaller: the example is made of all words. Where the words are too many,
`rewrite.max_words` cuts the document.
"""

from __future__ import annotations

from collections.abc import Mapping

from leafinstruct.images.send import Sent, smaller
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Request
from leafinstruct.records.document import Document
from leafinstruct.rewrite import prompt as prompts
from leafinstruct.rewrite.worded import Task


def question(document: Document, task: Task, images: Mapping[str, Sent], px: int, prompt: Prompt) -> Request:
    """images: see prompt.request; px: longer side of the images as sent, pixels."""
    named = [image.sha256 or "" for image in document.images if (image.sha256 or "") in images]
    whole = Shown(len(named), px, None)

    def ask(shown: Shown) -> Request:
        if shown == whole:
            return prompts.request(document, task, images, prompt)
        sent = smaller({name: images[name] for name in named[: shown.images]}, shown.px, shown.jpeg)
        return prompts.request(document, task, sent, prompt)

    return fitted(ask, whole)
