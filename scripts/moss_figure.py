"""Write docs/moss.svg: the routing of rows, and the neighbors of each kernel as the code computes them.

python scripts/moss_figure.py
"""

from __future__ import annotations

from pathlib import Path

from leafinstruct.moss.layout import neighborhood

CELL, GRID = 22, 5
TEXT, PATCH, SEEN, SELF, LINE = "#f2c14e", "#7fb7be", "#7fb7be", "#d3635a", "#50514f"
KERNELS = (
    ("top_left", 2, "top_left, k = 2 (default)"),
    ("top_left", 3, "top_left, k = 3"),
    ("raster", 2, "raster, k = 2"),
    ("symmetric", 3, "symmetric, k = 3"),
)


def main() -> None:
    """Write the drawing."""
    pieces = [*routing(20, 34)]
    for number, (shape, kernel, title) in enumerate(KERNELS):
        pieces += footprint(20 + number * 180, 250, shape, kernel, title)
    style = f'font-family="sans-serif" font-size="12" fill="{LINE}"'
    body = "\n".join(pieces)
    page = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 400" {style}>\n<rect width="740" '
        f'height="400" fill="white"/>\n{body}\n</svg>\n'
    )
    (Path(__file__).parent.parent / "docs" / "moss.svg").write_text(page, encoding="utf-8")


def box(x: float, y: float, color: str, width: float = CELL, height: float = CELL, text: str = "") -> str:
    """Return a cell with a text in its middle."""
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{color}" stroke="{LINE}"/>'
    return rect + (
        f'<text x="{x + width / 2}" y="{y + height / 2 + 4}" text-anchor="middle">{text}</text>'
        if text
        else ""
    )


def arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    """Return a line that ends in a dot."""
    return (
        f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{LINE}"/><circle cx="{to_x}" '
        f'cy="{to_y}" r="2.5"/>'
    )


def routing(x: float, y: float) -> list[str]:
    """Return a sequence and the two paths through one linear layer."""
    rows = ["t", "t", "boi", *(f"p{n}" for n in range(9)), "eoi", "t", "t", "t"]
    found = [
        (
            f'<text x="{x}" y="{y - 12}" font-weight="bold">One sequence: text rows and the 3 x 3 patches of '
            "an image</text>"
        )
    ]
    step = 43
    for number, name in enumerate(rows):
        found.append(box(x + number * step, y, PATCH if name.startswith("p") else TEXT, step - 3, CELL, name))
    found.append(box(x, y + 80, TEXT, 300, 30, "W x + s_t B_t A_t x"))
    found.append(box(x + 385, y + 80, PATCH, 300, 30, "W x + s_i B_i conv_k(A_i; X)"))
    found += [arrow(x + at * step + 20, y + CELL, x + 150, y + 80) for at in (0, 1, 2, 12, 13, 14, 15)]
    found += [arrow(x + at * step + 20, y + CELL, x + 535, y + 80) for at in range(3, 12)]
    found.append(f'<text x="{x}" y="{y + 128}">text, padding, special tokens of images</text>')
    found.append(f'<text x="{x + 385}" y="{y + 128}">patches, laid on the grid of their own image</text>')
    return found


def footprint(x: float, y: float, shape: str, kernel: int, title: str) -> list[str]:
    """Return a kernel's neighbors around the patch in the middle."""
    seen = set(neighborhood(shape, kernel).offsets)
    found = [f'<text x="{x}" y="{y - 12}">{title}</text>']
    for row in range(GRID):
        for column in range(GRID):
            place = (row - GRID // 2, column - GRID // 2)
            color = SELF if place == (0, 0) else SEEN if place in seen else "white"
            found.append(box(x + column * CELL, y + row * CELL, color))
    return found


if __name__ == "__main__":
    main()
