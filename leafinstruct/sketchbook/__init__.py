"""Sketchbook: a synthetic corpus of drawings and texts with ground truth, written as real source files.

    world/: scene -> render            images: things on 8 x 8 cells, drawn with Pillow at any size (shapes,
                                       backgrounds, palette, pen)
    documents/: lessons, stories,      texts: one grammar per topic, from a random generator to a HowTo
                                       (texts, a scene per step)
    edits, assembly, maps -> howto     (wording names things and places, vocabulary lists every word, chance
                                       names every random stream)
    blocks                             paragraphs and images without a file format
    plan -> defects -> page            topic and format of each document, its defect, the order of its texts
                                       and images
    planting/: planter -> catalog      classes of defects of pages, drawn or real, each with who could see it;
                                       corpus writes planted pages with the truth beside them
    clean/: sentences -> pages         clean pages in thirteen languages that are easily taken for defects
    formats/: mmc4, html, warc, ...    the page in the formats of the ordinary readers
    formats/write                      the entry point: chunks(settings), write_chunk, collect_labels
    tiny_clip                          a small CLIP trained on Sketchbook only

Everything is a pure function of (settings, document number), so chunks can be written in any order, by any
number of processes, with the same bytes. The corpus needs no network, its license is CC0-1.0, and its labels
contain what other corpora do not: which image belongs to which text, and which document has which defect.
"""
