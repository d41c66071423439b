"""Coherence of a document's images as a sequence.

    coherence.sequence = mean cosine(adjacent images) - mean cosine(all pairs)        document, [-2, 2]
    coherence.adjacent = mean cosine(adjacent images)                                 document, [-1, 1]
    coherence.all_pairs = mean cosine(all pairs)                                      document, [-1, 1]
    coherence.lowest, coherence.highest = least and greatest cosine(adjacent images)  document, [-1, 1]

A lesson that develops step by step scores above 0, an unordered set about 0, one repeated image exactly 0
(duplicate.within catches it). A single perceptual threshold, the usual choice, cannot separate "same scene,
next step" from "same image again" or "another story". Two rules do: nothing changes where coherence.lowest is
near 1, and the images have nothing in common where coherence.all_pairs is as low as that of images chosen at
random (CoMM, DuoGen).

Source: the image-sequence criterion of CoMM (arXiv 2406.10462), computed on the embeddings that alignment
caches. Cost: O(n^2 d) for the n images of one document; no model call.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from leafinstruct.filter.scores.cell import cell
from leafinstruct.records.example import Cell

Vectors = NDArray[np.float32]


def scores(vectors: Vectors, model: str) -> list[Cell]:
    """All cells. vectors: (n, d), unit rows, in document order, kept images only."""
    cells = [
        cell("coherence.sequence", sequence(vectors), model=model),
        cell("coherence.adjacent", adjacent(vectors), model=model),
        *(cell(f"coherence.{name}", value, model=model) for name, value in extremes(vectors).items()),
    ]
    return [
        item
        if item.value is not None
        else Cell(item.name, None, "not_scored", None, model, "not enough images")
        for item in cells
    ]


def sequence(vectors: Vectors) -> float:
    """Mean cosine similarity of adjacent images minus that of all pairs, for (n, d) unit rows.

    Returns NaN for n < 3, where adjacent pairs and all pairs coincide. A rule on NaN fails and reports the
    reason.
    """
    count = len(vectors)
    if count < 3:
        return math.nan
    cosine = vectors @ vectors.T  # (n, n)
    pairs = cosine[np.triu_indices(count, k=1)].mean()
    return float(np.diagonal(cosine, offset=1).mean() - pairs)


def extremes(vectors: Vectors) -> dict[str, float]:
    """Mean cosine of all pairs among (n, d) unit rows, and the lowest and highest of neighbors; NaN for
    n < 2."""
    if len(vectors) < 2:
        return dict.fromkeys(("all_pairs", "lowest", "highest"), math.nan)
    neighbors = (vectors[:-1] * vectors[1:]).sum(axis=1)
    pairs = (vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)]
    return {
        "all_pairs": float(pairs.mean()),
        "lowest": float(neighbors.min()),
        "highest": float(neighbors.max()),
    }


def adjacent(vectors: Vectors) -> float:
    """Mean cosine of neighbors among (n, d) unit rows; NaN for n < 2."""
    if len(vectors) < 2:
        return math.nan
    return float((vectors[:-1] * vectors[1:]).sum(axis=1).mean())
