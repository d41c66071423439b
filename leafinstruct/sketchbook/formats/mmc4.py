"""Write a page as one line of MMC4: sentences, and images with the index of their sentence.

`matched_sim` and `similarity_matrix` are absent, because no model computed them. As in the published files,
the order of `image_info` has no meaning if each image has its own sentence; then it is shuffled, so that a
reader that relies on it fails.
"""

from __future__ import annotations

import json

from leafinstruct.sketchbook.documents.blocks import DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.page import Page
from leafinstruct.sketchbook.world.chance import stream


def line(page: Page) -> bytes:
    """Return the JSON line, with its line feed."""
    texts: list[str] = []
    images: list[tuple[int, DrawnImage]] = []
    for block in page.blocks:
        if isinstance(block, Paragraph):
            texts.append(block.text)
        else:
            images.append((len(texts), block))
    if len({matched for matched, _ in images}) == len(images):
        stream("order", page.slug).shuffle(images)
    infos = [
        {
            "image_name": page.file_name(image),
            "raw_url": page.image_url(image),
            "matched_text_index": min(matched, len(texts) - 1),
            "face_detections": None,
        }
        for matched, image in images
    ]
    record = {"url": page.url, "text_list": texts, "image_info": infos, "could_have_url_duplicate": 0}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
