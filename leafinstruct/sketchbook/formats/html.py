"""Write a page as HTML with the surroundings of a real site: banner, navigation, side bar, comments, footer.

There are four site templates, one per host. Text outside `<article>` or `<main>` belongs to the site, and an
extractor must remove it. Templates are plain strings: this module alone would not justify a template engine,
and every inserted value is escaped here, in `html` and `_block`.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from leafinstruct.sketchbook.documents.blocks import Block, DrawnImage, Paragraph
from leafinstruct.sketchbook.documents.page import LICENSE, Page
from leafinstruct.sketchbook.world.chance import stream

LINKS = (
    ("Ten tips for steady hands", "tips-for-steady-hands"),
    ("Our favourite sharpeners, tested", "favourite-sharpeners"),
    ("Watercolour or crayon?", "watercolour-or-crayon"),
    ("Reader gallery: September", "reader-gallery-september"),
    ("How we choose our paper stock", "how-we-choose-paper"),
    ("Behind the scenes of this website", "behind-the-scenes"),
    ("Holiday workshop dates announced", "holiday-workshop-dates"),
    ("Ask the editors", "ask-the-editors"),
)

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title} | {site}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="canonical" href="{url}">
<link rel="license" href="{license}">
<style>body{{font-family:Georgia,serif}}aside{{float:right;width:14em}}</style>
<script>window.site={{"name":"{site}","theme":"light"}};</script>
</head>
<body>
{content}
</body>
</html>
"""

BLOG = """<header class="site-header"><a class="logo" href="/">{site}</a>
<nav><ul><li><a href="/">Home</a></li><li><a href="/about">About us</a></li><li><a href="/news">Newsletter</a></li></ul></nav></header>
<main>
<article>
{body}
</article>
</main>
<aside class="sidebar"><h3>You may also like</h3><ul>{related}</ul></aside>
<section id="comments"><h3>Comments</h3><p>Log in to leave a reply.</p></section>
<footer><p>Copyright {site}. Privacy policy. Imprint.</p></footer>"""  # noqa: E501

MAGAZINE = """<div class="cookie-banner" role="dialog"><p>We use cookies to improve your experience.</p><button>Accept all</button></div>
<header><p class="site-title">{site} magazine</p></header>
<nav class="breadcrumbs"><a href="/">Start page</a> &rsaquo; <a href="/archive">Archive</a></nav>
<aside><h4>Most popular articles</h4><ul>{related}</ul>
<form action="/subscribe"><input type="email"><button>Subscribe</button></form></aside>
<article class="post">
{body}
</article>
<footer class="site-footer"><small>Published weekly. Terms of service apply.</small></footer>"""  # noqa: E501

SCHOOL = """<header role="banner"><a href="/">{site}</a></header>
<nav role="navigation"><a href="/courses">Courses</a> <a href="/teachers">Teachers</a> <a href="/contact">Contact</a></nav>
<main id="content">
{body}
</main>
<div class="related"><h3>Related posts</h3><ul>{related}</ul></div>
<footer role="contentinfo"><p>Enrol before the autumn term. All rights waived where possible.</p></footer>"""  # noqa: E501

SHOP = """<div id="top" class="navbar"><nav><a href="/basket">Basket (0)</a> <a href="/login">Sign in</a></nav></div>
<div class="layout"><aside class="widget"><h4>Advertisement</h4><p>Free delivery on orders above twenty euros.</p></aside>
<div class="content"><article>
{body}
</article></div>
<aside class="widget"><h4>Customers of {site} also viewed</h4><ul>{related}</ul></aside></div>
<footer><nav><a href="/returns">Returns</a> <a href="/jobs">Jobs</a></nav><p>Follow us on social media.</p></footer>"""  # noqa: E501

SITES = (BLOG, MAGAZINE, SCHOOL, SHOP)


def html(page: Page, source_of: Callable[[DrawnImage], str], language: str = "en") -> bytes:
    """Return the page in UTF-8. source_of: returns the `src` of an image. language: ISO 639-1 code."""
    site = page.host.partition(".")[0].replace("-", " ").title()
    body = "\n".join(_block(block, index, source_of) for index, block in enumerate(page.blocks))
    template = SITES[sum(page.host.encode()) % len(SITES)]
    content = template.format(site=site, body=body, related=_related(page))
    return PAGE.format(
        language=language,
        title=escape(page.howto.title),
        site=site,
        url=page.url,
        license=LICENSE,
        content=content,
    ).encode()


def _block(block: Block, index: int, source_of: Callable[[DrawnImage], str]) -> str:
    if isinstance(block, Paragraph):
        return _paragraph(block, index)
    image = (
        f'<img src="{escape(source_of(block))}" alt="{escape(block.alt)}" width="{block.px}" '
        f'height="{block.height or block.px}">'
    )
    if block.caption:
        return f"<figure>{image}<figcaption>{escape(block.caption)}</figcaption></figure>"
    return image


def _paragraph(block: Paragraph, index: int) -> str:
    text = escape(block.text)
    if block.kind == "list":
        return f"<ul>{''.join(f'<li>{item}</li>' for item in text.splitlines())}</ul>"
    if block.kind == "code":
        return f"<pre><code>{text}</code></pre>"
    tag = "p" if not block.heading else "h1" if index == 0 else "h2"
    return f"<{tag}>{text}</{tag}>"


def _related(page: Page) -> str:
    """Return the links of the side bar, chosen by the page's slug."""
    links = stream("links", page.slug).sample(LINKS, 4)
    return "".join(f'<li><a href="/news/{slug}.html">{text}</a></li>' for text, slug in links)
