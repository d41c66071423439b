"""Damage and imitate images: each function makes a decoded RGB image from a decoded RGB image."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from leafinstruct.sketchbook.clean.sentences import sentences
from leafinstruct.sketchbook.planting.qr import qr_code

SMALLEST = 96
"""Fewest pixels a side of a drawn imitation: a word must be readable."""


def decoded(data: bytes) -> Image.Image:
    """Decode a file as RGB, transparent areas on white, as filter sees them. Raises OSError for a broken
    one."""
    with Image.open(io.BytesIO(data)) as image:
        turned = ImageOps.exif_transpose(image)
        if not turned.has_transparency_data:
            return turned.convert("RGB")
        layer = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def blurred(image: Image.Image, rng: random.Random) -> Image.Image:
    """Gaussian blur with a radius of a 16th of the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(max(4, min(image.size) / 16)))


def noise(image: Image.Image, rng: random.Random) -> Image.Image:
    """Independent random pixels."""
    return Image.frombytes("RGB", image.size, rng.randbytes(3 * image.width * image.height))


def flat_color(image: Image.Image, rng: random.Random) -> Image.Image:
    """One color."""
    red, green, blue = (rng.randrange(256) for _ in range(3))
    return Image.new("RGB", image.size, (red, green, blue))


def low_contrast(image: Image.Image, rng: random.Random) -> Image.Image:
    """A twentieth of the contrast."""
    return ImageEnhance.Contrast(image).enhance(0.05)


def text_only(image: Image.Image, rng: random.Random) -> Image.Image:
    """Lines of black text on white."""
    made = Image.new("RGB", _size(image), "white")
    draw, size = ImageDraw.Draw(made), max(10, made.height // 16)
    words = " ".join(sentences("en", 6, rng)).split()
    for top in range(size // 2, made.height - size, size * 3 // 2):
        line = ""
        while words and draw.textlength(f"{line} {words[0]}", _font(size)) < made.width - 8:
            line = f"{line} {words.pop(0)}"
        draw.text((4, top), line.strip(), "black", _font(size))
    return made


def qr(image: Image.Image, rng: random.Random) -> Image.Image:
    """A QR code with a URL."""
    return qr_code(f"https://qr.example/{rng.getrandbits(32):08x}", max(SMALLEST, min(image.size)))


def screenshot(image: Image.Image, rng: random.Random) -> Image.Image:
    """A window with a title bar, a menu, a side bar, lines of text and buttons."""
    made = Image.new("RGB", _size(image), (240, 240, 240))
    draw, width, height = ImageDraw.Draw(made), *_size(image)
    unit = max(8, height // 14)
    draw.rectangle((0, 0, width, unit), (rng.randrange(40, 90), rng.randrange(60, 120), 150))
    for number in range(3):
        left = width - (number + 1) * unit
        draw.rectangle((left, 2, left + unit - 5, unit - 3), (225, 225, 225))
    draw.text((4, 1), rng.choice(("Settings", "New file", "Untitled")), "white", _font(unit * 3 // 4))
    draw.text((4, unit + 1), "File  Edit  View  Help", "black", _font(unit * 3 // 4))
    draw.rectangle((0, 2 * unit + 2, width // 4, height), (215, 220, 226))
    draw.rectangle((width // 4 + 4, 2 * unit + 6, width - 5, height - 2 * unit), "white", (150, 150, 150))
    for number, line in enumerate(sentences("en", 6, rng)):
        place = (width // 4 + 8, 2 * unit + 10 + number * unit)
        draw.text(place, line[: width // 8], (30, 30, 30), _font(unit * 3 // 4))
    for number, word in enumerate(("OK", "Cancel")):
        left = width - (2 - number) * width // 4
        draw.rectangle(
            (left, height - unit - 8, left + width // 5, height - 5), (225, 225, 225), (90, 90, 90)
        )
        draw.text((left + 4, height - unit - 6), word, "black", _font(unit * 3 // 4))
    return made


def watermark_bar(image: Image.Image, rng: random.Random) -> Image.Image:
    """A bar at the bottom with the name of a photo agency."""
    made, bar = image.copy(), max(10, image.height // 9)
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, made.height - bar, made.width, made.height), (20, 20, 20))
    words = f"stockphotos.example  {rng.randrange(10**6, 10**7)}"
    draw.text((4, made.height - bar), words, "white", _font(bar * 3 // 4))
    return made


def watermark_tiled(image: Image.Image, rng: random.Random) -> Image.Image:
    """Pale words over the whole image."""
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw, size = ImageDraw.Draw(layer), max(10, image.height // 10)
    word = rng.choice(("SAMPLE", "PREVIEW", "STOCK"))
    for row, top in enumerate(range(0, image.height, size * 2)):
        for left in range(-size * 2 * (row % 2), image.width, size * 5):
            draw.text(
                (left, top),
                word,
                (255, 255, 255, 130),
                _font(size),
                stroke_width=1,
                stroke_fill=(90, 90, 90, 130),
            )
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def logo(image: Image.Image, rng: random.Random) -> Image.Image:
    """A disk of one color with two letters, and a name beside it."""
    made = Image.new("RGB", (240, 96), "white")
    draw = ImageDraw.Draw(made)
    color = rng.choice(("navy", "darkred", "teal", "purple", "darkorange"))
    draw.ellipse((8, 8, 88, 88), color)
    draw.text((26, 28), rng.choice(("NW", "KD", "SB")), "white", _font(36))
    draw.text((100, 34), rng.choice(("Nordwerk", "Kestrel", "Sandbox")), color, _font(28))
    return made


def button(image: Image.Image, rng: random.Random) -> Image.Image:
    """A button with a word."""
    made = Image.new("RGB", (200, 72), "white")
    draw = ImageDraw.Draw(made)
    draw.rounded_rectangle((4, 4, 195, 67), 14, rng.choice(("green", "royalblue", "crimson")))
    draw.text((30, 18), rng.choice(("Download", "Buy now", "Sign up")), "white", _font(30))
    return made


def tiny_upscaled(image: Image.Image, rng: random.Random) -> Image.Image:
    """Reduced to 16 pixels, and enlarged again."""
    scale = 16 / max(image.size)
    small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    return small.resize(image.size, Image.Resampling.BICUBIC)


def banner(image: Image.Image, rng: random.Random) -> Image.Image:
    """An advertisement of 728 x 90 pixels."""
    made = Image.new("RGB", (728, 90), rng.choice(("gold", "tomato", "skyblue")))
    draw = ImageDraw.Draw(made)
    draw.text((20, 20), rng.choice(("SUMMER SALE  -50%", "OPEN YOUR ACCOUNT TODAY")), "black", _font(40))
    return made


def placeholder(image: Image.Image, rng: random.Random) -> Image.Image:
    """The gray image that a shop shows where it has none."""
    made = Image.new("RGB", _size(image), (221, 221, 221))
    draw, (width, height) = ImageDraw.Draw(made), made.size
    draw.rectangle((width // 3, height // 4, width * 2 // 3, height // 2), outline=(150, 150, 150), width=3)
    draw.ellipse((width * 5 // 12, height * 7 // 24, width * 7 // 12, height * 11 // 24), (150, 150, 150))
    words = rng.choice(("Image not available", "No image", "Image coming soon"))
    size = max(10, min(height // 10, width // 11))
    draw.text((width // 2, height * 2 // 3), words, (120, 120, 120), _font(size), anchor="mm")
    return made


def mirrored(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageOps.mirror(image)


def cropped(image: Image.Image, rng: random.Random) -> Image.Image:
    """A tenth cut off each side."""
    across, down = image.width // 10, image.height // 10
    return image.crop((across, down, image.width - across, image.height - down))


def resized(image: Image.Image, rng: random.Random) -> Image.Image:
    """Three quarters of the size, at least 64 pixels."""
    scale = max(0.75, 64 / min(image.size))
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def nearly_same(image: Image.Image, rng: random.Random) -> Image.Image:
    """The same image, a little brighter or darker and moved by a pixel or two."""
    moved = image.transform(
        image.size, Image.Transform.AFFINE, (1, 0, rng.choice((-2, -1, 1, 2)), 0, 1, rng.choice((-1, 1)))
    )
    return ImageEnhance.Brightness(moved).enhance(rng.choice((0.97, 1.03)))


def _size(image: Image.Image) -> tuple[int, int]:
    """The size of an imitation: of the image, at least SMALLEST, with an aspect of at most 2."""
    width, height = max(SMALLEST, image.width), max(SMALLEST, image.height)
    return min(width, 2 * height), min(height, 2 * width)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
