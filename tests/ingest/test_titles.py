"""Titles: what a page states, without its site's name; what a record without markup begins with; nothing
where there is doubt."""

# ruff: noqa: RUF001 - marks of other scripts

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest.reading import archive, documents, outline, read_all, record

from leafinstruct.ingest.config import HtmlSource, HubSource, Mmc4Source, ObelicsSource, WarcSource
from leafinstruct.ingest.fields import marginal, title
from leafinstruct.ingest.page.page import parse
from leafinstruct.ingest.readers import html, hub, mmc4, obelics, warc
from leafinstruct.ingest.tables.columns.config import ImageColumn, TextColumn
from leafinstruct.records.document import Document, ImageRef, Ref, Text

BODY = (
    "<p>Cut the apples into thin slices and put them into a bowl with sugar.</p><img src=a.png>"
    "<p>Bake them for forty minutes until they are brown on top.</p>"
)
BAR = "<title>Apple strudel | My Kitchen</title>"
DASH = "<title>Apple strudel - My Kitchen</title>"


def page(tmp_path: Path, head: str, body: str) -> Document:
    (tmp_path / "page.html").write_text(
        f"<!doctype html><html><head>{head}</head><body>{body}</body></html>", encoding="utf-8"
    )
    (found,) = documents(read_all(html, HtmlSource(name="h", path=str(tmp_path)), tmp_path))
    return found


@pytest.mark.parametrize(
    "head",
    [
        BAR,
        "<title>Apple strudel|My Kitchen</title>",
        "<title>Apple strudel | Desserts | My Kitchen</title>",
        "<title>Apple strudel :: My Kitchen</title>",
        '<meta property="og:title" content="Apple strudel"><title>Buy pans | My Kitchen</title>',
        '<meta name="twitter:title" content="Apple strudel"><title>Buy pans | My Kitchen</title>',
        f'{DASH}<meta property="og:site_name" content="My Kitchen">',
        (
            '<meta property="og:title" content="Apple strudel — My Kitchen"><meta '
            'property="og:site_name" content="My kitchen">'
        ),
        '<title>My Kitchen – Apple strudel</title><meta property="og:site_name" content="My Kitchen">',
        '<title>My Kitchen: Apple strudel</title><meta name="application-name" content="My Kitchen">',
        (
            '<title>My Kitchen » Desserts » Apple strudel</title><meta name="application-name" '
            'content="My Kitchen">'
        ),
        f'{DASH}<link rel="canonical" href="https://www.my-kitchen.co.uk/p/1">',
        f'{DASH}<link rel="canonical" href="https://blog.mykitchen.com/">',
        (
            f'{DASH}<script type="application/ld+json">{{"@graph": [{{"@type": "WebSite", "name": "My '
            'Kitchen"}]}</script>'
        ),
        (
            f'{DASH}<script type="application/ld+json">{{"@type": "Recipe", "publisher": {{"name": "My '
            'Kitchen"}}</script>'
        ),
        '<script type="application/ld+json">{"@type": "BlogPosting", "headline": "Apple strudel"}</script>',
        (
            '<script type="application/ld+json">{broken</script><meta itemprop="headline" content="Apple '
            'strudel">'
        ),
        (
            '<meta property="og:title" content="My Kitchen"><meta property="og:site_name" content="My '
            'Kitchen"><title>Apple strudel</title>'
        ),
        "<title>\n  Apple\u00a0 strudel\n</title>",
        "<title>Home › Recipes › Apple strudel</title>",
        (
            '<title>My Kitchen | Apple strudel</title><link rel="canonical" '
            'href="https://x.example/apple-strudel/">'
        ),
        "<title>Untitled</title><meta property='og:title' content='Apple strudel'>",
    ],
)
def test_without_an_h1_the_head_states_the_title_and_the_name_of_the_site_is_removed(tmp_path, head):
    assert page(tmp_path, head, f"<main>{BODY}</main>").title == "Apple strudel"


@pytest.mark.parametrize(
    "around",
    [
        "<header><a class='logo' href='/'>My Kitchen</a></header>{}",
        "<div><a href='/'><img src=logo.png alt='My Kitchen'></a></div>{}",
        "<header><h1>My Kitchen</h1><nav><a href='/x'>X</a></nav></header>{}",
        "<h1 class='site-title'>My Kitchen</h1>{}",
        "<h1><a href='/'>My Kitchen</a></h1>{}",
        "<h1>My Kitchen</h1><main><h2>Apple strudel</h2>{}</main>",
        "{}<footer>© 2019-2024 My Kitchen. All rights reserved.</footer>",
    ],
)
def test_what_the_page_shows_as_the_name_of_its_site_is_no_part_of_its_title(tmp_path, around):
    assert (
        page(tmp_path, DASH, around.format(BODY if "<main>" in around else f"<main>{BODY}</main>")).title
        == "Apple strudel"
    )


@pytest.mark.parametrize(
    "text",
    [
        "Apple strudel - the Viennese way",
        "Apple strudel – in an hour",
        "Strudel: apple",
        "snake_case",
        "A > B",
    ],
)
def test_what_nothing_calls_a_site_is_part_of_the_title(tmp_path, text):
    assert page(tmp_path, f"<title>{text.replace('>', '&gt;')}</title>", f"<main>{BODY}</main>").title == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "By Jane Doe",
        "Posted by Ann on 3 May 2024",
        "3 May 2024",
        "Untitled Document",
        "Home",
        "Home | My Kitchen",
        "Index of /pics",
        "404 Not Found",
        "Recipes > Desserts > Strudel",
        "word " * 60,
        "Startseite",
        "https://x.example/a",
        "首页",
        "|",
        "Just a moment...",
        "Page not found - My Kitchen",
    ],
)
def test_a_head_that_states_nothing_of_the_page_gives_no_title(tmp_path, text):
    head = f"<title>{text.replace('>', '&gt;')}</title><meta property='og:site_name' content='My Kitchen'>"
    assert (
        page(tmp_path, head, f"<svg><title>Menu</title></svg><main><h2>Ingredients</h2>{BODY}</main>").title
        is None
    )


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            "<title>The best strudel ever | My Kitchen</title>",
            "<main><h1>Apple strudel</h1>{}</main>",
            "Apple strudel",
        ),
        (BAR, "<main><h1>Apple <em>Strudel</em>!</h1>{}</main>", "Apple Strudel!"),
        (BAR, "<div class=hero><h1>Apple strudel</h1></div><main>{}</main>", "Apple strudel"),
        (BAR, "<h1 id=logo>My Kitchen</h1><main><h1>Apple strudel</h1>{}</main>", "Apple strudel"),
        (
            "<title>My Kitchen | Apple strudel</title>",
            "<h1>Apple strudel</h1><main>{}</main>",
            "Apple strudel",
        ),
        (BAR, "<main><h1 class=sr-only>Site navigation</h1><h1>Apple strudel</h1>{}</main>", "Apple strudel"),
        (BAR, "<main><h1 class=sr-only>Site navigation</h1>{}</main>", "Apple strudel"),
        (BAR, "<main><h1>Ingredients</h1><p>Apples.</p><h1>Method</h1>{}</main>", "Apple strudel"),
        (BAR, "<main><h1>By Jane Doe</h1>{}</main>", "Apple strudel"),
        (BAR, "<main><h1>Tuesday, 3 May 2024</h1>{}</main>", "Apple strudel"),
        (BAR, "<main>{0}{0}{0}<h1>Your thoughts</h1><p>Any ideas?</p></main>", "Apple strudel"),
        ("", "<main><h1><img src=t.png alt='Apple strudel'></h1>{}</main>", "Apple strudel"),
        ("<title>My Kitchen</title>", "<main><h1>My Kitchen</h1>{}</main>", "My Kitchen"),
        (
            "<title>By Bus Through Bolivia</title>",
            "<main><h1>By Bus Through Bolivia</h1>{}</main>",
            "By Bus Through Bolivia",
        ),
        ("", f"<main><h1>{'word ' * 60}</h1>{{}}</main>", None),
    ],
)
def test_which_h1_is_the_title(tmp_path, head, body, expected):
    found = page(tmp_path, head, body.format(BODY))
    assert found.title == expected
    if expected is not None and f"<h1>{expected}" in body:
        assert Text(0, expected, "heading") in found.segments


@pytest.mark.parametrize(
    "before",
    [
        "<p>By Ann, 3 May 2024</p>",
        "<p>Home &gt; Recipes &gt; Apple strudel</p>",
        "<p>Recipes › Desserts › Strudels</p>",
        "<div><a href='/'>Home</a> / <a href='/r'>Recipes</a></div>",
        "<ul><li><a href='/'>Home</a></li><li><a href='/r'>Recipes</a></li></ul>",
        "<p>3 May 2024</p><p>By Jane Doe</p>",
        "<p>Last updated: 2024-05-03 10:15</p>",
        "<p>3. Mai 2024</p><p>Von Anna Müller</p>",
        "<p>2024年5月3日</p><p>作者：王伟</p>",
        "<p>Share on Facebook</p><p>Jump to recipe</p>",
        "<p>Ann Baker · 3 May 2024 · 5 min read</p>",
        "<p>Posted on May 3rd, 2024 by Ann in Desserts</p>",
    ],
)
def test_marginal_lines_before_the_h1_do_not_open_the_document(tmp_path, before):
    found = page(tmp_path, BAR, f"<main>{before}<h1>Apple strudel</h1>{BODY}</main>")
    assert outline(found)[:2] == [
        "heading: Apple strudel",
        "prose: Cut the apples into thin slices and put them into a bowl with sugar.",
    ]
    assert [item.position for item in found.segments] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        (
            "<p>My grandmother baked it on every Sunday in May 2024.</p>",
            "prose: My grandmother baked it on every Sunday in May 2024.",
        ),
        ("<img src=b.png>", "<b.png>"),
        ("<p>By the sea they bake it with raisins.</p>", "prose: By the sea they bake it with raisins."),
        ("<p>Serves 12</p>", "prose: Serves 12"),
        ("<pre>3 May 2024</pre>", "code: 3 May 2024"),
        ("<p>Home is where the strudel is</p>", "prose: Home is where the strudel is"),
        ("<ul><li>500 g flour</li><li>3 apples</li></ul>", "list: - 500 g flour\n- 3 apples"),
    ],
)
def test_images_and_paragraphs_before_the_h1_stay(tmp_path, before, kept):
    found = page(tmp_path, BAR, f"<main>{before}<h1>Apple strudel</h1>{BODY}</main>")
    assert outline(found)[:2] == [kept, "heading: Apple strudel"]


def test_a_byline_stays_where_no_h1_follows(tmp_path):
    assert (
        outline(page(tmp_path, BAR, f"<main><p>By Ann, 3 May 2024</p>{BODY}</main>"))[0]
        == "prose: By Ann, 3 May 2024"
    )


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<title>苹果卷_我的厨房</title><meta property='og:site_name' content='我的厨房'>", "苹果卷"),
        ("<title>苹果卷-我的厨房</title><meta property='og:site_name' content='我的厨房'>", "苹果卷"),
        ("<title>苹果卷｜我的厨房</title>", "苹果卷"),
        ("<title>فطيرة التفاح | مطبخي</title>", "فطيرة التفاح"),
        ("<title></title>", None),
    ],
)
def test_titles_of_other_scripts(tmp_path, head, expected):
    assert (
        page(
            tmp_path,
            head,
            "<main><p>先把锅烧热，然后倒入两勺油。</p><img src=0.png><p>放入切好的番茄。</p></main>",
        ).title
        == expected
    )


def test_an_archived_page_knows_its_site_by_its_host(tmp_path):
    body = (
        f"<html><head><title>Apple strudel - Wikipedia</title></head><body><main>{BODY}</main></body></html>"
    ).encode()
    path = archive(tmp_path / "a.warc.gz", record("https://en.wikipedia.org/wiki/Strudel", body))
    (found,) = documents(read_all(warc, WarcSource(name="w", path=str(path)), tmp_path))
    assert found.title == "Apple strudel"


# --- records without markup
# ----------------------------------------------------------------------------------------------------


def sentences(tmp_path: Path, texts: list[str], image_at: int | None = None) -> str | None:
    images = (
        []
        if image_at is None
        else [{"image_name": "a.png", "raw_url": "https://x.example/a.png", "matched_text_index": image_at}]
    )
    row = {"url": "https://x.example/p", "text_list": texts, "image_info": images}
    (tmp_path / "docs.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (found,) = documents(read_all(mmc4, Mmc4Source(name="m", path=str(tmp_path / "docs.jsonl")), tmp_path))
    return found.title


@pytest.mark.parametrize("section", ["Ingredients", "Step 1", "Step 1: Peel", "Zutaten", "第1步"])
@pytest.mark.parametrize(
    ("head", "expected"), [("<title>Apple strudel</title>", "Apple strudel"), ("", None)]
)
def test_an_h1_that_is_named_as_a_section_is_no_title(tmp_path, section, head, expected):
    found = page(tmp_path, head, f"<main><h1>{section}</h1>{BODY}</main>")
    assert found.title == expected
    assert section in [text.text for text in found.texts]


def test_a_section_that_the_head_states_is_the_title(tmp_path):
    assert (
        page(
            tmp_path, "<title>Introduction - The Tool</title>", f"<main><h1>Introduction</h1>{BODY}</main>"
        ).title
        == "Introduction"
    )


def test_a_heading_that_repeats_the_title_after_it_is_removed(tmp_path):
    found = page(
        tmp_path,
        BAR,
        f"<main><h1>Apple strudel</h1><h2>Apple strudel</h2>{BODY}<h2>Apple strudel</h2><p>Eat "
        "it.</p></main>",
    )
    assert [text.text for text in found.texts].count("Apple strudel") == 2
    assert found.texts[1].text.startswith("Cut the apples")


@pytest.mark.parametrize("name", ["React App", "Vite + React", "Create Next App"])
def test_the_name_of_an_app_template_is_no_title(tmp_path, name):
    assert page(tmp_path, f"<title>{name}</title>", f"<div id=root>{BODY}</div>").title is None


@pytest.mark.parametrize(
    "text", ["Apple strudel", "How to fold a boat", "苹果卷", "St. Gallen in a day", "By the sea", "Make"]
)
def test_a_short_line_that_is_no_sentence_is_the_title_of_a_record_without_markup(tmp_path, text):
    assert sentences(tmp_path, [text, "Cut the apples.", "Bake them."], image_at=1) == text


@pytest.mark.parametrize(
    "text",
    [f"Cut the apples{end}" for end in ".!?。！？．।॥؟۔…:;,、：；，"]
    + [
        "先把锅烧热，然后倒入两勺油。",
        "He said “cut the apples.”",
        "Cut the apples. Then bake",
        "By Jane Doe",
        "3 May 2024",
        "Home > Recipes",
        "- apples",
    ]
    + [
        "1. Cut the apples",
        "Share on Facebook",
        "Home",
        "Menu",
        "Introduction",
        "word " * 21,
        "x" * 101,
        "I baked a strudel",
        "https://x.example",
        "3 + 4\n= 7",
    ],
)
def test_a_sentence_or_a_marginal_line_is_no_title(tmp_path, text):
    assert sentences(tmp_path, [text, "Cut the apples.", "Bake them."]) is None


def test_a_title_is_first_before_any_image_and_something_follows(tmp_path):
    assert sentences(tmp_path, ["Apple strudel", "Cut the apples."], image_at=0) is None
    assert sentences(tmp_path, ["Apple strudel"]) is None
    assert sentences(tmp_path, ["The apples that we picked in the", "garden were cut."]) is None


def test_obelics_takes_its_first_paragraph_by_the_same_rule(tmp_path):
    table = pa.table(
        {
            "images": [[None, "https://x.example/a.png"], ["https://x.example/a.png", None]],
            "texts": [["Apple strudel\n\nCut the apples.", None], [None, "Apple strudel"]],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = documents(read_all(obelics, ObelicsSource(name="o", path=str(tmp_path / "a.parquet")), tmp_path))
    assert [item.title for item in found] == ["Apple strudel", None]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Apple strudel.", "Apple strudel."), ("Untitled", None), ("a\nb", None), (None, None)],
)
def test_a_table_has_a_title_where_its_first_segment_is_mapped_to_a_heading(tmp_path, value, expected):
    pq.write_table(
        pa.table({"t": pa.array([value], pa.string()), "x": ["Cut the apples"], "i": ["a.png"]}),
        tmp_path / "a.parquet",
    )
    as_heading = [TextColumn(text="t", **{"as": "heading"}), TextColumn(text="x"), ImageColumn(image="i")]
    plain = [TextColumn(text="x"), ImageColumn(image="i")]
    for segments, wanted in ((as_heading, expected), (plain, None)):
        source = HubSource(name="t", path=str(tmp_path / "a.parquet"), segments=segments)
        assert documents(read_all(hub, source, tmp_path))[0].title == wanted


@given(st.text(max_size=300))
def test_any_line_is_judged_and_a_title_keeps_its_bounds(text):
    for judge in (
        marginal.is_byline,
        marginal.is_date,
        marginal.is_breadcrumb,
        marginal.is_share_line,
        marginal.is_marginal,
        marginal.is_generic,
    ):
        assert judge(text) in (True, False)
    assert title.without_site(text, ["My Kitchen"], ["Apple"]) in text
    found = title.of_prose([Text(0, text), ImageRef(1, Ref(file="a.png"))])
    assert found in (None, text)


@given(st.text(alphabet="<>/ah1titlemn|-\"' =", max_size=200))
def test_no_page_breaks_the_search_for_its_title(text):
    assert (found := parse(f"<body><p>x</p><h1>{text}".encode()).title) is None or len(
        found
    ) <= title.MAX_TITLE


# --- real pages: every one read and its title written down
# -----------------------------------------------------------------------------

HTML = {
    "gnssdo-introduction": "Introduction",
    "microbit-courses-logic-lab-programmable": "Programmable logic",
    "microbit-device-crocodile-clips": "Crocodile clips",
    "microbit-device-data-analysis-analyze": "Analyze",
    "microbit-device-serial": "Serial",
    "microbit-device-usb-mac-chrome": "Uploading from Chrome for Mac",
    "microbit-device-usb-mac-firefox": "Uploading from Firefox for Mac",
    "microbit-device-usb-webusb-troubleshoot": "Troubleshooting downloads with WebUSB",
    "microbit-device-usb-windows-chrome": "Transferring from Chrome for Windows",
    "microbit-device-usb-windows-firefox": "Uploading from Firefox on Windows",
    "microbit-device-v2": "micro:bit v2",
    "microbit-device-windows-app-troubleshoot": "Troubleshooting downloads from the Windows 10 App",
    "microbit-lessons-answering-machine-quiz-answers": "answering machine blocks quiz answers",
    "microbit-projects-flashing-heart": "Flashing Heart",
    "microbit-projects-guitar-accelerometer": "Accelerometer Beat Control",
    "microbit-projects-guitar-make": "Making the Guitar Body",
    "microbit-projects-rc-car-make": "Make",
    "microbit-projects-robot-unicorn": "Robot Unicorn",
    "microbit-reference-input-compass-heading": "compass Heading",
    "microbit-translate": "#promo",
    "picamera-es-la-step-2": "Lo que necesitarás",
    "picamera-pt-br-step-2": "O que você vai precisar",
    "plotter-de-de-step-1": "Einleitung",
    "plotter-en-step-1": "Introduction",
    "rtk-configure-with-serial": "Configure with Serial",
    "rtk-configure-with-settings-file": "Configure with Settings File",
    "rtk-configure-with-wifi": "Configure with WiFi",
    "rtk-correction-transport": "Correction Transport",
    "rtk-menu-gnss": "GNSS Menu",
    "rtk-menu-ports": "Ports Menu",
    "rtk-menu-radios": "Radios Menu",
    "weather-guides-ambient-temperature": "About the ambient temperature sensor",
    "weather-guides-rain-gauge": "About the rain gauge",
    "weather-lesson-1-worksheet": "Sensing the Weather - Rainfall Worksheet",
    "weather-old-guides-gpio-connect-led": "Connecting an LED without a Breadboard",
    "weather-old-guides-gpio-pull-up-down": "Pull Up and Pull Down Resistors",
    "weather-old-guides-gpio-test-led-scratch": "Test a connected LED with Scratch",
}
WARC = [
    ":septentrio: mosaic-T",
    "Tele-Potato",
    "Buttons, Display & Sound",
    "Cat Napping",
    "Code",
    "Hello JavaScript",
    "Uploading from Safari for Mac",
    "Sound",
    "Make",
    "speed button quiz answers",
    "Uploading from Internet Explorer on Windows",
    "كيفية التحكم في وحدة الكاميرا باستخدام التعليمات البرمجية بلغة Python",
    "Construye el trazador",
    "WiFi Menu",
    "Configure with Bluetooth",
    "System Menu",
    "Profiles Menu",
    "The Rain Gauge",
    "Sensing the Weather - Soil Temperature Lesson",
]
MMC4 = [
    None,  # the record begins with a sentence
    "Writing data",
    "Challenge",
    "dice roll quiz answers",
    "About Bluetooth",
    "rotation animation quiz answers",
    "The micro:bit - a reactive system",
    "Troubleshooting Transfer",
    "Duct Tape Watch",
    "Cómo controlar el Módulo de Cámara a través de la línea de comandos",
    "De cameramodule bedienen via de opdrachtregel",
    "Строим плоттер",
    "Sensor Menu",
    "Windows",
    "Displays",
    "About the soil temperature sensor",
    "Sensing the Weather - Soil Temperature Worksheet",
]
OBELICS = [
    "Transferring from Microsoft Edge on Windows",
    "Make",
    "blocks - rendering graphics",
    "Logic Gates",
    "Activity",
    "Rotary Dial Radio",
    None,  # "Comments": of a program, and on other pages those of readers
    "Equipping a microservo with Crocodile clips",
    "foil circuits",
    "पायथन कोडसह कॅमेरा मॉड्यूल कसे नियंत्रित करावे",
    "Connecter le module caméra",
    "Messages Menu",
    "Ethernet Menu",
    None,  # "Introduction", which is a section's heading more often than a title
    "PointPerfect Menu",
    "About the relative humidity sensor",
    "Connecting a push button",
]


def test_titles_of_the_real_pages(real, tmp_path):
    found = documents(read_all(html, HtmlSource(name="h", path=str(real / "html")), tmp_path))
    assert {Path(item.provenance.file).parent.as_posix(): item.title for item in found} == HTML


def test_titles_of_the_real_archive(real, tmp_path):
    found = documents(read_all(warc, WarcSource(name="w", path=str(real / "web.warc.gz")), tmp_path))
    assert [item.title for item in found] == WARC


def test_an_h1_that_is_the_title_is_a_segment_with_the_same_text(real, tmp_path):
    found = documents(read_all(html, HtmlSource(name="h", path=str(real / "html")), tmp_path))
    assert all(item.segments[0] == Text(0, item.title, "heading") for item in found)


def test_titles_of_the_real_records(real, tmp_path):
    found = documents(read_all(mmc4, Mmc4Source(name="m", path=str(real / "mmc4")), tmp_path))
    assert [item.title for item in found] == MMC4
    found = documents(read_all(obelics, ObelicsSource(name="o", path=str(real / "obelics")), tmp_path))
    assert [item.title for item in found] == OBELICS


@pytest.mark.parametrize("line", ["เทแป้งลงในชามใบใหญ่แล้วทำหลุมตรงกลาง", "ເທແປ້ງໃສ່ໂຖໃຫຍ່"])
def test_a_line_of_a_script_that_marks_no_sentences_is_no_title_of_a_record(line):
    """It may as well be the first sentence; a page states its title in its markup."""
    following = [ImageRef(1, Ref(file="a.png")), Text(2, "แล้วคนจนเข้ากันดี")]
    assert title.of_prose([Text(0, line), *following]) is None
    assert title.of_prose([Text(0, "Bread rolls"), *following]) == "Bread rolls"
