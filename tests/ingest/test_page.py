"""One page: reading order, kinds of text, what is removed as boilerplate, where an image's bytes are."""

from __future__ import annotations

import contextlib
import json
import string
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import read_all

from leafinstruct.ingest.config import HtmlSource
from leafinstruct.ingest.fields.text import word_set
from leafinstruct.ingest.page.page import MAX_PAGE, PageError, parse
from leafinstruct.ingest.page.sources import PageImage
from leafinstruct.ingest.page.walk import Block
from leafinstruct.ingest.readers import html


def pieces(html: str) -> list[str]:
    """`kind: text` of each block, `<address>` or `<!problem>` of each image."""
    return [
        f"<{item.sources[0] if item.sources else '!' + item.problem}>"
        if isinstance(item, PageImage)
        else f"{item.kind}: {item.text}"
        for item in parse(html.encode()).pieces
    ]


def body(inner: str) -> list[str]:
    return pieces(f"<html><head><title>t</title></head><body><main>{inner}</main></body></html>")


WORDS = "word " * 60

# --- order and kinds
# ----------------------------------------------------------------------------------------------------


def test_an_image_inside_a_paragraph_splits_it():
    assert body("<p>one <b>two</b> <img src=a.png> three</p>") == [
        "prose: one two",
        "<a.png>",
        "prose: three",
    ]


def test_headings_code_and_paragraphs_keep_their_kind_and_order():
    html = "<h2>Title</h2>loose text<p>para</p><pre>x = 1\n  y\t2  \n</pre><h3>Next</h3>"
    assert body(html) == [
        "heading: Title",
        "prose: loose text",
        "prose: para",
        "code: x = 1\n  y\t2",
        "heading: Next",
    ]


def test_a_caption_follows_the_images_of_its_figure_wherever_it_is_written():
    html = (
        "<figure><figcaption>what <i>it</i> is</figcaption><img src=a.png><img "
        "src=b.png></figure><p>after</p>"
    )
    assert body(html) == ["<a.png>", "<b.png>", "caption: what it is", "prose: after"]


def test_a_caption_of_several_paragraphs_is_one():
    assert body("<figure><img src=a.png><figcaption><p>One</p><p>Two</p>rest</figcaption></figure>") == [
        "<a.png>",
        "caption: One Two rest",
    ]


@pytest.mark.parametrize(
    "caption",
    [
        "<p><em>A cap</em> </p>",
        '<p class="wp-caption-text">A cap</p>',
        '<div class="image-caption">A cap</div>',
    ],
)
def test_a_paragraph_directly_after_an_image_can_be_its_caption(caption):
    assert body(f"<p><img src=a.png></p>{caption}<p><em>No cap</em></p>") == [
        "<a.png>",
        "caption: A cap",
        "prose: No cap",
    ]


def test_a_long_emphasized_paragraph_is_text():
    assert body(f"<img src=a.png><p><em>{WORDS * 2}</em></p>")[1].startswith("prose: word")


def test_a_list_is_one_block_split_only_by_images_and_code():
    html = (
        "<ol start=3><li>one<ul><li>sub <img src=a.png> more<li>sub "
        "two</ul><li><p>p1</p><p>p2</p><li><pre>code</pre>end</ol>"
    )
    assert body(html) == [
        "list: 3. one\n   - sub",
        "<a.png>",
        "list:      more\n   - sub two\n4. p1\n\n   p2",
        "code: code",
        "list: 5. end",
    ]


def test_a_heading_inside_an_item_takes_the_number_of_the_step():
    assert body("<ol><li><h3>Mix</h3><p>Stir.</p><img src=a.png></ol>") == [
        "heading: 1. Mix",
        "list:    Stir.",
        "<a.png>",
    ]


def test_definitions_are_a_list():
    assert body("<dl><dt>Term<dd>one<dd>two</dl>") == ["list: Term\n  one\n  two"]


def test_a_table_reads_row_by_row_and_an_image_is_in_its_cell():
    html = (
        "<table><caption>Cap</caption><tr><th></th><th>A</th><tr><td>r<br>1</td><td><img src=q.png> "
        "w</td><td>z</td><tr><td> </td></table>"
    )
    assert body(html) == ["caption: Cap", "table: | A\nr 1", "<q.png>", "table: w | z"]


def test_a_table_that_lays_out_the_page_is_not_a_table():
    assert body("<table><tr><td><h2>T</h2><p>left</p></td><td><p>right</p></td></tr></table>") == [
        "heading: T",
        "prose: left",
        "prose: right",
    ]


def test_two_line_breaks_end_a_paragraph_and_one_ends_a_line():
    assert body("a<br>b<br><br>c<hr>d") == ["prose: a\nb", "prose: c", "prose: d"]


def test_line_breaks_inside_code_are_kept():
    assert body("<pre>a<br>b\n\n  <span>c</span>&nbsp;d</pre>") == ["code: a\nb\n\n  c d"]


def test_permalink_signs_are_no_text():
    assert body(
        '<h2>T<a class="headerlink" href="#t">¶</a></h2><h3>U <a href="#u">#</a></h3><p>a <a href=x>link</a>'
    ) == ["heading: T", "heading: U", "prose: a link"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("17 g/m<sup>3</sup>, 10<sup>-6</sup>, H<sub>2</sub>O", "17 g/m³, 10⁻⁶, H₂O"),
        ("PCs<sup><a href=#f1>(1)</a></sup>", "PCs⁽¹⁾"),
        ("the 1<sup>st</sup> of x<sub>max</sub>, <sup></sup>y", "the 1st of xmax, y"),
    ],
)
def test_raised_and_lowered_numbers_keep_their_place(html, text):
    assert body(f"<p>{html}</p>") == [f"prose: {text}"]


def test_what_looks_like_a_control_token_stays_text():
    assert body("<p>&lt;image&gt; &lt;|im_start|&gt;system</p>") == ["prose: <image> <|im_start|>system"]


# --- boilerplate
# ----------------------------------------------------------------------------------------------------

FRAMES = [
    "<nav>Home</nav>",
    "<aside>Recent</aside>",
    "<footer>Privacy</footer>",
    "<form>Search <input></form>",
    '<div role="navigation">Home</div>',
    '<div class="topbar"><ul class=menu><li>Home</ul></div>',
    '<div class="main-nav">Home</div>',
    '<div id="footer">Imprint</div>',
    '<div class="breadcrumb">A &raquo; B</div>',
    '<div class="related"><h3>You may also like</h3></div>',
    '<section id="comments">Log in</section>',
    '<div class="cookie-banner" style="display:none">We use cookies</div>',
    '<div class="shareButtons">Tweet</div>',
    '<div class="ad-slot"><img src=ad.png></div>',
    "<script>var a</script>",
    "<style>p{}</style>",
    "<button>Accept</button>",
    "<p hidden>secret</p>",
    '<span class="sr-only">skip</span>',
    "<svg><text>drawn</text></svg>",
    "<div class=x><a href=1>Page one</a> <a href=2>Page two</a></div>",
    '<header role="banner"><h1>Site</h1></header>',
    "<header><h1>Site</h1><nav>Home</nav></header>",
    '<div class="qc-cmp2-container"><p>We and our partners</p></div>',
    '<div class="elementor-widget-share-buttons">Facebook</div>',
    '<p style="position: absolute; left: -9999px">bait</p>',
    '<p class="d-none d-print-block">Printed from a site</p>',
    '<div class="x1"><a href=1>Reply</a><a href=2>Report</a></div>',
    '<a href="/@me"><img src=face.png width=44 height=44></a>',
    "<p><img src=ad.gif width=468 height=60></p>",
    (
        "<div><h3>More</h3><ul><li><a href=/1><img src=1.png></a><h4><a "
        "href=/1>One</a></h4><p>few</p><li><a href=/2><img src=2.png>Two</a></ul></div>"
    ),
    '<div class="comments"><article><p>Thank you!</p></article></div>',
    "<amp-ad>Loading</amp-ad>",
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    "page",
    [
        "<main>{}</main>",
        "<article>{}</article>",
        "<div class=content>{}</div>",
        "<div id=wrap><div>{}</div></div>",
    ],
)
def test_boilerplate_before_and_after_the_text_is_removed(frame, page):
    content = f"<h1>Title</h1><p>{WORDS}</p><img src=a.png>"
    expected = ["heading: Title", f"prose: {WORDS.strip()}", "<a.png>"]
    assert pieces(f"<body>{frame}{page.format(content)}{frame}</body>") == expected


@pytest.mark.parametrize(
    "content",
    [
        '<div class="with-sidebar"><p>{}</p></div>',
        '<div class="menu-open"><main><p>{}</p></main></div>',
        "<form><p>{}</p></form>",
        '<article><section id="comments"><p>{}</p></section></article>',
        '<div class="elementor-widget"><p>{}</p></div>',
        '<div class="code-toolbar"><p>{}</p></div>',
        "<header><h1>Only title</h1></header><p>{}</p>",
        '<div class="menu-page"><div class="product__meta"><h1>Title</h1></div><p>{}</p></div>',
        (
            '<main><div class="has-comments no-share">one</div><div '
            'class="comments-open">two</div><p>{}</p></main>'
        ),
        '<main><table><tr><td class="rating">five</td></tr></table><p>{}</p></main>',
        '<main><div role="tabpanel" hidden>closed</div><p>{}</p></main>',
        "<main><h2><button>Folded</button></h2><p>{}</p></main>",
        '<main><section class="discussion"><p>{}</p></section></main>',
        '<div><h1>Title</h1><div class="post-content"><p>{}</p></div><div class="steps"><p>'
        + "step " * 40
        + "</p></div></div>",
        '<main><p>{}</p><p>press <span class="menu">File</span></p></main>',
        '<main><h2 id="share">Share</h2><p>{}</p></main>',
    ],
)
def test_what_only_looks_like_boilerplate_stays(content):
    html = content.format(WORDS)
    text = "".join("".join(line.split(": ", 1)[1].split()) for line in pieces(f"<body>{html}</body>"))
    assert text == "".join(
        part for part in html.replace(">", "> ").replace("<", " <").split() if not is_markup(part)
    )


def is_markup(part: str) -> bool:
    return any(sign in part for sign in '<>="') or part == ""


def test_a_menu_longer_than_the_text_is_still_a_menu():
    menu = "".join(f"<li><a href={n}>Menu entry number {n}</a>" for n in range(300))
    for frame in (f"<nav><ul>{menu}</ul></nav>", f"<div class=main-menu><ul>{menu}</ul></div>"):
        assert pieces(f"<body>{frame}<div><p>{WORDS}</p></div></body>") == [f"prose: {WORDS.strip()}"]


def test_a_declared_body_ends_the_article_and_its_title_and_image_begin_it():
    html = (
        "<div><p>kicker</p><img src=hero.png><h2 class=entry-title>Title</h2><p>lead</p><div "
        f"class=entry-content><p>{WORDS}</p></div>"
        "<div class=x9><p>Nobody knows what this is.</p></div></div><p>outside</p>"
    )
    assert pieces(f"<body><h1>The site</h1>{html}</body>") == [
        "<hero.png>",
        "heading: Title",
        "prose: lead",
        f"prose: {WORDS.strip()}",
    ]


GUIDE = "".join(
    f'<li><a href="{{0}}/{n}"><img src={n}.png></a> <a href="{{0}}/{n}">Kettle {n}</a>' for n in range(3)
)


@pytest.mark.parametrize(
    ("to", "kept"), [("/pages", 0), ("https://shop.example/items", 3), ("https://own.example/items", 0)]
)
def test_a_row_of_linked_images_is_a_teaser_unless_it_leads_to_another_site(to, kept):
    head = "<link rel=canonical href=https://own.example/guide>"
    found = pieces(
        f"<head>{head}</head><body><article><p>{WORDS}</p><ul>{GUIDE.format(to)}</ul></article></body>"
    )
    assert sum(line.startswith("<") for line in found) == kept


def test_a_gallery_and_a_page_of_teasers_stay():
    gallery = "".join(f"<a href={n}.jpg><img src=s{n}.jpg></a><a href={n}.jpg>large</a>" for n in range(3))
    assert sum(line.startswith("<") for line in body(f"<p>{WORDS}</p>{gallery}")) == 3
    assert (
        sum(line.startswith("<") for line in body(f"<h1>Recipes</h1><ul>{GUIDE.format('/pages')}</ul>")) == 3
    )


def test_a_shell_without_text_has_its_text_without_scripts():
    assert (
        pieces(f"<body><div id=app></div><noscript><h1>Title</h1><p>{WORDS * 2}</p></noscript></body>")[0]
        == "heading: Title"
    )
    with pytest.raises(PageError, match="no_content"):
        parse(
            b"<body><div id=app></div><noscript>You need to enable JavaScript to run this app.</noscript></body>"  # noqa: E501
        )


def test_a_title_above_the_article_belongs_to_it():
    assert pieces(f"<body><h1>Title</h1><article><p>{WORDS}</p></article><p>teaser</p></body>") == [
        "heading: Title",
        f"prose: {WORDS.strip()}",
    ]


# --- addresses
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "sources"),
    [
        ("<img src=a.jpg>", ("a.jpg",)),
        (
            '<img src=small.jpg srcset="m.jpg 600w, l.jpg 1200w, s.jpg 300w">',
            ("l.jpg", "m.jpg", "s.jpg", "small.jpg"),
        ),
        ('<img src=a.jpg srcset="a.jpg, b.jpg 2x">', ("b.jpg", "a.jpg")),
        (
            '<img srcset="https://c.example/w_1,h_2/a.jpg 2x, b.jpg">',
            ("https://c.example/w_1,h_2/a.jpg", "b.jpg"),
        ),
        ('<img src="data:image/gif;base64,R0lG" data-src=lazy.jpg>', ("lazy.jpg",)),
        (
            (
                "<picture><source type=image/avif srcset=a.avif><source type=image/svg+xml "
                "srcset=b.svg><img src=c.jpg></picture>"
            ),
            ("a.avif", "c.jpg"),
        ),
        ('<img src="data:image/gif;base64,R0lG"><noscript><img src=real.jpg></noscript>', ("real.jpg",)),
        ("<img src=a.jpg><noscript><img src=again.jpg></noscript>", ("a.jpg",)),
        ('<noscript><img src=real.jpg></noscript><img src="data:image/gif;base64,R0lG">', ("real.jpg",)),
        ("<img src=/i/blank.gif><noscript><img src=real.jpg></noscript>", ("real.jpg",)),
        ("<img src=/i/1x1.trans.gif data-echo=real.jpg data-id=7>", ("real.jpg",)),
        ("<img src=a.jpg data-pin-media=tall.jpg>", ("a.jpg", "tall.jpg")),
        ("<amp-img src=a.jpg><noscript><img src=again.jpg></noscript></amp-img>", ("a.jpg",)),
    ],
)
def test_the_best_real_address_comes_first(image, sources):
    (found,) = parse(f"<body><p>{image}</p></body>".encode()).pieces
    assert found.sources == sources


def test_an_empty_box_with_a_background_is_an_image_and_one_behind_text_is_decoration():
    boxes = (
        "<div style=\"color: red; background-image: url('a.jpg')\"></div><p data-bg=b.jpg "
        "aria-label=kettle></p>"
    )
    assert body(f"{boxes}<div style='background: url(c.jpg)'>text</div>") == [
        "<a.jpg>",
        "<b.jpg>",
        "prose: text",
    ]


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("<img>", "no_source"),
        ("<img src=''>", "no_source"),
        ("<img src=data:x>", "data_uri"),
        ("<img src=t.gif width=1 height=1>", "tracking_pixel"),
    ],
)
def test_an_image_without_a_real_url_has_a_reason(image, problem):
    assert body(f"<p>text</p>{image}") == ["prose: text", f"<!{problem}>"]


@pytest.mark.parametrize(
    ("head", "license_"),
    [
        ('<link rel="license" href="https://l.example/by">', "https://l.example/by"),
        ('<meta name="dcterms.license" content="CC BY 4.0">', "CC BY 4.0"),
        ("", None),
    ],
)
def test_the_license_of_the_page(head, license_):
    assert parse(f"<head>{head}</head><body><p>x".encode()).license == license_


def test_a_license_linked_in_the_footer_is_found_although_the_footer_is_removed():
    page = parse(b'<body><p>text</p><footer><a rel="license" href="/by">license</a></footer>')
    assert (page.license, [item.text for item in page.pieces]) == ("/by", ["text"])


# --- bad pages
# ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not_text"),
        (b"<html><head><title>x</title></head></html>", "no_body"),
        (b"<body><nav>Home</nav></body>", "no_content"),
        (b"<div>" * 50_000 + b"x", "too_deep"),
        (b"<ul><li>" * 40_000 + b"x", "too_deep"),
        (b"x" * (MAX_PAGE + 1), "too_large"),
        (b"<br>" * 2_000_000, "too_large"),
    ],
)
def test_a_page_without_a_document_has_one_reason(data, reason):
    with pytest.raises(PageError) as raised:
        parse(data)
    assert raised.value.reason == reason


def test_a_long_flat_page_is_not_too_deep():
    assert len(parse(b"<body>" + b"<p>x<b>y</b>" * 30_000).pieces) == 30_000


tags = st.sampled_from(
    sorted(
        word_set(
            "p div ul ol li table tr td th h1 h2 figure figcaption pre br a nav main article header dl dd "
            "form b em noscript"
        )
    )
)
soup = st.lists(
    st.one_of(
        tags.map("<{}>".format),
        tags.map("</{}>".format),
        st.text(string.printable + "äЖ中\u200d\ufeff\ud800", max_size=8),
        st.just('<img src="a b.png">'),
    ),
    max_size=40,
).map("".join)


@given(soup | st.binary(max_size=300))
def test_no_soup_raises_and_every_block_is_clean(data):
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    with contextlib.suppress(PageError):
        check(parse(raw).pieces)


def check(found: Sequence[Block | PageImage]) -> None:
    for item in found:
        if not isinstance(item, PageImage):
            assert item.text.strip() == item.text.strip("\n") or item.kind in ("code", "list", "heading")
            assert item.text == item.text.strip("\n")
            assert item.text.strip()
            json.dumps(item.text, ensure_ascii=False).encode()


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>{}</p>",
                "<div>{}</div>",
                "<h2>{}</h2>",
                "<li>{}</li>",
                "<pre>{}</pre>",
                "{}<br>",
                "<b>{}</b> ",
            ]
        ),
        max_size=30,
    )
)
def test_every_word_comes_out_once_and_in_order(templates):
    words = [f"w{n}" for n in range(len(templates))]
    html = "".join(template.format(word) for template, word in zip(templates, words, strict=True))
    found = " ".join(item.split(": ", 1)[1] for item in body(f"<p>start</p>{html}"))
    assert [word for word in found.split() if word != "-"] == ["start", *words]


@pytest.mark.parametrize(
    ("meta", "statement"),
    [
        ('name="robots" content="noindex, NoAI"', "noai"),
        ('name="ROBOTS" content="noimageai, noai"', "noai, noimageai"),
        ('name="tdm-reservation" content="1"', "tdm-reservation: 1"),
        ('name="tdm-reservation" content="0"', None),
        ('name="robots" content="noindex, nofollow"', None),
        ('name="description" content="noai"', None),
    ],
)
def test_a_page_that_opts_out_of_training_is_rejected_by_default(tmp_path, meta, statement):
    (tmp_path / "a.html").write_text(
        f"<html><head><meta {meta}></head><body><main><p>Fold the paper.</p></main></body></html>"
    )
    found = read_all(html, HtmlSource(name="s", path=str(tmp_path)), tmp_path)
    free = read_all(html, HtmlSource(name="s", path=str(tmp_path), opt_out=False), tmp_path)
    assert [type(item).__name__ for item in free] == ["Document"]
    if statement is None:
        assert found == free
    else:
        assert [(item.reason, item.detail) for item in found] == [
            ("opt_out", f"the page opts out of training: {statement}")
        ]
