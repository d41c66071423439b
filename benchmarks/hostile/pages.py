"""HTML pages."""

from __future__ import annotations

import json
from collections.abc import Callable

from hostile.base import CASES, STEPS, Files, numbered, png


def page(name: str, body: Callable[[], str], head: Callable[[], str] = str) -> None:
    def files() -> Files:
        html = f"<!doctype html><html><head><title>T</title>{head()}</head><body><main>{STEPS}{body()}</main></body></html>"  # noqa: E501
        return {
            "a.html": html.encode(),
            "z.html": f"<html><body>{STEPS} It is the neighbor.</body></html>".encode(),
            "s.png": png(),
            "r.png": png((80, 60)),
        }

    CASES[f"html {name}"] = ("html", files, {})


def in_head(name: str, head: Callable[[], str]) -> None:
    page(name, str, head)


page("40,000 attributes", lambda: f"<p {numbered('a#=1 ', 40_000)}>x</p>")
page("500,000 attributes", lambda: f"<p {numbered('a#=1 ', 500_000)}>x</p>")
page("500,000 data-* values of an image", lambda: f"<img src=a.png {numbered('data-a#=b.png ', 500_000)}>")
page("attributes of an end tag", lambda: f"<p>x</p {numbered('a#=1 ', 500_000)}>")
page("100 attributes on 20,000 tags", lambda: f"<p {numbered('a#=1 ', 100)}>x</p>" * 20_000)
page("attributes behind an odd quote", lambda: f"<p a=b\"c'd {numbered('a#=1 ', 300_000)}>x</p>")
page("attributes behind a comment mark", lambda: f"<!-- x --!><p {numbered('a#=1 ', 300_000)}>x</p>")
page("attributes without space", lambda: f"<p {numbered('a#=' + chr(39) + chr(39), 300_000)}>x</p>")
page("attributes between slashes", lambda: f"<p {numbered('a#/', 300_000)}>x</p>")
page("attributes of <html> repeated", lambda: f"<html {numbered('a#=1 ', 100)}>" * 20_000)
page("attributes of <html> over many tags", lambda: "".join(f"<html a{n}=1>" for n in range(150_000)))
page("attributes of <body> over many tags", lambda: "".join(f"<body a{n}=1 b{n}=1>" for n in range(150_000)))
page("1,000,000 class names", lambda: f"<p class='{numbered('c# ', 1_000_000)}'>x</p>")
page("30,000 elements of 200 class names", lambda: f"<div class='{numbered('c# ', 200)}'>x</div>" * 20_000)
page("1,000,000 style declarations", lambda: f"<p style='{numbered('a#:b;', 1_000_000)}'>x</p>")
page("10 MB style of url(", lambda: f"<p style='{'background:url(' * 700_000}'>x</p>")
page("1,000,000 srcset candidates", lambda: f"<img src=a.png srcset='{numbered('a#.png #w, ', 1_000_000)}'>")
page("srcset of commas", lambda: f"<img src=a.png srcset='{',' * 8_000_000}'>")
page("srcset of one long name", lambda: f"<img src=a.png srcset='{'a' * 8_000_000}'>")
page("srcset of spaces", lambda: f"<img src=a.png srcset='a{' ' * 4_000_000}x'>")
page(
    "srcset of long numbers", lambda: f"<img src=a.png srcset='a {'9' * 4_000_000}w, b {'1.' * 1_000_000}x'>"
)
page("srcset of dots", lambda: f"<img src=a.png srcset='{'a 1.1.1 ' * 500_000}'>")
page("2,000 srcsets of 500", lambda: f"<img src=a.png srcset='{numbered('a#.png #w, ', 500)}'>" * 2_000)
page(
    "<picture> of 150,000 sources",
    lambda: f"<picture>{numbered('<source srcset=a#.png>', 150_000)}<img src=a.png></picture>",
)
page(
    "<picture> of 700 sources and 700 images",
    lambda: f"<picture>{'<source srcset=a.png>' * 700}{'<img src=a.png>' * 700}</picture>",
)
page(
    "<picture> of 200,000 sources, 1,900 images",
    lambda: f"<picture>{'<source srcset=a.png>' * 200_000}{'<img src=a.png>' * 1_900}</picture>",
)
page("450,000 empty tags", lambda: "<i></i>" * 240_000)
page("480,000 open paragraphs", lambda: "<p>" * 480_000)
page("450,000 siblings", lambda: "<p>x" * 450_000)
page("300,000 <br>", lambda: "x<br>" * 300_000)
page("300,000 <br> in a list item", lambda: "<ul><li>" + "x<br>" * 300_000)
page("240,000 inline tags in a line", lambda: "<b>x</b>" * 240_000)
page("400,000 <br> without text", lambda: "<br>" * 400_000)
page("line of 200,000 spans, <br> between", lambda: "<p>" + "<span> </span><br>" * 150_000)
page("200,000 list items", lambda: f"<ul>{'<li>x' * 200_000}</ul>")
page("200,000 reversed lists", lambda: "<ol reversed><li>x</ol>" * 100_000)
page("reversed lists nested 300, wide", lambda: "<ol reversed><li>x" * 300 + "<li>x" * 200_000)
page("200,000 lists in a cell", lambda: f"<table><tr><td>{'<ul><li>x</ul>' * 90_000}<td>y</table>")
page("200,000 cells", lambda: f"<table><tr>{'<td>x' * 200_000}</table>")
page("200,000 empty cells", lambda: f"<table><tr>{'<td>' * 400_000}</table>")
page("100,000 rows", lambda: f"<table>{'<tr><td>x<td>y' * 100_000}</table>")
page("100,000 tables", lambda: "<table><tr><td>x<td>y</table>" * 50_000)
page(
    "colspan 10^9", lambda: "<table><tr>" + "<td colspan=1000000000 rowspan=1000000000>x" * 1_000 + "</table>"
)
page("tables nested 100, wide", lambda: "<table><tr><td>x" * 100 + "<td>x" * 100_000)
page("20,000 images", lambda: numbered("<img src=a#.png>", 20_000))
page("1,900 images of one name", lambda: "<p>text<img src=a.png>" * 1_900)
page("1,900 images, alt of 4 kB", lambda: f"<p>text of an image<img src=a.png alt='{'word ' * 800}'>" * 1_900)
page(
    "9,000 paragraphs, 1,900 images",
    lambda: numbered("<p>step # of many<p>more<p>and more<p>x<img src=a#.png>", 1_900),
)
page(
    "1,900 images in one figure",
    lambda: f"<figure>{'<img src=a.png>' * 1_900}<figcaption>x</figcaption></figure>",
)
page(
    "1,900 captions",
    lambda: numbered("<figure><img src=a#.png><figcaption>this is caption #</figcaption></figure>", 1_900),
)
page("9,000 headings", lambda: numbered("<h2>Heading #</h2><p>x", 4_900))
page("100,000 h1", lambda: numbered("<h1>Heading #</h1>", 100_000))
page("100,000 articles", lambda: "<article>x</article>" * 100_000)
page("60 articles nested, long", lambda: "<article>" * 60 + "word " * 1_000_000)
page("100,000 <main>", lambda: "<main>x</main>" * 100_000)
page("100,000 links", lambda: numbered("<a href=/#>x</a> ", 100_000))
page("100,000 links in divs", lambda: numbered("<div><a href=/#>x</a><a href=/y>y</a></div>", 60_000))
page("100,000 links in one div", lambda: f"<div>{numbered('<a href=/#>x</a>', 150_000)}</div>")
page(
    "50,000 teasers",
    lambda: numbered("<div class=card><a href=/#><img src=#.png><h3>T #</h3></a></div>", 30_000),
)
page("50,000 noscript", lambda: "<img src=blank.gif><noscript><img src=a.png></noscript>" * 50_000)
page(
    "noscripts side by side",
    lambda: "<noscript>x</noscript>" * 150_000 + "<noscript><img src=a.png></noscript>" * 1_000,
)
page(
    "comments before noscripts", lambda: "<!---->" * 200_000 + "<noscript><img src=a.png></noscript>" * 20_000
)
page("backgrounds", lambda: '<div style="background:url(a.png)"></div>' * 100_000)
page("comments", lambda: "<!--x-->" * 300_000)
page("open comments", lambda: "<!--" * 400_000)
page("CDATA in drawings", lambda: "<svg>" + "<![CDATA[x]]>" * 200_000)
page("5,000,000 entities", lambda: "&amp;" * 4_000_000)
page("odd entities", lambda: "&CounterClockwiseContourIntegral;&notanentity" * 200_000)
page("scripts", lambda: "<script>x</script>" * 150_000)
page("open scripts", lambda: "<script><!--" + "<script>" * 400_000)
page("sup and sub", lambda: "10<sup>-6</sup>" * 120_000)
page("pre of <br>", lambda: f"<pre>{'x<br>' * 300_000}</pre>")
page("pre blocks", lambda: "<pre>x</pre>" * 100_000)
page("definition list", lambda: f"<dl>{'<dt>a<dd>b' * 150_000}</dl>")
page("200 divs round 100,000 paragraphs", lambda: "<div>" * 200 + "<p>text here" * 100_000)
page("boilerplate names", lambda: "<div class='related share nav'>x</div>" * 120_000)
page("boilerplate by weak names, nested", lambda: "<div class=related>" * 15 + "<p>word " * 200_000)
page("named bodies", lambda: "<div class=entry-content>words and words</div>" * 100_000)
page("named bodies nested", lambda: "<div class=entry-content>" * 200 + "<p>word " * 100_000)
page("headers", lambda: "<header><nav>x</nav>y</header>" * 100_000)
page("spans in an h1", lambda: f"<h1>{'<b>x</b>' * 100_000}</h1>")
page("labels and captions", lambda: "<p class=caption>x</p>" * 150_000)
page("8 MB word", lambda: "a" * 7_900_000)
page("8 MB of spaces", lambda: " " * 30_000_000 + "x")
page("8 MB of no-break spaces", lambda: "\xa0" * 7_000_000 + "x")
page("8 MB without a space, CJK", lambda: "\u4e2d" * 5_000_000)
page("8 MB of Thai", lambda: "\u0e01\u0e34" * 2_000_000)
page("8 MB of combining characters", lambda: "a" + "\u0301\u0323" * 3_500_000)
page("mixed combining characters", lambda: "a\u0301\u0327\u0323" * 1_500_000)
page("one base, descending marks", lambda: "a" + "\u0345\u0301\u0323\u0327" * 1_000_000)
page("Hangul jamo", lambda: "\u1100\u1161\u11a8" * 1_500_000)
page("compatibility forms", lambda: "\ufdfa" * 1_000_000)
page("superscripts", lambda: "x\u00b2" * 2_000_000)
page("fractions", lambda: "\u00bd" * 2_000_000)
page("8 MB of apostrophes", lambda: "a'" * 3_900_000)
page("8 MB of underscores", lambda: "_" * 7_900_000)
page("8 MB of underscores and a", lambda: "_a" * 3_900_000)
page("8 MB of full stops", lambda: "." * 7_900_000)
page("8 MB of closing quotes", lambda: "." + "\u201d" * 2_000_000 + "x")
page("dots and spaces", lambda: ". " * 3_900_000)
page("digits", lambda: "1" * 7_900_000)
page("digits and commas", lambda: "1," * 3_900_000)
page("lines of markers", lambda: "<pre>" + "- " * 3_900_000 + "</pre>")
page("lines of numbers", lambda: "<pre>" + "1. " * 2_600_000 + "</pre>")
page("quotes", lambda: '"' * 7_900_000)
page("hyphens", lambda: "-" * 7_900_000)
page("newlines in pre", lambda: "<pre>x" + "\n" * 7_000_000 + "y</pre>")
page("bidi and format characters", lambda: "\u200d" * 2_500_000)
page("emoji joined", lambda: "\U0001f469\u200d" * 1_000_000)
page("URLs", lambda: "http://a.b/c " * 600_000)
page("one URL of 7 MB", lambda: "http://" + "a" * 7_000_000)
page("http:// repeated", lambda: "http://" * 1_100_000)
page("punctuation tokens", lambda: "a.b/c=d " * 900_000)
page("brackets", lambda: "(" * 7_900_000)
page("mail addresses", lambda: "a@" * 3_900_000)
page("figure references", lambda: "see figure 3 below " * 400_000)
page("short lines of prose", lambda: numbered("<p>as shown below", 9_000))
page("image URL of 8 MB", lambda: f"<img src='a/{'b' * 8_000_000}.png'>")
page("image URL of slashes", lambda: f"<img src='{'../' * 2_000_000}x.png'>")
page("1,900 image URLs of 16 kB", lambda: f"<img src='{'a/' * 8_000}x.png'>" * 1_900)
page("image URL of percent signs", lambda: f"<img src='{'%41' * 2_000_000}'>")
page("data: URL of 20 MB", lambda: f"<img src='data:image/png;base64,{'A' * 20_000_000}'>")
page("200 data: URLs not found", lambda: f"<img src='data:image/png;base64,&#65;{'A' * 100_000}'>" * 250)
page(
    "<source> of data: URLs",
    lambda: (
        f"<picture>{('<source srcset=' + chr(39) + 'data:image/png;base64,' + 'A' * 1000 + chr(39) + '>') * 15_000}<img></picture>"  # noqa: E501
    ),
)
page("width and height of 8 MB", lambda: f"<img src=a.png width={'1' * 4_000_000} height={'1' * 4_000_000}>")
page("data-* value of a long name", lambda: f"<img src=blank.gif data-x='{'a.png?' * 300}'>" * 4_000)
page("alt of 8 MB", lambda: f"<img src=a.png alt='{'word ' * 1_500_000}'>")
page(
    "canonical of 4 MB",
    lambda: "x",
    head=lambda: f"<link rel=canonical href='http://a.org/{'b' * 4_000_000}'>",
)
page("rel of 4 MB", lambda: "x", head=lambda: f"<link rel='{'license ' * 500_000}' href=x>")
in_head("100,000 <meta>", lambda: numbered("<meta name=a# content=b>", 200_000))
in_head("100,000 <meta> of robots", lambda: "<meta name=robots content='a,b:c'>" * 150_000)
in_head("robots of 8 MB", lambda: f"<meta name=robots content='{'a:b,' * 2_000_000}'>")
in_head("100,000 titles", lambda: "<title>x</title>" * 100_000)
in_head("og:title of 8 MB", lambda: f"<meta property=og:title content='{'My title - ' * 700_000}'>")
in_head("og:title of entities", lambda: f"<meta property=og:title content='{'&amp;amp;' * 700_000}'>")
in_head("title of 8 MB", lambda: f"<title>{'My title | ' * 700_000}</title>")
in_head("title of 800 separators", lambda: f"<meta property=og:title content='{'a - ' * 199}'>" * 2_000)
in_head(
    "100,000 site names",
    lambda: numbered(
        "<meta name=application-name content='Site #'><meta name=twitter:site content='@s#'>", 100_000
    ),
)
in_head("100,000 <base>", lambda: "<base href=/x/>" * 100_000)
in_head("100,000 canonical links", lambda: numbered("<link rel=canonical href=/#>", 100_000))
in_head("100,000 license links", lambda: numbered("<link rel=license href=''>", 100_000))
in_head(
    "100,000 JSON-LD",
    lambda: '<script type="application/ld+json">{"@type":"Article","name":"x"}</script>' * 60_000,
)
in_head(
    "JSON-LD of 250 kB names", lambda: _ld({"@graph": [{"@type": "Article", "name": "x" * 2000}] * 120}) * 8
)
in_head(
    "JSON-LD wide", lambda: _ld({"@graph": [{"@type": "WebSite", "name": str(n)} for n in range(6_000)]}) * 8
)
in_head("JSON-LD deep", lambda: '<script type="application/ld+json">' + "[" * 100_000 + "</script>")
in_head(
    "JSON-LD of a long number", lambda: '<script type="application/ld+json">' + "9" * 250_000 + "</script>"
)
in_head("JSON-LD of types", lambda: _ld({"@type": ["a"] * 80_000, "name": "x"}))
in_head(
    "JSON-LD of types, nested",
    lambda: _ld({"@graph": [{"@type": [[["b" * 100] * 30] * 50], "name": "x"}]}) * 8,
)
in_head("JSON-LD of 20 MB", lambda: _ld({"@type": "Article", "name": "x" * 20_000_000}))


def _ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'
