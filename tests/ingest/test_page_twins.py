"""What a page shows twice is read once: twins for other screens, formulas, emoji, ruby."""

# ruff: noqa: E501 - pages in one line

from __future__ import annotations

import pytest
from ingest.reading import TEXT, shown

from leafinstruct.ingest.page.main.screens import is_for_others
from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.page.sources import PageImage


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<img class='d-md-none' src=/m.jpg><img class='d-none d-md-block' src=/d.jpg>", ["</d.jpg>"]),
        (
            "<div class='md:hidden'><img src=/m.jpg></div><div class='hidden md:block'><img src=/d.jpg></div>",
            ["</d.jpg>"],
        ),
        ("<img class='dark:hidden' src=/l.jpg><img class='hidden dark:block' src=/d.jpg>", ["</l.jpg>"]),
        ("<img class=show-for-small-only src=/m.jpg><img class=show-for-medium src=/d.jpg>", ["</d.jpg>"]),
        ("<img class=is-hidden-tablet src=/m.jpg><img class=is-hidden-mobile src=/d.jpg>", ["</d.jpg>"]),
        (
            "<p>Press <span class='d-none d-lg-inline'>the long button</span><span class='d-lg-none'>it</span> now.</p>",
            ["Press the long button now."],
        ),
        ("<div><img class=pc src=/d.jpg><img class=sp src=/m.jpg></div>", ["</d.jpg>"]),
        (
            "<p><img class=hero__img--mobile src=/m.jpg><img class=hero__img--desktop src=/d.jpg></p>",
            ["</d.jpg>"],
        ),
        ("<p><img class=mobile src=/m.jpg></p>", ["</m.jpg>"]),
        (
            "<p><img src=/l.png#gh-light-mode-only><img src=/d.png#gh-dark-mode-only></p>",
            ["</l.png#gh-light-mode-only>"],
        ),
        (
            "<div class='s slick-cloned'><img src=/3.jpg></div><div class=s><img src=/1.jpg></div>",
            ["</1.jpg>"],
        ),
        (
            "<amp-img media='(max-width: 600px)' src=/m.jpg></amp-img><amp-img media='(min-width: 601px)' src=/d.jpg></amp-img>",
            ["</d.jpg>"],
        ),
    ],
)
def test_of_twins_the_one_for_a_light_desktop_is_read(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    "classes",
    [
        "d-md-none",
        "d-none d-md-block d-lg-none",
        "d-block d-sm-none",
        "md:hidden",
        "block lg:hidden",
        "hidden dark:block",
        "visible-xs",
        "visible-xs-block",
        "hidden-lg",
        "hidden-md hidden-lg",
        "hidden-md-up",
        "show-for-small-only",
        "hide-for-medium",
        "is-hidden-desktop",
        "is-hidden-tablet",
        "uk-hidden@m",
        "hide-on-med-and-up",
        "ion-hide-md-up",
        "elementor-hidden-desktop",
        "mobile only row",
        "mobile-only",
        "hide-on-desktop",
        "sp-only",
        "only-dark",
        "dark-only",
        "slick-slide slick-cloned",
        "visible-sm visible-xs",
        "hidden-md-and-up",
        "vc_hidden-lg",
        "only-mobile",
        "show-on-mobile",
        "desktop-hidden",
        "d-sm-none",
        "sm:hidden",
        "dn-l",
        "show-mobile",
        "d-inline d-xl-none",
        "hidden-desktop",
        "inline-block sm:hidden",
        "show-for-dark-mode",
    ],
)
def test_these_classes_hide_an_element_on_a_desktop(classes):
    assert is_for_others(classes)


@pytest.mark.parametrize(
    "classes",
    [
        "d-none d-md-block",
        "d-none",
        "hidden",
        "hidden md:block",
        "d-none d-md-inline",
        "hidden-xs",
        "visible-lg",
        "hidden-xs hidden-sm",
        "visible-md visible-lg",
        "hidden-sm-down",
        "show-for-medium",
        "hide-for-small-only",
        "is-hidden-mobile",
        "is-hidden-touch",
        "uk-visible@m",
        "hide-on-small-only",
        "hide-on-med-and-down",
        "ion-hide-md-down",
        "elementor-hidden-mobile",
        "computer only",
        "mobile tablet computer only",
        "desktop-only",
        "hide-on-mobile",
        "pc-only",
        "only-light",
        "dark:hidden",
        "dark:block",
        "d-flex",
        "block",
        "show",
        "only-child",
        "visible",
        "md:flex",
        "max-md:hidden",
        "flex md:hidden lg:block",
        "mobile-first",
        "hidden sm:flex",
        "d-print-none",
        "print:hidden",
        "show-code",
        "no-large-padding",
        "table",
        "gt-sm",
        "only",
        "darker",
        "d-none d-sm-block d-md-none d-lg-block",
        "hide-for-large-only-x",
        "overflow-hidden",
        "no-desktop-icons",
        "group-hover:hidden",
        "hide-mobile",
    ],
)
def test_these_classes_do_not(classes):
    assert not is_for_others(classes)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<p>Well done <img class=emoji alt='🎉' src='http://s.w.org/images/core/emoji/x.svg'> you did it</p>",
            ["Well done 🎉 you did it"],
        ),
        (
            "<p>Fun <img src=/wp-includes/images/smilies/icon_smile.gif alt=':)' class=wp-smiley></p>",
            ["Fun :)"],
        ),
        ("<p>Go<img draggable=false class=twemoji alt='🚀' src=/t/1f680.svg>!</p>", ["Go🚀!"]),
        ("<p>Go <img alt='🚀' src=https://twemoji.maxcdn.com/v/14/svg/1f680.svg> x</p>", ["Go 🚀 x"]),
        (
            "<p>Hi <img src=/images/emoji/twitter/smile.png?v=12 title=':smile:' class=emoji alt=':smile:' width=20 height=20> x</p>",
            ["Hi :smile: x"],
        ),
        (
            "<p>Hi <img class=emoji src=/x.png> x</p>",
            ["Hi x", "~emoji_without_alt: 1 emoji as images without a text"],
        ),
        ("<p><img alt='🎂' src=/cake.jpg></p>", ["</cake.jpg>"]),
        ("<p><img class=emoji-hero alt='🎂' width=400 src=/cake.jpg></p>", ["</cake.jpg>"]),
        ("<p><img class=emoji-guide src=/a.jpg alt='All emoji'></p>", ["</a.jpg>"]),
        ("<ul><li><picture><img class=emoji alt='✅' src=/1.png></picture> Done</ul>", ["- ✅ Done"]),
    ],
)
def test_an_emoji_is_text_in_its_sentence(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            "<p>So <img src='https://s0.wp.com/latex.php?latex=E%3Dmc%5E2' alt='E=mc^2' class=latex> holds</p>",
            ["So E=mc^2 holds"],
        ),
        ("<p>So <img src='https://latex.codecogs.com/gif.latex?E=mc%5E2'> holds</p>", ["So E=mc^2 holds"]),
        (
            "<p>So <span class='mwe-math-element'><span class='mwe-math-mathml-inline mwe-math-mathml-a11y' style='display: none;'><math alttext='{\\displaystyle E=mc^{2}}'><semantics><mrow><mi>E</mi></mrow><annotation encoding='application/x-tex'>{\\displaystyle E=mc^{2}}</annotation></semantics></math></span><img src='https://wikimedia.org/api/rest_v1/media/math/render/svg/9f' class='mwe-math-fallback-image-inline' aria-hidden=true alt='{\\displaystyle E=mc^{2}}'></span> holds</p>",
            ["So E=mc^{2} holds"],
        ),
        (
            "<p>Energy is <span class=katex><span class=katex-mathml><math><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi></mrow><annotation encoding='application/x-tex'>E=m</annotation></semantics></math></span><span class=katex-html aria-hidden=true>E=m</span></span> here</p>",
            ["Energy is E=m here"],
        ),
        (
            "<p>A</p><span class=katex-display><span class=katex><span class=katex-mathml><math display=block><semantics><mfrac><mi>a</mi><mi>b</mi></mfrac><annotation encoding='application/x-tex'>\\frac{a}{b}</annotation></semantics></math></span><span class=katex-html aria-hidden=true>ab</span></span></span>",
            ["A", "\\frac{a}{b}"],
        ),
        (
            "<p>So <mjx-container class=MathJax jax=CHTML><mjx-math aria-hidden=true><mjx-c>x</mjx-c></mjx-math><mjx-assistive-mml><math><msup><mi>x</mi><mn>2</mn></msup></math></mjx-assistive-mml></mjx-container> is</p>",
            ["So x² is"],
        ),
        (
            "<p>So <span class=MathJax_Preview></span><span class=MathJax data-mathml='x'><nobr aria-hidden=true><span>x2</span></nobr><span class=MJX_Assistive_MathML><math><msup><mi>x</mi><mn>2</mn></msup></math></span></span><script type='math/tex'>x^2</script> is</p>",
            ["So x^2 is"],
        ),
        (
            "<p>So <math><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac><mo>=</mo><msqrt><mn>2</mn></msqrt></math> is</p>",
            ["So (a + b)/2 = √2 is"],
        ),
        ("<p>So <script type='math/tex; mode=display'>a^2</script> is</p>", ["So a^2 is"]),
        ("<p>x <span class=katex><span class=katex-html aria-hidden=true>y</span></span> z</p>", ["x y z"]),
        (
            "<p><math><munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mroot><mi>x</mi><mn>3</mn></mroot><mover><mi>y</mi><mo>¯</mo></mover></math></p>",
            ["∑_(i = 1)^n³√xy¯"],
        ),
        ("<p><img class=math-lesson src=/a.png alt='Students doing math'></p>", ["</a.png>"]),
        ("<p>So <img class='math inline' src=/a.png alt='x^2'></p>", ["So x^2"]),
        ("<p>So <img src='https://www.zhihu.com/equation?tex=x%5E2'></p>", ["So x^2"]),
    ],
)
def test_a_formula_is_text_in_its_sentence_once(page, expected):
    assert shown(page) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>その<ruby>言葉<rt>ことば</rt></ruby>です</p>", ["その言葉です"]),
        (
            "<p>その<ruby>言<rp>(</rp><rt>こと</rt><rp>)</rp>葉<rp>(</rp><rt>ば</rt><rp>)</rp></ruby>です</p>",
            ["その言葉です"],
        ),
    ],
)
def test_a_ruby_reading_is_not_read_twice(page, expected):
    assert shown(page) == expected


def test_of_a_whole_article_for_phones_and_desktops_one_is_read():
    article = "".join(f"<h2>Step {n}</h2><p>{TEXT}</p>" for n in range(4))
    page = f"<body><main><div class='block lg:hidden'>{article}<p>Tap.</p></div><div class='hidden lg:block'>{article}<p>Click.</p></div></main></body>"
    texts = [item.text for item in parse(page.encode()).pieces if not isinstance(item, PageImage)]
    assert texts == [text for n in range(4) for text in (f"Step {n}", TEXT.strip())] + ["Click."]


def test_of_two_titles_for_phones_and_desktops_one_is_read():
    page = f"<body><main><h1 class=d-md-none>Strudel</h1><h1 class='d-none d-md-block'>Apple strudel</h1><p>{TEXT}</p></main>"
    found = parse(page.encode())
    assert (found.title, [item.text for item in found.pieces if not isinstance(item, PageImage)]) == (
        "Apple strudel",
        ["Apple strudel", TEXT.strip()],
    )
