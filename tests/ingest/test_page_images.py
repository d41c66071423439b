"""Images of pages: which URLs an element has, which of them an ordinary screen shows, and where images are besides <img>."""

# ruff: noqa: E501 - pages in one line

from __future__ import annotations

import pytest
from ingest.reading import TEXT, shown

from leafinstruct.ingest.page.media import matches
from leafinstruct.ingest.page.page import parse


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<img src=/r.jpg data-lazy=true>", ["</r.jpg>"]),
        ("<img src=/r.jpg data-lazy=1 data-src=null data-original=''>", ["</r.jpg>"]),
        ("<img src=/r.jpg data-src=undefined>", ["</r.jpg>"]),
        ("<img src=/r.jpg data-src='{{ image.url }}'>", ["</r.jpg>"]),
        ("<img src='{{ image.url }}' data-src=/r.jpg>", ["</r.jpg>"]),
        ("<img src=undefined>", ["!no_source"]),
        ("<img src=0 data-src=300 data-lazy=0.5>", ["<0>"]),
        ("<img src=/r.jpg srcset=undefined data-srcset='null 1x'>", ["</r.jpg>"]),
        ("<img src=/r.jpg data-src='{\"a\":1}'>", ["</r.jpg>"]),
        ("<img src=/blank.gif data-url=https://cdn.e.org/i/123>", ["<https://cdn.e.org/i/123>"]),
        ("<img src=/blank.gif data-photo=/i/123>", ["</i/123>"]),
        ("<img src='data:image/gif;base64,R0' lazy-src=/a/b?id=3>", ["</a/b?id=3>"]),
        ("<img src=/r.jpg data-href=/page data-title='a.jpg' alt='b.jpg'>", ["</r.jpg>"]),
        ("<img src=static/none.gif file=/d.jpg zoomfile=/d.jpg>", ["</d.jpg,static/none.gif>"]),
        (
            "<img src=/a_300x300.jpg data-src='/a_{width}x.jpg' data-widths='[180, 360, 2048]'>",
            ["</a_2048x.jpg,/a_300x300.jpg>"],
        ),
        ("<img src=/img/placeholder.png?v=2 data-src=/r.jpg>", ["</r.jpg>"]),
        ("<img src=/img/lazy-placeholder.svg data-x=r.webp>", ["<r.webp>"]),
        ("<img src=/img/spacer.gif>", ["</img/spacer.gif>"]),
        ("<img src=/t/transparent.png data-foo=/r.jpg>", ["</r.jpg>"]),
        ("<img src=/t/transparent-window.png data-pin-media=/r.jpg>", ["</t/transparent-window.png,/r.jpg>"]),
    ],
)
def test_an_attribute_is_a_url_only_if_it_looks_like_one(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<img src=/s.jpg srcset='/a.jpg 300w 200h, /b.jpg 600w 400h'>", ["</b.jpg,/a.jpg,/s.jpg>"]),
        (
            "<img src=/s.jpg srcset='/w_300,h_2/a.jpg 300w, /w_600,h_4/a.jpg 600w,/c,d.jpg 50w'>",
            ["</w_600,h_4/a.jpg,/w_300,h_2/a.jpg,/c,d.jpg,/s.jpg>"],
        ),
        ("<img src=/s.jpg srcset='/a.jpg 300q, /b.jpg 2x 3x, /c.jpg 1.5x'>", ["</c.jpg,/s.jpg>"]),
    ],
)
def test_a_srcset_is_read_as_in_browsers(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<picture><source media='(prefers-color-scheme: dark)' srcset=/d.png><source media='(prefers-color-scheme: light)' srcset=/l.png><img src=/x.png></picture>",
            ["</l.png,/x.png>"],
        ),
        (
            "<picture><source media='(max-width: 767px)' srcset='/p.jpg 3000w'><source media='(min-width: 768px)' srcset='/w.jpg 1200w, /w2.jpg 2400w'><img src=/x.png></picture>",
            ["</w2.jpg,/w.jpg,/x.png>"],
        ),
        (
            "<picture><source media='(min-width: 1200px)' srcset=/a.jpg><source media='(min-width: 600px)' srcset='/b.jpg 2x'><img src=/c.jpg></picture>",
            ["</a.jpg,/b.jpg,/c.jpg>"],
        ),
        ("<picture><source media=print srcset=/p.png><img src=/x.png></picture>", ["</x.png>"]),
        ("<picture><source media='(max-width:600px)' srcset=/p.png><img></picture>", ["</p.png>"]),
        (
            "<picture><source type='image/jxl' srcset=/a.jxl><source type='image/webp; q=1' srcset=/a.webp><source type=IMAGE/PNG srcset=/a.png><img src=/x.jpg></picture>",
            ["</a.webp,/a.png,/x.jpg>"],
        ),
        (
            "<picture><source srcset='data:image/gif;base64,R0' data-srcset='/big.jpg 1200w'><img src=/blank.gif data-src=/s.jpg></picture>",
            ["</big.jpg,/s.jpg>"],
        ),
    ],
)
def test_a_picture_is_the_one_of_an_ordinary_screen(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    "query",
    [
        "",
        "all",
        "screen",
        "(min-width: 600px)",
        "(prefers-color-scheme:light)",
        "not all and (max-width: 600px)",
        "not print",
        "only screen and (min-width:48em)",
        "print, (min-width:1px)",
        "(width >= 600px)",
        "(600px<width)",
        "(orientation:landscape)",
        "(hover)",
        "(min-aspect-ratio: 16/9)",
        "(color)",
        "not (max-width: 600px)",
        "((min-width: 400px) and (not (max-width: 900px)))",
        "(max-width: 600px) or (min-width:1000px)",
        "(prefers-reduced-motion: no-preference)",
        "SCREEN AND (MIN-WIDTH: 10PX)",
        "(min-width:1280px)",
    ],
)
def test_these_media_queries_are_for_a_light_desktop(query):
    assert matches(query)


@pytest.mark.parametrize(
    "query",
    [
        "print",
        "(max-width:600px)",
        "(prefers-color-scheme: dark)",
        "screen and (max-width: 47.9375em)",
        "(400px <= width <= 700px)",
        "(orientation: portrait)",
        "(min-resolution: 2dppx)",
        "(-webkit-min-device-pixel-ratio: 1.5)",
        "(hover: none)",
        "(pointer: coarse)",
        "(max-aspect-ratio: 1/1)",
        "(monochrome)",
        "(unknown: 3)",
        "not (unknown: 3)",
        "(min-width: 400px) and (max-width: 900px)",
        "tv",
        "(min-width: calc(100px + 1em))",
        "screen and",
        "((((",
        "(prefers-reduced-motion: reduce)",
        "speech",
        "not screen",
        "(min--moz-device-pixel-ratio: 1.5)",
        "(max-device-width: 480px)",
        "(color-gamut: p3)",
    ],
)
def test_these_media_queries_are_for_others_or_not_understood(query):
    assert not matches(query)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<figure><noscript><img src=/only.jpg></noscript><figcaption>Cap</figcaption></figure>",
            ["</only.jpg>", "Cap"],
        ),
        ("<p>Look: <noscript><img src=/only.jpg></noscript></p>", ["Look:", "</only.jpg>"]),
        (
            "<div class=r><img src='data:image/gif;base64,R0'></div><noscript><img src=/real.jpg></noscript>",
            ["</real.jpg>"],
        ),
        (
            "<div class=r><span><img src='data:image/gif;base64,R0'></span><span><noscript><img src=/real.jpg></noscript></span></div>",
            ["</real.jpg>"],
        ),
        (
            "<div><noscript><picture><source srcset='/l.jpg 900w'><img src=/s.jpg></picture></noscript></div>",
            ["</l.jpg,/s.jpg>"],
        ),
        (
            "<img src=/max/60/a.jpg class=x><noscript><img src=/max/1200/a.jpg></noscript>",
            ["</max/1200/a.jpg>"],
        ),
        (
            "<div><img class='lazy lqip' src=/t.jpg></div><noscript><img src=/full.jpg></noscript>",
            ["</full.jpg>"],
        ),
        (
            "<img src=/t.jpg width=32 height=20><noscript><img src=/full.jpg width=800></noscript>",
            ["</full.jpg>"],
        ),
        (
            "<img src='data:image/gif;base64,R0' data-src=/a.jpg><noscript><img src=/a.jpg></noscript>",
            ["</a.jpg>"],
        ),
        (
            "<figure><img data-src=/a.jpg></figure><p>x</p><noscript><img src=/a.jpg></noscript>",
            ["</a.jpg>", "x"],
        ),
        (
            "<noscript><img height=1 width=1 style='display:none' src='https://www.facebook.com/tr?id=1&noscript=1'></noscript>",
            [],
        ),
        (
            "<noscript><div><img src='https://mc.yandex.ru/watch/1' style='position:absolute; left:-9999px;' alt=''></div></noscript>",
            [],
        ),
        ("<noscript><p><img src='//m.org/matomo.php?idsite=1' style='border:0;' alt=''></p></noscript>", []),
        ("<noscript><img src=/a.jpg><img src=/b.jpg></noscript>", ["</a.jpg>", "</b.jpg>"]),
        (
            "<noscript><figure><img src=/a.jpg><figcaption>C</figcaption></figure></noscript>",
            ["</a.jpg>", "C"],
        ),
        (
            "<span><img src='data:image/gif;base64,R0lGO'><noscript><img srcset='/_next/image?url=%2Fa.jpg&amp;w=640 1x, /_next/image?url=%2Fa.jpg&amp;w=1200 2x'></noscript></span>",
            ["</_next/image?url=%2Fa.jpg&w=1200,/_next/image?url=%2Fa.jpg&w=640>"],
        ),
        (
            "<img src='data:image/svg+xml,%3Csvg%3E' data-lazy-src=/a.jpg data-lazy-srcset='/s.jpg 300w, /a.jpg 1024w'><noscript><img src=/a.jpg></noscript>",
            ["</a.jpg,/s.jpg>"],
        ),
        ("<a href=/x><noscript><img src=/a.jpg alt=t></noscript></a>", ["</a.jpg>"]),
        ("<noscript><img src=/kitchen-counter.jpg></noscript>", ["</kitchen-counter.jpg>"]),
    ],
)
def test_an_image_in_noscript_is_shown_once_and_no_counter_is(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<x-s><template shadowrootmode=open><p>Wait one day.</p><img src=/s.jpg></template></x-s>",
            ["Wait one day.", "</s.jpg>"],
        ),
        (
            "<x-s><template shadowrootmode=closed><h3><slot name=t>Default</slot></h3><slot></slot><p>End.</p></template><p>Body.</p><b slot=t>Title</b><img src=/s.jpg></x-s>",
            ["Title", "Body.", "</s.jpg>", "End."],
        ),
        (
            "<x-s><template shadowrootmode=open><x-t><template shadowrootmode=open><p>In.</p><slot></slot></template><p>Light.</p></x-t></template></x-s>",
            ["In.", "Light."],
        ),
        (
            "<x-s><template shadowrootmode=open><slot name=q><p>Fallback.</p></slot></template></x-s>",
            ["Fallback."],
        ),
        ("<x-s><template shadowrootmode=open><style>p{}</style><p>Hi.</p></template></x-s>", ["Hi."]),
        (
            "<template id=row><img src=/x.jpg></template>",
            ["~not_shown: 1 images and 0 texts inside <template>, which the page does not show"],
        ),
        ("<template id=row><img src='{{x}}'></template>", []),
        ("<p>Hi.</p><svg><template shadowrootmode=open> x", ["Hi."]),
    ],
)
def test_a_shadow_tree_is_shown_with_its_slots_and_no_other_template_is(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<button class=zoom><img src=/z.jpg></button>", ["</z.jpg>"]),
        (
            "<figure><button aria-label=Enlarge><picture><source srcset='/b.jpg 2x'><img src=/z.jpg></picture></button><figcaption>C</figcaption></figure>",
            ["</b.jpg,/z.jpg>", "C"],
        ),
        (
            "<button><img src=/close.png></button><button><img src=/x.svg></button><button><img width=24 height=24 src=/a.png></button>",
            [],
        ),
        ("<button class=lightbox><a href=/z.jpg><img src=/z.jpg></a></button>", ["</z.jpg>"]),
        ("<object data=/o.jpg type=image/jpeg>text</object>", ["</o.jpg>"]),
        ("<object data=/o.svg type=image/svg+xml><img src=/o.png></object>", ["</o.png>"]),
        ("<object data=/o.swf><embed src=/o.swf><img src=/o.png alt=x></object>", ["</o.png>"]),
        ("<canvas><img src=/c.png></canvas>", ["</c.png>"]),
        ("<video poster=/p.jpg><source src=/v.mp4>Your browser does not support it.</video>", ["</p.jpg>"]),
        ("<video><source src=/v.mp4><img src=/v.gif></video>", ["</v.gif>"]),
        ("<video src=/v.mp4></video>", []),
        ("<embed src=/e.png type=image/png>", ["</e.png>"]),
        ("<svg width=600><image href=/s.jpg></image></svg>", ["</s.jpg>"]),
        ("<svg><g><image xlink:href=/s.jpg /></g></svg>", ["</s.jpg>"]),
        ("<img usemap=#m src=/m.png><map name=m><p>In map.</p><area href=/x></map>", ["</m.png>", "In map."]),
        (
            "<dialog><img src=/d.jpg></dialog>",
            ["~not_shown: 1 images and 0 texts inside <dialog>, which the page does not show"],
        ),
        ("<img src=/d.jpg><dialog><img src=/d.jpg></dialog>", ["</d.jpg>"]),
        ("<button class=zoom><img src=/star-cake.jpg></button>", ["</star-cake.jpg>"]),
        ("<video poster='data:image/gif;base64,R0' data-poster=/p.jpg></video>", ["</p.jpg>"]),
        ("<object data=/a.swf><object data=/b.jpg type=image/jpeg></object></object>", ["</b.jpg>"]),
        (
            "<div><img src=/big.jpg></div><div><button class=thumb><img src=/t1.jpg></button></div>",
            ["</big.jpg>"],
        ),
        (
            f"<dialog><p>{'Fold the paper twice. ' * 20}</p></dialog>",
            ["~not_shown: 0 images and 1 texts inside <dialog>, which the page does not show"],
        ),
        ("<dialog class=cookie-consent><img src=/logo.png></dialog>", []),
    ],
)
def test_images_of_elements_that_are_not_read_are_shown_or_reported(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<div style=\"background: url('/overlay.png'), url(/bg.jpg)\"></div>", ["</bg.jpg>"]),
        (
            "<div style=\"background-image:url('data:image/png;base64,AA;,)('), url(/bg.jpg)\"></div>",
            ["</bg.jpg>"],
        ),
        (
            "<div style='background: linear-gradient(rgba(0,0,0,.5), rgba(1,1,1,.5)), url(/bg.jpg) no-repeat'></div>",
            ["</bg.jpg>"],
        ),
        ('<div style=\'background-image: image-set("/a.png" 1x, "/a2.png" 2x)\'></div>', ["</a2.png>"]),
        ("<div style='--x: url(/v.jpg); cursor: url(/c.png)'></div>", []),
        (
            "<div data-bg='url(/a.jpg)'></div><div data-bg=true></div><div data-background='#fff'></div>",
            ["</a.jpg>"],
        ),
        ("<div data-bg=true style='background:url(/b.jpg)'></div>", ["</b.jpg>"]),
        ("<div data-bgset='/a.jpg 300w, /b.jpg 900w'></div>", ["</b.jpg>"]),
    ],
)
def test_backgrounds_of_an_empty_box_are_images(page, expected):
    assert shown(page) == expected


N = 10_000
HOSTILE = {
    "noscripts distinct": "".join(f"<noscript><img src=a{i}.jpg></noscript><p>x</p>" for i in range(N)),
    "templates wide": "<x-a>" + "<template shadowrootmode=open><p>x</p></template>" * N + "</x-a>",
    "templates many": "<x-a><template shadowrootmode=open><p>x</p><slot></slot></template>y</x-a>" * N,
    "templates deep": "<x-a><template shadowrootmode=open>" * 60 + "x",
    "slots": "<x-a><template shadowrootmode=open>"
    + "".join(f"<slot name=s{i}></slot>" for i in range(N))
    + "</template>"
    + "".join(f"<b slot=s{i}>x</b>" for i in range(N)),
    "math": "<math><mi>x</mi></math> " * N,
    "math box": "<p class=katex>" + "<math><mi>x</mi></math> " * N,
    "math deep": "<math>" + "<mrow>" * 200 + "x",
    "math wide": "<math>" + "<msup><mi>x</mi><mn>2</mn></msup>" * N + "</math>",
    "mathjax scripts": "<p>" + "<span class=MathJax>x</span><script type=math/tex>x</script>" * N,
    "buttons": "<button class=z><img src=a.jpg></button>" * N,
    "objects deep": "<object><img src=a.jpg>" * 200,
    "videos": "<video poster=a.jpg></video>" * N,
    "twins box": "<div><div class=mobile>"
    + "<img src=a.jpg>" * N
    + "</div><div class=desktop><img src=b.jpg></div></div>",
    "twins": "<div>" + "<img class=mobile src=a.jpg><img class=desktop src=b.jpg>" * N + "</div>",
    "emoji": "<p>" + "<img class=emoji alt=x src=a.png>" * N,
    "style": '<div style="' + "background:url(a.jpg)," * 200000 + '"></div>',
    "style2": '<div style="background:' + "(" * 2000000 + 'url("></div>',
    "style3": '<div style="background:' + "url('" * 1000000 + '"></div>',
    "style4": '<div style="' + "'a" * 1000000 + 'url("></div>',
    "classes": "<p class='" + "show-" * 200_000 + "'>x</p>",
    "classes2": "<p class='" + "d-md-none " * 100_000 + "'>x</p>",
    "media": "<picture><source media='" + "(" * 100000 + "' srcset=a.jpg><img src=b.jpg></picture>" * 1,
    "media many": "<picture>"
    + "<source media='(min-width: 3px) and (max-width:500px)' srcset=a.jpg>" * N
    + "<img src=b.jpg></picture>",
    "srcset parens": "<img src=a.jpg srcset='a " + "(" * 3000000 + "'>",
    "srcset w": "<img src=a.jpg srcset='a " + "1w " * 1000000 + "'>",
    "attrs": "<img src=a.jpg " + " ".join(f"data-x{i}=/b{i}.jpg" for i in range(15000)) + ">",
    "lazy long": "<img src=blank.gif data-src='/" + "a." * 1999 + " '>" * 5000,
    "data-x long": "<img src=blank.gif data-foo='" + ".jpg?" * 700 + " x'>" * 5000,
    "dialogs": "<dialog><img src=a.jpg></dialog>" * N,
    "svg image": "<svg><image href=/a.jpg></image></svg>" * N,
    "svg images": "<svg>" + "<image href=/a.jpg></image>" * N + "</svg>",
    "svg nested": "<svg><g>" * 100 + "<image href=/a.jpg></image>" * 1000,
    "maps": "<map><p>x</p></map>" * N,
    "ruby": "<ruby>x<rt>y</rt></ruby>" * N,
    "big src": "<img class=emoji alt='" + "x" * 5000000 + "' src='data:" + "y" * 5000000 + "'>",
    "style brackets": "<i style='background:" + "url(a)," * 300000 + "'></i>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_hostile_page_takes_more_than_its_length(name):
    """A page that is read in quadratic time takes minutes here."""
    assert parse(f"<body><p>{TEXT}</p>{HOSTILE[name]}".encode()).pieces
