"""Inputs that are wide where a parser expects few of something. Each is small on disk and holds one sound record beside the hostile one.

CASES: name -> (kind of source, files as name -> bytes, further keys of the source). The kind `image` is decoded, `init` is looked at as by
`leaf init --from`, `robots` and `tdmrep` are read as the files of a host; every other kind goes through a whole offline build.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Files = dict[str, bytes]
Case = tuple[str, Callable[[], Files], Mapping[str, Any]]
CASES: dict[str, Case] = {}
SOUND = "This sound record has enough plain English words to be kept by the build, and it must survive whatever stands beside it."

STEPS = f"<h1>How to test a build</h1><p>{SOUND}<p><img src=s.png><h2>The second step</h2><p>Look at the report. {SOUND}<p><img src=r.png>"


def png(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


# Pages --------------------------------------------------------------------------------------------------------------------------------


def page(name: str, body: Callable[[], str], head: str = "") -> None:
    def files() -> Files:
        html = f"<!doctype html><html><head><title>T</title>{head}</head><body><main>{STEPS}{body()}</main></body></html>"
        return {"a.html": html.encode(), "z.html": f"<html><body>{STEPS} It is the neighbor.</body></html>".encode(), "s.png": png(), "r.png": png((80, 60))}

    CASES[f"html {name}"] = ("html", files, {})


def in_head(name: str, head: Callable[[], str]) -> None:
    def files() -> Files:
        html = f"<!doctype html><html><head><title>T</title>{head()}</head><body><main>{STEPS}</main></body></html>"
        return {"a.html": html.encode(), "z.html": f"<html><body>{STEPS} It is the neighbor.</body></html>".encode(), "s.png": png(), "r.png": png((80, 60))}

    CASES[f"html {name}"] = ("html", files, {})


def numbered(form: str, count: int, between: str = "") -> str:
    return between.join(form.replace("#", str(number)) for number in range(count))


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
page("srcset of long numbers", lambda: f"<img src=a.png srcset='a {'9' * 4_000_000}w, b {'1.' * 1_000_000}x'>")
page("srcset of dots", lambda: f"<img src=a.png srcset='{'a 1.1.1 ' * 500_000}'>")
page("2,000 srcsets of 500", lambda: f"<img src=a.png srcset='{numbered('a#.png #w, ', 500)}'>" * 2_000)
page("<picture> of 150,000 sources", lambda: f"<picture>{numbered('<source srcset=a#.png>', 150_000)}<img src=a.png></picture>")
page("<picture> of 700 sources and 700 images", lambda: f"<picture>{'<source srcset=a.png>' * 700}{'<img src=a.png>' * 700}</picture>")
page("<picture> of 200,000 sources, 1,900 images", lambda: f"<picture>{'<source srcset=a.png>' * 200_000}{'<img src=a.png>' * 1_900}</picture>")
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
page("colspan 10^9", lambda: "<table><tr>" + "<td colspan=1000000000 rowspan=1000000000>x" * 1_000 + "</table>")
page("tables nested 100, wide", lambda: "<table><tr><td>x" * 100 + "<td>x" * 100_000)
page("20,000 images", lambda: numbered("<img src=a#.png>", 20_000))
page("1,900 images of one name", lambda: "<p>text<img src=a.png>" * 1_900)
page("1,900 images, alt of 4 kB", lambda: f"<p>text of an image<img src=a.png alt='{'word ' * 800}'>" * 1_900)
page("9,000 paragraphs, 1,900 images", lambda: numbered("<p>step # of many<p>more<p>and more<p>x<img src=a#.png>", 1_900))
page("1,900 images in one figure", lambda: f"<figure>{'<img src=a.png>' * 1_900}<figcaption>x</figcaption></figure>")
page("1,900 captions", lambda: numbered("<figure><img src=a#.png><figcaption>this is caption #</figcaption></figure>", 1_900))
page("9,000 headings", lambda: numbered("<h2>Heading #</h2><p>x", 4_900))
page("100,000 h1", lambda: numbered("<h1>Heading #</h1>", 100_000))
page("100,000 articles", lambda: "<article>x</article>" * 100_000)
page("60 articles nested, long", lambda: "<article>" * 60 + "word " * 1_000_000)
page("100,000 <main>", lambda: "<main>x</main>" * 100_000)
page("100,000 links", lambda: numbered("<a href=/#>x</a> ", 100_000))
page("100,000 links in divs", lambda: numbered("<div><a href=/#>x</a><a href=/y>y</a></div>", 60_000))
page("100,000 links in one div", lambda: f"<div>{numbered('<a href=/#>x</a>', 150_000)}</div>")
page("50,000 teasers", lambda: numbered("<div class=card><a href=/#><img src=#.png><h3>T #</h3></a></div>", 30_000))
page("50,000 noscript", lambda: "<img src=blank.gif><noscript><img src=a.png></noscript>" * 50_000)
page("noscripts side by side", lambda: "<noscript>x</noscript>" * 150_000 + "<noscript><img src=a.png></noscript>" * 1_000)
page("comments before noscripts", lambda: "<!---->" * 200_000 + "<noscript><img src=a.png></noscript>" * 20_000)
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
page("<source> of data: URLs", lambda: f"<picture>{('<source srcset=' + chr(39) + 'data:image/png;base64,' + 'A' * 1000 + chr(39) + '>') * 15_000}<img></picture>")
page("width and height of 8 MB", lambda: f"<img src=a.png width={'1' * 4_000_000} height={'1' * 4_000_000}>")
page("data-* value of a long name", lambda: f"<img src=blank.gif data-x='{'a.png?' * 300}'>" * 4_000)
page("alt of 8 MB", lambda: f"<img src=a.png alt='{'word ' * 1_500_000}'>")
page("canonical of 4 MB", lambda: "x", head=f"<link rel=canonical href='http://a.org/{'b' * 4_000_000}'>")
page("rel of 4 MB", lambda: "x", head=f"<link rel='{'license ' * 500_000}' href=x>")
in_head("100,000 <meta>", lambda: numbered("<meta name=a# content=b>", 200_000))
in_head("100,000 <meta> of robots", lambda: "<meta name=robots content='a,b:c'>" * 150_000)
in_head("robots of 8 MB", lambda: f"<meta name=robots content='{'a:b,' * 2_000_000}'>")
in_head("100,000 titles", lambda: "<title>x</title>" * 100_000)
in_head("og:title of 8 MB", lambda: f"<meta property=og:title content='{'My title - ' * 700_000}'>")
in_head("og:title of entities", lambda: f"<meta property=og:title content='{'&amp;amp;' * 700_000}'>")
in_head("title of 8 MB", lambda: f"<title>{'My title | ' * 700_000}</title>")
in_head("title of 800 separators", lambda: f"<meta property=og:title content='{'a - ' * 199}'>" * 2_000)
in_head("100,000 site names", lambda: numbered("<meta name=application-name content='Site #'><meta name=twitter:site content='@s#'>", 100_000))
in_head("100,000 <base>", lambda: "<base href=/x/>" * 100_000)
in_head("100,000 canonical links", lambda: numbered("<link rel=canonical href=/#>", 100_000))
in_head("100,000 license links", lambda: numbered("<link rel=license href=''>", 100_000))
in_head("100,000 JSON-LD", lambda: '<script type="application/ld+json">{"@type":"Article","name":"x"}</script>' * 60_000)
in_head("JSON-LD of 250 kB names", lambda: _ld({"@graph": [{"@type": "Article", "name": "x" * 2000}] * 120}) * 8)
in_head("JSON-LD wide", lambda: _ld({"@graph": [{"@type": "WebSite", "name": str(n)} for n in range(6_000)]}) * 8)
in_head("JSON-LD deep", lambda: '<script type="application/ld+json">' + "[" * 100_000 + "</script>")
in_head("JSON-LD of a long number", lambda: '<script type="application/ld+json">' + "9" * 250_000 + "</script>")
in_head("JSON-LD of types", lambda: _ld({"@type": ["a"] * 80_000, "name": "x"}))
in_head("JSON-LD of types, nested", lambda: _ld({"@graph": [{"@type": [[["b" * 100] * 30] * 50], "name": "x"}]}) * 8)
in_head("JSON-LD of 20 MB", lambda: _ld({"@type": "Article", "name": "x" * 20_000_000}))


def _ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


# Archives -----------------------------------------------------------------------------------------------------------------------------


def response(url: str, body: bytes, headers: str = "Content-Type: text/html", more: str = "", length: str | None = None) -> bytes:
    block = f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-06T10:00:00Z\r\n{more}"
    declared = f"Content-Type: application/http; msgtype=response\r\nContent-Length: {length or len(block)}\r\n\r\n"
    return (head + declared).encode() + block + b"\r\n\r\n"


def sound_page(name: str = "z") -> bytes:
    return response(f"http://a.org/{name}", f"<html><body><p>{SOUND} {name}</p></body></html>".encode())


def warc(name: str, records: Callable[[], list[bytes]], packed: bool = False, more: Mapping[str, Any] | None = None) -> None:
    def files() -> Files:
        found = [sound_page("first"), *records(), sound_page("last")]
        return {"a.warc.gz": b"".join(gzip.compress(item) for item in found)} if packed else {"a.warc": b"".join(found)}

    CASES[f"warc {name}"] = ("warc", files, more or {})


PAGE = b"<html><body><p>" + SOUND.encode() + b"</p>"
warc("Content-Length 10^18", lambda: [response("http://a.org/x", PAGE, length=str(10**18))])
warc("Content-Length 10^18, gzip", lambda: [response("http://a.org/x", PAGE, length=str(10**18))], packed=True)
warc("Content-Length 10^30", lambda: [response("http://a.org/x", PAGE, length="9" * 30)])
warc("Content-Length of 100,000 digits", lambda: [response("http://a.org/x", PAGE, length="9" * 30_000)])
warc("Content-Length negative", lambda: [response("http://a.org/x", PAGE, length="-5")])
warc("Content-Length negative, gzip", lambda: [response("http://a.org/x", PAGE, length="-5")], packed=True)
warc("Content-Length no number", lambda: [response("http://a.org/x", PAGE, length="five")])
warc("Content-Length 2^63", lambda: [response("http://a.org/x", PAGE, length=str(2**63))])
warc("Content-Length 2^64+10", lambda: [response("http://a.org/x", PAGE, length=str(2**64 + 10))])
warc("Content-Length twice", lambda: [response("http://a.org/x", PAGE, more="Content-Length: 999999999\r\n")])
warc("Content-Length 0", lambda: [response("http://a.org/x", PAGE, length="0")])
warc("Content-Length of HTTP 10^18", lambda: [response("http://a.org/x", PAGE, f"Content-Type: text/html\r\nContent-Length: {10**18}")])
warc("100 Content-Lengths of 10^18", lambda: [response(f"http://a.org/{n}", PAGE, length=str(10**18)) for n in range(100)])
warc("900 damaged records of 100 kB", lambda: [response(f"http://a.org/{n}", PAGE + b"x" * 100_000, length="77") for n in range(900)])
warc("5,000 damaged records", lambda: [response(f"http://a.org/{n}", PAGE, length="7") for n in range(5_000)])
warc("1,000,000 WARC header lines", lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" * 1_000_000)])
warc("1,000,000 WARC header lines, gzip", lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" * 1_000_000)], packed=True)
warc("WARC header line of 8 MB", lambda: [response("http://a.org/x", PAGE, more=f"A: {'b' * 8_000_000}\r\n")])
warc("WARC header folded", lambda: [response("http://a.org/x", PAGE, more="A: b\r\n" + " c\r\n" * 1_000_000)])
warc("1,000,000 HTTP header lines", lambda: [response("http://a.org/x", PAGE, "Content-Type: text/html\r\n" + "A: b\r\n" * 1_000_000 + "B: c")])
warc("1,000,000 X-Robots-Tag", lambda: [response("http://a.org/x", PAGE, "Content-Type: text/html\r\n" + "X-Robots-Tag: b\r\n" * 500_000 + "B: c")])
warc("HTTP header folded", lambda: [response("http://a.org/x", PAGE, "Content-Type: text/html\r\nA: b\r\n" + " c\r\n" * 1_000_000 + "B: c")])
warc("header without end", lambda: [b"WARC/1.0\r\n" + b"A: b\r\n" * 1_000_000])
warc("100,000 tiny records", lambda: [response(f"http://a.org/{n}", b"x") for n in range(30_000)], packed=True)
warc("100,000 not_http", lambda: [response(f"http://a.org/{n}", b"").replace(b"HTTP/1.1", b"FTPP/1.1") for n in range(60_000)])
warc("chunks of one byte", lambda: [response("http://a.org/x", b"1\r\nx\r\n" * 1_500_000 + b"0\r\n\r\n", "Content-Type: text/html\r\nTransfer-Encoding: chunked")])
warc("chunk of 10^15", lambda: [response("http://a.org/x", b"FFFFFFFFFFFF\r\nx", "Content-Type: text/html\r\nTransfer-Encoding: chunked")])
warc("zeros in chunks' trailer", lambda: [response("http://a.org/x", b"1\r\nx\r\n" + b"0" * 8_000_000, "Content-Type: text/html\r\nTransfer-Encoding: chunked")])
warc("chunked 300 times", lambda: [response("http://a.org/x", b"0" * 8_000_000, "Content-Type: text/html\r\nTransfer-Encoding: " + "chunked," * 100_000)])
warc("gzip of gzip", lambda: [response("http://a.org/x", gzip.compress(gzip.compress(bytes(1 << 30))), "Content-Type: text/html\r\nContent-Encoding: gzip, gzip")])
warc("gzip bomb", lambda: [response("http://a.org/x", gzip.compress(bytes(1 << 30)), "Content-Type: text/html\r\nContent-Encoding: gzip")])
warc("200 gzip bombs", lambda: [response(f"http://a.org/{n}", _bomb(), "Content-Type: text/html\r\nContent-Encoding: gzip") for n in range(100)])
warc("gzip of 500,000 empty members", lambda: [response("http://a.org/x", gzip.compress(b"") * 500_000, "Content-Type: text/html\r\nContent-Encoding: gzip")])
warc("gzip of members of a byte", lambda: [response("http://a.org/x", gzip.compress(b"x") * 300_000, "Content-Type: text/html\r\nContent-Encoding: gzip")])
warc("500,000 empty gzip members between", lambda: [b""] * 200_000, packed=True)
warc("record that unpacks to 2 GB", lambda: [response("http://a.org/x", bytes(1 << 30))], packed=True)
warc("image record of 1 GB of zeros", lambda: [response("http://a.org/x.png", bytes(1 << 30), "Content-Type: image/png")], packed=True)
warc("50 pages, 30 MB each packed", lambda: [response(f"http://a.org/{n}", PAGE + b" " * 30_000_000) for n in range(12)], packed=True)
warc("page with 200 data images in 30 MB", lambda: [response("http://a.org/x", PAGE + (b"<img src='data:image/png;base64," + b"A" * 140_000 + b"'>") * 200)], packed=True)
warc("1,900 images in one 25 MB record", lambda: [response("http://a.org/x", PAGE + b"<img src=p.png>" * 1_900), response("http://a.org/p.png", png() + bytes(18_000_000), "Content-Type: image/png")], packed=True)
warc("revisit loop", lambda: _loop(50_000))
warc("one record id", lambda: [response(f"http://a.org/{n}", PAGE, more="WARC-Record-ID: <urn:uuid:0>\r\n") for n in range(3_000)])
warc("10,000 captures of a URL", lambda: [response("http://a.org/x.png", png(), "Content-Type: image/png")] * 30_000)
warc("URL of 8 MB", lambda: [response(f"http://a.org/{'a' * 8_000_000}", PAGE)])
warc("URL of percent signs", lambda: [response(f"http://a.org/{'%' * 4_000_000}", PAGE)])
warc("Content-Type of 4 MB", lambda: [response("http://a.org/x", PAGE, "Content-Type: text/html;" + " charset" * 500_000)])
warc("resource with charset bomb", lambda: [response("http://a.org/x", PAGE).replace(b"response", b"resource").replace(b"application/http;", b"text/html; " + b"charset " * 500_000 + b";")])
warc("without media type, prolog of spaces", lambda: [response("http://a.org/x", b" " * 900 + b"<?xml" + b" " * 1000, "A: b")] * 1000)
warc("plain file of WARC/1. signs", lambda: [b"\r\n\r\nWARC/1." * 400_000])
warc("file of gzip signs", lambda: [b"\x1f\x8b\x08\0" * 1_000_000], packed=False)


def _bomb() -> bytes:
    return gzip.compress(bytes(64 << 20))


def _loop(count: int) -> list[bytes]:
    found = []
    for n in range(count):
        head = f"WARC/1.0\r\nWARC-Type: revisit\r\nWARC-Target-URI: http://a.org/{n}.png\r\nWARC-Refers-To-Target-URI: http://a.org/{(n + 1) % count}.png\r\n"
        found.append((head + "WARC-Date: 2024-05-06T10:00:00Z\r\nContent-Length: 0\r\n\r\n\r\n\r\n").encode())
    return [*found, response("http://a.org/p", PAGE + numbered("<img src=#.png>", 1_900).encode())]


def _gzip_signs() -> Files:
    return {"a.warc.gz": gzip.compress(sound_page("first")) + b"\x1f\x8b\x08\0" * 2_000_000 + gzip.compress(sound_page("last"))}


CASES["warc.gz file of gzip signs"] = ("warc", _gzip_signs, {})
CASES["warc.gz one bomb of 4 GB"] = ("warc", lambda: {"a.warc.gz": gzip.compress(sound_page()) + _giant(4 << 30, response("http://a.org/x", b"", length=str(4 << 30))[:-4])}, {})


def _giant(size: int, head: bytes = b"", sign: bytes = b"\0") -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    step = sign * (1 << 24)
    return pack.compress(head) + b"".join(pack.compress(step) for _ in range(size >> 24)) + pack.flush()


CASES["cdxj of gzip zeros"] = ("warc", lambda: {"a.warc": sound_page(), "x/i.cdxj.gz": _giant(8 << 30)}, {"path": "a.warc", "crawl": True, "cdxj": "x/i.cdxj.gz"})
CASES["cdxj of 1,000,000 lines"] = (
    "warc",
    lambda: {"a.warc": sound_page(), "x/i.cdxj.gz": gzip.compress(b'a {"url": "http://a.org/b.png", "filename": "a.warc", "offset": 1, "length": 5}\n' * 800_000)},
    {"path": "a.warc", "crawl": True, "cdxj": "x/i.cdxj.gz"},
)

# Lines --------------------------------------------------------------------------------------------------------------------------------


def mmc4(name: str, line: Callable[[], bytes], ending: str = "a.jsonl", pack: Callable[[bytes], bytes] = bytes) -> None:
    sound = json.dumps({"text_list": [SOUND, "It is the neighbor."], "image_info": []}).encode()
    CASES[f"mmc4 {name}"] = ("mmc4", lambda: {ending: pack(b"\n".join([sound, line(), sound]))}, {})


def _zip(members: Mapping[str, bytes], level: int = 6) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return buffer.getvalue()


mmc4("gzip of 50,000 bad lines", lambda: b"x\n" * 50_000, "a.jsonl.gz", gzip.compress)
mmc4("gzip of 5,000,000 bad lines", lambda: b"x\n" * 5_000_000, "a.jsonl.gz", gzip.compress)
mmc4("line of 1 GB", lambda: b'{"text_list": ["' + b"a" * (1 << 30) + b'"]}')
mmc4("gzip of a line of 1.8 GB", lambda: b'{"text_list": ["' + b"a" * (1800 << 20) + b'"]}', "a.jsonl.gz", lambda data: gzip.compress(data, 1))
mmc4("1,000,000 keys", lambda: json.dumps({"text_list": ["a"], **{f"k{n}": 0 for n in range(900_000)}}).encode())
mmc4("colliding keys", lambda: ("{" + ",".join(f'"{n * (2**61 - 1)}":0' for n in range(400_000)) + "}").encode())
mmc4("duplicate keys", lambda: b"{" + b'"text_list":[],' * 450_000 + b'"a":1}')
mmc4("nested lists", lambda: b'{"text_list": ' + b"[" * 900_000 + b"]" * 900_000 + b"}")
mmc4("number of 10^6 digits", lambda: b'{"text_list": ["a"], "x": ' + b"9" * 30_000_000 + b"}")
mmc4("float of 10^6 digits", lambda: b'{"text_list": ["a"], "x": 0.' + b"9" * 30_000_000 + b"}")
mmc4("numbers of 4,000 digits", lambda: json.dumps({"text_list": ["a"], "x": [10**4000] * 8_000}).encode())
mmc4("floats of 4,000 digits", lambda: b'{"text_list": ["a"], "x": [' + b",".join([b"0." + b"123456789" * 440 + b"e-300"] * 8_000) + b"]}")
mmc4("escapes", lambda: b'{"text_list": ["' + b"\\u0041" * 5_000_000 + b'"]}')
mmc4("1,000,000 images", lambda: json.dumps({"text_list": ["a b c"], "image_info": [{"image_name": "a.png", "matched_text_index": 0}] * 300_000}).encode())
mmc4("1,000,000 texts", lambda: json.dumps({"text_list": ["a"] * 900_000}).encode())
mmc4("bad images by the 100,000", lambda: json.dumps({"text_list": [SOUND], "image_info": [0] * 1_999}).encode() + b"\n" + b"\n".join([json.dumps({"text_list": [SOUND], "image_info": [0] * 1_999}).encode()] * 300))
mmc4("similarity matrices", lambda: json.dumps({"text_list": ["a"] * 900, "image_info": [], "similarity_matrix": [[0.5] * 900] * 900}).encode())
mmc4("null texts", lambda: b"\n".join([json.dumps({"text_list": [None] * 9_999}).encode()] * 100))
mmc4("long null texts", lambda: b"\n".join([json.dumps({"text_list": [SOUND] + [9.123456789] * 9_998}).encode()] * 60))
mmc4("text of 8 MB", lambda: json.dumps({"text_list": ["word " * 1_500_000]}).encode())
mmc4("2,000 texts of 4 kB", lambda: json.dumps({"text_list": ["some words " * 360] * 2_000}).encode())
mmc4("URL of 16 MB", lambda: json.dumps({"text_list": ["a"], "url": "http://a.org/" + "a" * 16_000_000}).encode())
mmc4("BOM and spaces", lambda: b" " * 30_000_000 + b"{}")
CASES["mmc4 zip of 60,000 members"] = ("mmc4", lambda: {"a.jsonl.zip": _zip({f"{n:06d}.jsonl": b"{}\n" for n in range(60_000)})}, {})
CASES["mmc4 zip of members of 1 GB"] = ("mmc4", lambda: {"a.jsonl.zip": _zip({f"{n}.jsonl": b'{"a": "' + bytes(1000 << 20) + b'"}\n' for n in range(4)}, 9)}, {})
CASES["mmc4 zip overlapping"] = ("mmc4", lambda: {"a.jsonl.zip": _overlapping(200)}, {})
CASES["mmc4 zip of empty names"] = ("mmc4", lambda: {"a.jsonl.zip": _zip({("d/" * 30_000) + f"{n}.jsonl": b"{}\n" for n in range(20)}), "b.jsonl": b'{"text_list": ["a b"]}\n'}, {})
CASES["mmc4 gzip of 500,000 members"] = ("mmc4", lambda: {"a.jsonl.gz": gzip.compress(b'{"text_list": ["a b c"]}\n') + gzip.compress(b"") * 500_000}, {})


def _overlapping(count: int) -> bytes:
    """Entries of a directory that share one member of 100 MB."""
    made = _zip({"a.jsonl": b"\n".join([b'{"text_list": ["' + b"a" * 1_000_000 + b'"]}'] * 100)}, 9)
    at = made.index(b"PK\x01\x02")
    end = made.index(b"PK\x05\x06")
    entry = made[at:end]
    entries = b"".join(entry.replace(b"a.jsonl", f"a{n % 1000:03d}sonl"[:7].encode().replace(b"sonl", b"sonl")) for n in range(count))
    entries = b"".join(entry[:28] + struct.pack("<H", 10) + entry[30:46] + f"{n:04d}.jsonl".encode() for n in range(count))
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(entries), at, 0)
    return made[:at] + entries + tail


def conversations(name: str, record: Callable[[], object]) -> None:
    sound = {"image": [], "conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}]}
    CASES[f"conversations {name}"] = ("conversations", lambda: {"a.json": json.dumps([sound, record(), sound]).encode()}, {})


conversations("1,000,000 turns", lambda: {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}] * 200_000})
conversations("9,900 turns", lambda: {"conversations": [{"from": "human", "value": "a question"}, {"from": "gpt", "value": "b"}] * 4_950})
conversations("1,000,000 marks", lambda: {"image": [], "conversations": [{"from": "human", "value": "<image>" * 1_000_000}, {"from": "gpt", "value": "b"}]})
conversations("1,000,000 images", lambda: {"image": ["a.png"] * 900_000, "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})
conversations("turn of 7 MB", lambda: {"conversations": [{"from": "human", "value": "a " * 3_500_000}, {"from": "gpt", "value": "b"}]})
conversations("turn of <", lambda: {"conversations": [{"from": "human", "value": "<" * 7_000_000}, {"from": "gpt", "value": "b"}]})
conversations("wide record", lambda: {f"k{n}": 0 for n in range(900_000)})
CASES["conversations list of 2,000,000 numbers"] = ("conversations", lambda: {"a.json": json.dumps([0] * 2_000_000 + [{"conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}]}]).encode()}, {})
CASES["conversations deep"] = ("conversations", lambda: {"a.json": b"[" * 5_000_000, "b.json": json.dumps([{"conversations": [{"from": "human", "value": SOUND}, {"from": "gpt", "value": SOUND}]}]).encode()}, {})
VIST_SOUND = [[{"story_id": "s", "photo_flickr_id": str(n), "worker_arranged_photo_order": n, "original_text": SOUND}] for n in range(5)]
VIST_PHOTOS = [{"id": str(n), "url_o": f"http://a.org/{n}.jpg"} for n in range(5)]
CASES["vist 1,000,000 pieces of a story"] = ("vist", lambda: {"a.json": json.dumps({"images": VIST_PHOTOS, "annotations": VIST_SOUND + [[{"story_id": "x", "photo_flickr_id": "1", "worker_arranged_photo_order": 1, "original_text": "t"}]] * 200_000}).encode()}, {})
CASES["vist 300,000 bad pieces"] = ("vist", lambda: {"a.json": json.dumps({"images": VIST_PHOTOS, "annotations": VIST_SOUND + [[{}]] * 300_000}).encode()}, {})
CASES["vist annotation of 1,000,000 pieces"] = ("vist", lambda: {"a.json": json.dumps({"images": VIST_PHOTOS, "annotations": [*VIST_SOUND, [{}] * 490_000]}).encode()}, {})
CASES["vist wide photograph"] = ("vist", lambda: {"a.json": json.dumps({"images": [*VIST_PHOTOS, {f"k{n}": 0 for n in range(2_000_000)}], "annotations": VIST_SOUND}).encode()}, {})

# Tables -------------------------------------------------------------------------------------------------------------------------------


def table(columns: Mapping[str, Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def _schema(**columns: Any) -> dict[str, Any]:
    count = len(next(iter(columns.values())))
    base = {"texts": pa.array([[SOUND]] * count, pa.list_(pa.string())), "images": pa.array([[None]] * count, pa.list_(pa.string()))}
    return {**base, **columns}


def obelics(name: str, columns: Callable[[], Mapping[str, Any]], **options: Any) -> None:
    CASES[f"obelics {name}"] = ("obelics", lambda: {"a.parquet": table(columns(), **options), "z.parquet": table(_schema(x=[1]))}, {})


obelics("row groups by the 100,000", lambda: _schema(x=[1] * 20_000), row_group_size=1)
obelics("10,000 columns", lambda: _schema(x=[1], **{f"c{n}": [1] for n in range(20_000)}))
obelics("nested 200 deep", lambda: _schema(x=[1], y=[_nested(100)]))
obelics("a list of 10^7", lambda: _schema(texts=pa.array([["a"] * 10_000_000]), images=pa.array([[None] * 10_000_000], pa.list_(pa.string()))))
obelics("lists of 10^6, 30 rows", lambda: _schema(texts=pa.array([["a"] * 1_000_000] * 30), images=pa.array([[None] * 1_000_000] * 30, pa.list_(pa.string()))))
obelics("lists of nulls", lambda: _schema(texts=pa.array([[None] * 1_000_000] * 60, pa.list_(pa.string())), images=pa.array([[None] * 1_000_000] * 60, pa.list_(pa.string()))))
obelics("a cell of 400 MB", lambda: _schema(texts=pa.array([["a" * 400_000_000]]), images=pa.array([[None]], pa.list_(pa.string()))))
obelics("dictionary expansion", lambda: _schema(texts=pa.array([["a" * 4_000_000] * 40] * 10), images=pa.array([[None] * 40] * 10, pa.list_(pa.string()))))
obelics("dictionary expansion, 200 rows", lambda: _schema(texts=pa.array([["a" * 4_000_000]] * 400), images=pa.array([[None]] * 400, pa.list_(pa.string()))))
obelics("1,000,000 rows of nothing", lambda: {"texts": pa.nulls(1_000_000, pa.list_(pa.string())), "images": pa.nulls(1_000_000, pa.list_(pa.string()))})
obelics("metadata of 16 MB", lambda: _schema(metadata=["[" + "{}," * 5_000_000 + "{}]"]))
obelics("metadata of a wide number", lambda: _schema(metadata=["[" + "9" * 4_000 + ("," + "9" * 4000) * 2_000 + "]"]))
obelics("footer metadata", lambda: {"texts": pa.array([[SOUND]]), "images": pa.array([[None]], pa.list_(pa.string())), "x" * 3_000_000: [1]})
CASES["hub lists of 10^6"] = ("hub", lambda: {"a.parquet": table({"t": pa.array([["a"] * 1_000_000] * 20)}), "z.parquet": table({"t": pa.array([[SOUND]])})}, {"segments": [{"text": "t"}]})
CASES["hub text of marks"] = ("hub", lambda: {"a.jsonl": b"\n".join([json.dumps({"t": "<image> " * 900_000, "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()])}, {"segments": [{"text": "t", "marks": {"<image>": "i"}}]})
CASES["hub text of near marks"] = ("hub", lambda: {"a.jsonl": b"\n".join([json.dumps({"t": "[image 1] " * 700_000, "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()])}, {"segments": [{"text": "t"}]})
CASES["hub text of distinct near marks"] = ("hub", lambda: {"a.jsonl": b"\n".join([json.dumps({"t": numbered(f"[{'a'}#_image 1] ", 300_000), "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()])}, {"segments": [{"text": "t"}]})
CASES["hub text of open brackets"] = ("hub", lambda: {"a.jsonl": b"\n".join([json.dumps({"t": "[" * 7_000_000, "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()])}, {"segments": [{"text": "t"}]})
CASES["hub text of words in brackets"] = ("hub", lambda: {"a.jsonl": b"\n".join([json.dumps({"t": "{{aaa aaa" * 700_000, "i": []}).encode(), json.dumps({"t": SOUND, "i": []}).encode()])}, {"segments": [{"text": "t"}]})


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def tar(name: str, make: Callable[[tarfile.TarFile], None], form: int = tarfile.PAX_FORMAT) -> None:
    def files() -> Files:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as out:
            _add(out, "a.txt", SOUND.encode())
            make(out)
            _add(out, "z.txt", SOUND.encode())
        return {"a.tar": buffer.getvalue()}

    CASES[f"tar {name}"] = ("hub", files, {"segments": [{"text": "txt"}]})


def _add(out: tarfile.TarFile, name: str, data: bytes, **pax: str) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), dict(pax)
    out.addfile(info, io.BytesIO(data))


tar("pax header of 1,000,000 records", lambda out: _add(out, "b.txt", b"b", **{f"k{n}": "v" for n in range(1_000_000)}))
tar("pax header of 60 MB", lambda out: _add(out, "b.txt", b"b", comment="v" * 60_000_000))
tar("1,000 pax headers of 1,000", lambda out: [_add(out, f"b{n}.txt", b"b", **{f"k{m}": "v" for m in range(1_000)}) for n in range(1_000)])  # type: ignore[func-returns-value]
tar("pax size of 10^18", lambda out: _add(out, "b.txt", b"b", size=str(10**18)))
tar("pax size of 30,000 digits", lambda out: _add(out, "b.txt", b"b", size="9" * 4_000))
tar("pax size negative", lambda out: _add(out, "b.txt", b"b", size="-512"))
tar("GNU names of 8 MB", lambda out: _add(out, "b" * 8_000_000 + ".txt", b"b"), tarfile.GNU_FORMAT)
tar("200,000 members", lambda out: [_add(out, f"m{n}.txt", b"") for n in range(150_000)])  # type: ignore[func-returns-value]
tar("200,000 members of a sample", lambda out: [_add(out, f"m.c{n}", b"") for n in range(150_000)])  # type: ignore[func-returns-value]
tar("member of dots", lambda out: _add(out, "b" + "." * 2_000_000 + "txt", b"b"))
tar("member of slashes", lambda out: _add(out, "b/" * 1_000_000 + "c.txt", b"b"))


def _chained(kind: bytes, count: int) -> Files:
    """Headers that each announce another: tarfile follows them by recursion."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 4
    head = info.tobuf(tarfile.GNU_FORMAT) + b"abc\0".ljust(512, b"\0")
    sound = io.BytesIO()
    with tarfile.open(fileobj=sound, mode="w") as out:
        _add(out, "a.txt", SOUND.encode())
    first = sound.getvalue()[:1024]
    return {"a.tar": first + head * count + first + bytes(1024)}


CASES["tar 100,000 GNU names in a chain"] = ("hub", lambda: _chained(tarfile.GNUTYPE_LONGNAME, 100_000), {"segments": [{"text": "txt"}]})
CASES["tar 100,000 pax headers in a chain"] = ("hub", lambda: _chained(tarfile.XHDTYPE, 100_000), {"segments": [{"text": "txt"}]})


def _sparse() -> Files:
    info = tarfile.TarInfo("b.txt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1
    head[148:156] = b"        "
    head[148:156] = b"%06o\0 " % sum(head)
    body = (b"00000000001\0" * 2 * 21 + b"\1").ljust(512, b"\0") * 100_000
    return {"a.tar": bytes(head) + body + _chained(b"L", 0)["a.tar"]}


CASES["tar sparse map of 100,000 blocks"] = ("hub", _sparse, {"segments": [{"text": "txt"}]})

# Images -------------------------------------------------------------------------------------------------------------------------------


def image(name: str, make: Callable[[], bytes]) -> None:
    CASES[f"image {name}"] = ("image", lambda: {"a": make()}, {})


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _with(*chunks: bytes) -> bytes:
    plain = png()
    return plain[:33] + b"".join(chunks) + plain[33:]


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _noise(mode: str, width: int, height: int) -> Image.Image:
    depth = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    data = np.random.default_rng(7).integers(0, 256, (height // 8, width // 8, depth), np.uint8)
    return Image.fromarray(np.tile(data, (8, 8, 1)).squeeze(), mode)


def _scans(width: int, height: int, scans: int) -> bytes:
    data = _saved(_noise("L", width, height), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def _blank_scans(side: int, scans: int) -> bytes:
    data = _saved(Image.new("L", (side, side)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]


def _ifds(count: int) -> bytes:
    body = b"II*\0\x08\0\0\0"
    for n in range(count):
        at = 8 + 18 * n
        body += struct.pack("<HHHIII", 1, 256, 4, 1, 1, at + 18 if n + 1 < count else 8)
    return body


image("PNG 1,000,000 tEXt", lambda: _with(_chunk(b"tEXt", b"k\0v") * 1_000_000))
image("PNG 1,000,000 unknown chunks", lambda: _with(_chunk(b"abCd", b"") * 1_500_000))
image("PNG zTXt of 1 GB, 60 of them", lambda: _with(_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) * 60))
image("PNG 100 iCCP", lambda: _with(*[_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(1 << 20)))] * 2_000))
image("PNG of 8 MB exif", lambda: _with(_chunk(b"eXIf", b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + struct.pack("<HHII", 0x112, 3, 1, 1) * 600_000)))
image("PNG interlaced, 63 million pixels", lambda: _saved(Image.new("L", (7_990, 7_990)), "PNG"))
image("PNG RGBA, 63 million pixels", lambda: _saved(Image.new("RGBA", (7_990, 7_990)), "PNG"))
image("PNG 16 bit, 63 million pixels", lambda: _saved(Image.fromarray(np.zeros((7_990, 7_990), np.uint16)), "PNG", compress_level=1))
image("PNG palette, transparency", lambda: _saved(Image.new("P", (7_990, 7_990)), "PNG", transparency=0))
image("PNG of many IDAT", lambda: _idats(600_000))
image("APNG of 100,000 frames", lambda: _with(_chunk(b"acTL", struct.pack(">II", 100_000, 0)), *[_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 64, 48, 0, 0, 1, 1, 0, 0)) for n in range(100_000)]))
image("GIF of 100,000 frames", lambda: _gif(100_000, (1, 1)))
image("GIF of 100,000 comments", lambda: _gif(1, (1, 1), b"!\xfe\1x\0" * 1_000_000))
image("GIF screen of 63 million pixels", lambda: _gif(3, (7_990, 7_990)))
image("GIF sub-blocks of a byte", lambda: _gif(1, (1, 1), b"!\xfe" + b"\1x" * 4_000_000 + b"\0"))
image("WebP of 2,000 frames", lambda: _saved(Image.new("RGB", (64, 64)), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 64), (n % 256, 0, n // 256)) for n in range(2_000)]))
image("WebP of 63 million pixels", lambda: _saved(Image.new("RGB", (7_990, 7_990)), "WEBP", method=0))
image("WebP lossless, 63 million pixels", lambda: _saved(Image.new("RGBA", (7_990, 7_990)), "WEBP", lossless=True, method=0))
image("AVIF of 63 million pixels", lambda: _saved(Image.new("RGB", (7_990, 7_990)), "AVIF", speed=10))
image("AVIF of noise, 12 million pixels", lambda: _saved(_noise("RGB", 4_000, 3_000), "AVIF", speed=10))
image("AVIF of 300 frames", lambda: _saved(Image.new("RGB", (640, 480)), "AVIF", speed=10, save_all=True, append_images=[Image.new("RGB", (640, 480), (n % 256, 0, 9)) for n in range(300)]))
image("TIFF IFDs in a loop", lambda: _ifds(100_000))
image("TIFF of 65,535 tags", lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + struct.pack("<HHII", 700, 1, 60_000, 8) * 65_535 + bytes(60_000))
image("TIFF of 63 million pixels, LZW", lambda: _saved(Image.new("RGB", (7_990, 7_990)), "TIFF", compression="tiff_lzw"))
image("TIFF of one pixel a strip", lambda: _saved(Image.new("L", (1, 400_000)), "TIFF", strip_size=1))
image("TIFF float", lambda: _saved(Image.new("F", (7_990, 7_990)), "TIFF", compression="tiff_deflate"))
image("JPEG of 100 scans, 63 million pixels", lambda: _blank_scans(7_990, 88))
image("JPEG of 90 scans of noise, 9 million pixels", lambda: _scans(3_000, 3_000, 88))
image("JPEG of 63 million pixels", lambda: _saved(_noise("RGB", 8_000, 8_000).crop((0, 0, 7_990, 7_990)), "JPEG", quality=95))
image("JPEG CMYK of 63 million pixels", lambda: _saved(_noise("CMYK", 8_000, 8_000).crop((0, 0, 7_990, 7_990)), "JPEG"))
image("JPEG of arithmetic tables", lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(b"\xff\xdb", b"\xff\xfe\0\2" * 2_000_000 + b"\xff\xdb", 1))
image("JPEG of 1,000 EXIF", lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(b"\xff\xdb", (b"\xff\xe1" + struct.pack(">H", 60_002) + b"Exif\0\0" + bytes(59_994)) * 400 + b"\xff\xdb", 1))
image("JPEG of ICC profiles", lambda: _saved(Image.new("RGB", (64, 64)), "JPEG").replace(b"\xff\xdb", (b"\xff\xe2" + struct.pack(">H", 60_002) + b"ICC_PROFILE\0\1\1" + bytes(59_986)) * 400 + b"\xff\xdb", 1))
image("MPO of 100,000 images", lambda: _saved(Image.new("RGB", (16, 16)), "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))] * 2_000))
image("BMP of 63 million pixels, RLE", lambda: _rle(7_990))
image("BMP 1 x 63,000,000", lambda: _saved(Image.new("L", (1, 63_000_000)), "BMP"))
image("PNG 63,000,000 x 1", lambda: _saved(Image.new("L", (63_000_000, 1)), "PNG"))
image("PNG 1 x 63,000,000", lambda: _saved(Image.new("1", (1, 63_000_000)), "PNG"))


def _idats(count: int) -> bytes:
    packed = zlib.compress(bytes((64 * 3 + 1) * 48), 0)
    plain = png()
    empty = _chunk(b"IDAT", b"")
    return plain[:33] + empty * count + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _gif(frames: int, screen: tuple[int, int], between: bytes = b"") -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + between + (b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\2\2L\1\0") * frames + b";"


def _rle(side: int) -> bytes:
    body = b"\xff\0" * (side * (side // 255 + 1))
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0) + bytes(1024)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 14 + len(head)) + head + body


# Subtitles ----------------------------------------------------------------------------------------------------------------------------


def subtitles(name: str, text: Callable[[], str], ending: str = ".vtt") -> None:
    CASES[f"subtitles {name}"] = ("subtitles", lambda: {f"a{ending}": text().encode()}, {})


def _cue(start: int, end: int) -> str:
    return f"{start // 3600:02d}:{start // 60 % 60:02d}:{start % 60:02d}.000 --> {end // 3600:02d}:{end // 60 % 60:02d}:{end % 60:02d}.000\n"


subtitles("180,000 cues", lambda: "WEBVTT\n\n" + "".join(f"{_cue(n, n + 1)}word {n}\n\n" for n in range(160_000)))
subtitles("180,000 cues, srt", lambda: "".join(f"{n}\n{_cue(n, n + 1).replace('.', ',')}w {n}\n\n" for n in range(150_000)), ".srt")
subtitles("overlapping cues", lambda: "WEBVTT\n\n" + "".join(f"{_cue(1, 90_000)}word {n}\n\n" for n in range(160_000)))
subtitles("cue of 7 MB", lambda: "WEBVTT\n\n" + _cue(1, 2) + "word " * 1_500_000)
subtitles("cue of 1,000,000 lines", lambda: "WEBVTT\n\n" + _cue(1, 2) + "w\n" * 3_500_000)
subtitles("two cues of 1,000,000 lines", lambda: "WEBVTT\n\n" + _cue(1, 2) + "w\n" * 1_500_000 + "\n" + _cue(2, 3) + "w\n" * 1_500_000 + "\n" + _cue(3, 4) + "w\n" * 500_000)
subtitles("rolling cues of 2,000 lines", lambda: "WEBVTT\n\n" + "\n".join(_cue(n, n + 1) + "w\n" * 2_000 for n in range(1_500)))
subtitles("tags", lambda: "WEBVTT\n\n" + _cue(1, 2) + "<b" * 3_500_000)
subtitles("brackets", lambda: "WEBVTT\n\n" + _cue(1, 2) + "[" * 7_000_000)
subtitles("brackets and music", lambda: "WEBVTT\n\n" + _cue(1, 2) + "(♪" * 1_500_000)
subtitles("notes", lambda: "WEBVTT\n\n" + "NOTE\n" * 1_500_000)
subtitles("notes apart", lambda: "WEBVTT\n\n" + "NOTE x\n\n" * 900_000)
subtitles("note of lines", lambda: "WEBVTT\n\nNOTE x\n" + "y\n" * 3_500_000)
subtitles("identifiers", lambda: "WEBVTT\n\n" + "x\n\n" * 2_500_000)
subtitles("one line of 7 MB before", lambda: "WEBVTT\n\n" + "x" * 7_000_000 + "\n\ny\n")
subtitles("arrows", lambda: "WEBVTT\n\n" + "-->" * 2_500_000)
subtitles("times", lambda: "WEBVTT\n\n" + "1:" * 3_500_000)
subtitles("times of digits", lambda: "WEBVTT\n\n" + "1" * 7_000_000)
subtitles("spaces", lambda: "WEBVTT\n\n" + _cue(1, 2) + " " * 7_000_000 + "x")
subtitles("digits in an srt", lambda: "1\n" * 3_500_000, ".srt")
subtitles("newlines", lambda: "WEBVTT" + "\n" * 7_500_000)
subtitles("speakers", lambda: "WEBVTT\n\n" + _cue(1, 2) + ">" * 7_000_000)
subtitles("entities", lambda: "WEBVTT\n\n" + _cue(1, 2) + "&" * 7_000_000)
subtitles("overrides", lambda: "WEBVTT\n\n" + _cue(1, 2) + "{\\" * 3_500_000)
subtitles("long hours", lambda: f"WEBVTT\n\n{'9' * 4_000}:00:00.000 --> 99:00:00.000\nx")
subtitles("hours of 3,000,000 digits", lambda: f"WEBVTT\n\n{'9' * 3_000_000}:00:00.000 --> {'9' * 3_000_000}:00:00.000\nx")

# Hosts, folders ---------------------------------------------------------------------------------------------------------------------

CASES["robots of 500 kB"] = ("robots", lambda: {"a": b"User-agent: *\n" + b"Disallow: /a\n" * 38_000}, {})
CASES["robots of stars"] = ("robots", lambda: {"a": b"User-agent: *\nDisallow: " + b"*a" * 250_000}, {})
CASES["robots of many stars"] = ("robots", lambda: {"a": b"User-agent: *\n" + (b"Disallow: /" + b"*a" * 100 + b"\n") * 2_300}, {})
CASES["robots of 40 stars and a dollar"] = ("robots", lambda: {"a": b"User-agent: *\n" + (b"Disallow: /" + b"*a" * 40 + b"$\n") * 5_000}, {})
CASES["robots of user agents"] = ("robots", lambda: {"a": b"User-agent: a\n" * 36_000 + b"Disallow: /\n"}, {})
CASES["robots crawl-delay of digits"] = ("robots", lambda: {"a": b"User-agent: *\nCrawl-delay: " + b"9" * 500_000}, {})
CASES["tdmrep of 10,000 rules"] = ("tdmrep", lambda: {"a": json.dumps([{"location": "/*a" * 8, "tdm-reservation": 0}] * 9_000).encode()[: 500 << 10]}, {})
CASES["tdmrep of stars"] = ("tdmrep", lambda: {"a": json.dumps([{"location": "*a" * 240_000, "tdm-reservation": 1}]).encode()}, {})
CASES["init 20,000 pages"] = ("init", lambda: {f"{n}.html": b"<p>x" for n in range(10_000)}, {})
CASES["init 5,000 endings"] = ("init", lambda: {f"a.x{n}": b"{}" for n in range(5_000)}, {})
CASES["init wide rows"] = ("init", lambda: {"a.jsonl": json.dumps({f"k{n}": "v w" for n in range(300_000)}).encode() + b"\n"}, {})
CASES["init wide Parquet"] = ("init", lambda: {"a.parquet": table(_schema(x=[1] * 16, **{f"c{n}": ["a b"] * 16 for n in range(8_000)}))}, {})
CASES["init json object of 8 MB"] = ("init", lambda: {"a.json": b'{"a": "' + b"x" * 8_000_000}, {})
CASES["init photo ids"] = ("init", lambda: {"a.json": b'{"story_id": 1, ' + b'"photo_flickr_id"   ' * 400_000}, {})
CASES["init spaces"] = ("init", lambda: {"a.jsonl": b" " * 16_000_000 + b"{}"}, {})
CASES["init page name of a bomb"] = ("init", lambda: {"a.jsonl.gz": _giant(4 << 30)}, {})
CASES["init tar of members"] = ("init", lambda: {"a.tar": b"".join([_member(n) for n in range(15_000)])}, {})
CASES["init gzip of a bomb in a list"] = ("init", lambda: {"a.json": b"[" + b"{}," * 2_600_000}, {})


def _member(number: int) -> bytes:
    info = tarfile.TarInfo(f"{number}.txt")
    return info.tobuf(tarfile.USTAR_FORMAT)
