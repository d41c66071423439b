"""What `leaf train --dry-run` says of the rows: what becomes of them at each context length, and what pictures take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from leafinstruct.artifact import Artifact

COLUMNS = ("whole", "smaller", "cut", "dropped")


def lines(tokens: Artifact, counts: Mapping[str, int], context: int) -> list[str]:
    """A table of at most 80 columns. tokens: of train.tokens; context: the recipe's own, marked."""
    fits: dict[int, Counter[str]] = {}
    largest = 0
    for report in tokens.reports():
        largest = max(largest, report["largest"])
        for at, of in report["fits"].items():
            fits.setdefault(int(at), Counter()).update(of)
    found = ["  context" + "".join(f"{name:>12}" for name in COLUMNS)]
    for at, of in sorted(fits.items()):
        found.append(f"{at:>9,}" + "".join(f"{of[name]:>12,}" for name in COLUMNS) + ("  <- this recipe" if at == context else ""))
    found.append("rows that fit whole, with smaller pictures, cut, or not; unusable ones left out")
    if counts["pictures"]:
        mean = counts["picture_tokens"] / counts["pictures"]
        found.append(f"pictures: {mean:,.0f} tokens in the mean, {largest:,} the largest, marks included")
    found.append(f"said: {counts['said']:,} of {counts['tokens']:,} tokens, {counts['pictures_said']:,} of {counts['pictures']:,} pictures")
    return found
