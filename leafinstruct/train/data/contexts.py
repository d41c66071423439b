"""What `leaf train --dry-run` says of the rows: what becomes of them at each context length, and what images
take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from leafinstruct.runtime.artifact import Artifact

COLUMNS = ("whole", "smaller", "cut", "dropped")


def lines(tokens: Artifact, counts: Mapping[str, int], context: int) -> list[str]:
    """The table of `fits`, and what the rows hold."""
    found = fits(tokens, context)
    if counts["images"]:
        mean, largest = (
            counts["image_tokens"] / counts["images"],
            max(report["largest"] for report in tokens.reports()),
        )
        found.append(f"images: {mean:,.0f} tokens in the mean, {largest:,} the largest, marks included")
    found.append(
        f"target tokens: {counts['target_tokens']:,} of {counts['tokens']:,} tokens, "
        f"{counts['target_images']:,} of {counts['images']:,} images"
    )
    return found


def fits(tokens: Artifact, context: int) -> list[str]:
    """A table of at most 80 columns; nothing where no row was read. tokens: of train.tokens; context: the
    recipe's own, marked."""
    rows: dict[int, Counter[str]] = {}
    for report in tokens.reports():
        for at, of in report["fits"].items():
            rows.setdefault(int(at), Counter()).update(of)
    if not any(rows.values()):
        return []
    found = ["  context" + "".join(f"{name:>12}" for name in COLUMNS)]
    for at, of in sorted(rows.items()):
        found.append(
            f"{at:>9,}"
            + "".join(f"{of[name]:>12,}" for name in COLUMNS)
            + ("  <- this recipe" if at == context else "")
        )
    found.append("rows that fit whole, with smaller images, cut, or not; unusable ones left out")
    return found
