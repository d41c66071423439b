"""A page as one line of MMC4: sentences, and pictures that name the sentence they stand with.

`matched_sim` and `similarity_matrix` are absent, because no model computed them. As in the published files the order of `image_info` means
nothing while each picture has a sentence of its own; it is shuffled then, so that a reader that trusts it is found out.
"""

from __future__ import annotations

import json

from leafinstruct.sketchbook.documents.page import Page, Paragraph, Picture
from leafinstruct.sketchbook.world.chance import stream


def line(page: Page) -> bytes:
    """The JSON line, with its line feed."""
    texts: list[str] = []
    pictures: list[tuple[int, Picture]] = []
    for block in page.blocks:
        if isinstance(block, Paragraph):
            texts.append(block.text)
        else:
            pictures.append((len(texts), block))
    if len({matched for matched, _ in pictures}) == len(pictures):
        stream("order", page.slug).shuffle(pictures)
    images = [
        {
            "image_name": page.file_name(picture),
            "raw_url": page.picture_url(picture),
            "matched_text_index": matched,
            "face_detections": None,
        }
        for matched, picture in pictures
    ]
    record = {"url": page.url, "text_list": texts, "image_info": images, "could_have_url_duplicate": 0}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
