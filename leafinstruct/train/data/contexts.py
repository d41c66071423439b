"""What `leaf train --dry-run` reports of the rows: how many fit each context length, and how long images
are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from leafinstruct.runtime.artifact import Artifact
from leafinstruct.train.data.tokens import TokensReport

COLUMNS = ("whole", "smaller", "cut", "dropped")


def lines(tokens: Artifact, counts: Mapping[str, int], context: int) -> list[str]:
    """Return the table of `fits`, and lines on the tokens and images of the rows."""
    found = fits(tokens, context)
    if counts["images"]:
        mean, largest = (
            counts["image_tokens"] / counts["images"],
            max(report.largest for report in tokens.reports_as(TokensReport)),
        )
        found.append(
            f"images: {mean:,.0f} tokens in the mean, {largest:,} the largest, including special tokens"
        )
    found.append(
        f"target tokens: {counts['target_tokens']:,} of {counts['tokens']:,} tokens, "
        f"{counts['target_images']:,} of {counts['images']:,} images"
    )
    return found


def fits(tokens: Artifact, context: int) -> list[str]:
    """Return a table of at most 80 columns; empty when no row was read. tokens: the artifact of data.tokens;
    context: the recipe's, which is marked."""
    rows: dict[int, Counter[str]] = {}
    for report in tokens.reports_as(TokensReport):
        for at, of in report.fits.items():
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
    found.append("rows that fit whole, with smaller images, cut, or not; without unusable ones")
    return found
