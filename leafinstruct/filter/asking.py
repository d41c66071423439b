"""The judge's question about a document, with smaller ones behind it for a server that takes no larger one."""

from __future__ import annotations

from collections.abc import Mapping

from leafinstruct.filter import judge
from leafinstruct.filter.config import JudgeConfig
from leafinstruct.llm.fitting import Shown, fitted
from leafinstruct.llm.prompt import Prompt
from leafinstruct.llm.request import Request
from leafinstruct.pictures.send import Sent, smaller
from leafinstruct.records.document import Document
from leafinstruct.records.words import count_words


def question(document: Document, pictures: Mapping[str, Sent], config: JudgeConfig, prompt: Prompt) -> Request:
    """pictures: see judge.request."""
    images = sum((image.sha256 or "") in pictures for image in document.images[: config.max_pictures])
    words = min(config.max_words, count_words([text.text for text in document.texts]))
    whole = Shown(images, config.picture_px, words)

    def ask(shown: Shown) -> Request:
        if shown == whole:
            return judge.request(document, pictures, config, prompt)
        less = config.model_copy(update={"max_words": shown.words, "max_pictures": shown.images})
        named = {image.sha256 or "" for image in document.images[: shown.images]} & pictures.keys()
        sent = smaller({name: pictures[name] for name in named}, shown.px, shown.jpeg)
        return judge.request(document, sent, less, prompt)

    return fitted(ask, whole)
