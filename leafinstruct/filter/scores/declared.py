"""The scores of prose, pixels and sequences: data of the catalog (filter/catalog.py)."""

from __future__ import annotations

from leafinstruct.filter.score import Level

PROSE = (
    ("alphabetic_words", "share of words with a letter (Gopher keeps 0.8 and more), [0, 1]"),
    ("alphanumeric", "share of letters and digits among characters other than white space, [0, 1]"),
    ("punctuation", "share of punctuation among characters other than white space (OBELICS), [0, 1]"),
    ("ended_lines", "share of lines that end like a sentence or with a colon (FineWeb keeps 0.12), [0, 1]"),
    ("short_lines", "share of lines of at most 30 characters, without headings (FineWeb keeps 0.67), [0, 1]"),
    ("cut_lines", "share of lines that end with an ellipsis or `read more` (Gopher keeps 0.3), [0, 1]"),
    ("bullets", "share of words in items of lists (Gopher: lines, at most 0.9), [0, 1]"),
    ("repeated_lines", "share of characters in lines that occurred before (Gopher keeps 0.2), [0, 1]"),
    ("repeated_paragraphs", "share of characters in texts that occurred before (Gopher keeps 0.2), [0, 1]"),
    ("top_pair", "share of words in the most frequent pair of words (Gopher keeps 0.2), [0, 1]"),
    ("mojibake", "sequences that a wrong character set leaves, per 100 words (by ftfy)"),
    ("gibberish", "share of letters and digits in words that no language has, [0, 1]"),
    (
        "language_fit",
        "how well its longer words fit its language: 0.6 and more in prose, less for damaged letters, [0, 3]",
    ),
    (
        "broken_end",
        "1 if its last line ends within a word or sentence although the others end like sentences, else 0",
    ),
    ("line_copies", "occurrences of lines of 3 words or more after the second of each"),
    ("step_copies", "how many times in a row the same texts occur between images"),
    ("page_talk", "share of sentences about the page itself (`click the image`) or of an assistant, [0, 1]"),
    ("image_rate", "image segments that the reader found, per 100 words"),
    ("stop_words", "share of function words; not applicable to languages without a list, [0, 1]"),
    (
        "without_stop_words",
        "share of words in texts of 10 words or more with fewer than 5% function words, [0, 1]",
    ),
)
"""Scores of scores/prose, computed in the pass of the text."""
PROSE_VERSIONS = {"broken_end": 2, "gibberish": 2, "language_fit": 2, "page_talk": 2}

PIXELS = (
    ("noise", "standard deviation of noise at 256 px in the quietest tenth of its blocks, gray levels"),
    ("noise_share", "noise over the standard deviation of its gray levels: at most 0.2 in photos, [0, 1]"),
    ("flat", "share of pixels that equal their neighbors: 0.6 and more in most drawings, [0, 1]"),
    ("text", "share of its area in lines of text, found by their edges, [0, 1]"),
    ("codes", "share of its area in QR, Data Matrix and Aztec codes (by zxing-cpp), [0, 1]"),
    (
        "bars",
        "share of its rows in black or white bars along the upper and lower edge, as of watermarks, [0, 0.4]",
    ),
    (
        "tiling",
        "how well its strokes repeat in two directions: 0.15 and more under a repeated watermark, [0, 1]",
    ),
)
"""Scores of scores/pixels, computed when an image is decoded."""

SEQUENCE: tuple[tuple[str, Level, str, int], ...] = (
    (
        *("change", "image"),
        "gray levels by which the most changed of its 64 x 64 cells differs from the most similar earlier "
        "image or its mirror image, after the best small shift, [0, 255]; 255 if there is none",
        2,
    ),
    (
        *("crop", "image"),
        "the same for the part of an earlier image that it resembles most, [0, 255]; 255 if there is none",
        1,
    ),
    (
        *("copies", "document"),
        "share of its images after the first with a change below 7; not applicable to fewer than two, [0, 1]",
        1,
    ),
)
"""Scores of scores/sequence.py beside the structural similarity."""
