"""Sketchbook: a closed drawn world with ground truth, written as genuine source files.

    world/: scene -> render            what is seen: things on 8 x 8 cells, drawn with Pillow at any size (shapes, backgrounds, palette, pen)
    documents/: lessons, stories,      what is told: one grammar a topic, from a random generator to a HowTo (texts, a scene a step)
    edits, assembly, maps -> howto     (wording names things and places, vocabulary lists every word, chance names every random stream)
    plan -> defects -> page            which document is what, what is wrong with it, in which order text and images stand
    formats/: mmc4, html, warc, ...    the same page in formats that the ordinary readers read
    write                              the door: chunks(settings), write_chunk, collect_labels
    tiny_clip                          a small CLIP that knows this world and nothing else

Everything is a pure function of (settings, document number), so chunks are written in any order, by any
number of processes, to the same bytes. The corpus needs no network and no license but CC0-1.0, and its labels
know what every other corpus can only guess: which image belongs to which text, and which document is bad in
which way.
"""
