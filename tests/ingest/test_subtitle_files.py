"""Subtitle files as people have them: what players show is the text, with its time; all else has a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from leafinstruct.ingest.video.cue import Cue
from leafinstruct.ingest.video.subtitles import cues

A, B, C = "00:00:01,000 --> 00:00:03,000", "00:00:04,000 --> 00:00:06,000", "00:00:07,000 --> 00:00:09,000"
MAPPED = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{}\n\n"


def read(folder: Path, text: str, name: str = "a.srt") -> tuple[list[Cue], list[tuple[str, str]]]:
    (folder / name).write_bytes(text.encode())
    return cues(folder / name)


def texts(folder: Path, text: str, name: str = "a.srt") -> list[str]:
    """The texts of a file of which nothing is lost."""
    found, lost = read(folder, text, name)
    assert lost == []
    return [cue.text for cue in found]


def srt(*said: str) -> str:
    return "\n".join(f"{number + 1}\n{(A, B, C)[number]}\n{text}\n" for number, text in enumerate(said))


@pytest.mark.parametrize(
    "text",
    [
        r'Write print("one\ntwo") here.',
        r"Open C:\new\notes.txt now.",
        r"Break lines with \N and \h.",
        "use vector<int> v; here",
        "List<String> a, Map<K, V> b, List<i> c and Box<T>",
        "if a<b and c>d: stop",
        "if a<b>c",
        "a<v and w>d",
        "the <b> tag and the <br> tag",
        "x <10> y <3.5> z",
        "<p>para</p> <span class=x>y</span>",
        r"\frac{\alpha}{2} {\alpha} {\bf x}",
        "write {x} here, {y} there",
        "get /?a=1&copy=2 from AT&T",
        "-3 plus 5 is 2",
        "- 3 plus 5 is 2",
        "-.5 and -x",
        "-rf removes it",
        "--verbose prints more",
        ">>> print(1)",
        "[1, 2, 3]",
        "(x + 1)",
        "Add flour (2 cups)",
        "12:30 -> lunch",
        "10:30 > 11:45, 2:30 - 3:45",
        "from 1:30 -> 2:45 pm",
        "A --> B",
        "25 --> 30 km",
    ],
)
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_what_is_no_markup_is_text(tmp_path, text, name):
    head = "WEBVTT\n\n" if name == "a.vtt" else ""
    assert texts(tmp_path, head + srt(text, "Next."), name) == [text, "Next."]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<i>one</i> <B>two</B> <u>three</u> <s>four</s>", "one two three four"),
        ("<i>left open", "left open"),
        ("from the cue before</i> on", "from the cue before on"),
        ("said <i>never\nagain", "said never again"),
        ('<font color="#ff0000" size=3>red</FONT>', "red"),
        ("<c.yellow.bg_blue>key</c> <v.loud Ann Lee>hi</v> <lang en-GB>there</lang>", "key hi there"),
        ("<v Bob>hello", "hello"),
        ("one<00:00:01.500><c> two</c><1:00:02.000><c> three</c>", "one two three"),
        ("その<ruby>言葉<rt>ことば</rt></ruby>です", "その言葉です"),
        ("<ruby>漢<rt>kan<rt>x</rt>字</ruby>", "漢字"),
        (r"{\an8}Up {\i1}there{\i0}", "Up there"),
        (r"{\pos(10,20)\c&HFF00&\fs20}Up{\fad(1,2)}", "Up"),
        ("{y:i}slanted {c:$0000ff}red", "slanted red"),
        ("one<br>two<br />three", "one two three"),
        ("a &lt;b&gt; &amp;amp; &quot;c&quot; it&#39;s&nbsp;d", 'a <b> &amp; "c" it\'s d'),
        ("a&lrm;b&rlm;", "a\u200eb\u200f"),
        ("-Yes.\n-No.", "Yes. No."),
        ("- 3 cups?\n- 4 cups.", "3 cups? 4 cups."),
        ("-Hello.", "Hello."),
        ("- well", "well"),
        (">>> WELCOME", "WELCOME"),
        (">>Hi", "Hi"),
        ("[Music]\nOn we go", "On we go"),
        ("Add flour\n(2 cups)", "Add flour (2 cups)"),
    ],
)
def test_markup_is_not_shown(tmp_path, written, shown):
    assert texts(tmp_path, srt(written, "Next.")) == [shown, "Next."]
    assert texts(tmp_path, "WEBVTT\n\n" + srt(written, "Next."), "a.vtt") == [shown, "Next."]


STEPS = ["Set the oven to 180", "and bake it.", "Done"]


@pytest.mark.parametrize(
    "text",
    [
        srt("Set the oven to\n180", "and bake it.", "Done"),
        f"{A}\nSet the oven to\n180\n\n{B}\nand bake it.\n\n{C}\nDone\n",
        f"{A}\nSet the oven to\n180\n{B}\nand bake it.\n{C}\nDone",
        f"1\n{A}\nSet the oven to\n180\n2\n{B}\nand bake it.\n3\n{C}\nDone",
        f"1.\n{A}\nSet the oven to\n180\n\n#2\n{B}\nand bake it.\n\n(3)\n{C}\nDone",
        f"Cue 1\n{A}\nSet the oven to\n180\n\nCue 2\n{B}\nand bake it.\n\nb7-c\n{C}\nDone",
        f"7\n{A}\nSet the oven to\n180\n7\n{B}\nand bake it.\n7\n{C}\nDone",
        f"1\n{A}\nSet the oven to\n\n180\n\n5\n{B}\nand\n\nbake it.\n\n9\n{C}\nDone",
        srt("Set the oven to\n180", "and bake it.", "Done").replace("\n", "\n\n"),
        srt("Set the oven to\n180", "and bake it.", "Done").replace("\n", "\r\r\n"),
        srt("Set the oven to\n180", "and bake it.", "Done") + "\n4\n",
        "\ufeff"
        + srt("Set the oven to\n180", "and bake it.", "Done").replace("\n2\n", "\n\ufeff\u200f2\u200e\n"),
    ],
    ids=[
        "numbers",
        "none",
        "bare",
        "no blanks",
        "signs",
        "names",
        "all the same",
        "blanks",
        "double",
        "crcrlf",
        "cut",
        "marks",
    ],
)
def test_the_number_of_a_cue_is_not_said_and_a_number_in_a_cue_is(tmp_path, text):
    assert texts(tmp_path, text) == STEPS


def test_a_number_at_the_end_of_a_webvtt_cue_is_said(tmp_path):
    body = srt("Set the oven to\n180", "and bake it.", "Done")
    for text in (body, body.replace("\n1\n", "\n\n").replace("\n2\n", "\n\n").replace("\n3\n", "\n\n")):
        assert texts(tmp_path, "WEBVTT\n\n" + text, "a.vtt") == STEPS


def test_a_countdown_is_said(tmp_path):
    assert texts(tmp_path, srt("3", "2", "1")) == ["3", "2", "1"]
    assert texts(tmp_path, f"{A}\n3\n\n{B}\n2\n\n{C}\n1\n") == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("00:00:04, 500 --> 00:00:06, 000", (4.5, 6)),
        ("00 : 00 : 04,500 --> 00 : 00 : 06,000", (4.5, 6)),
        ("00:00:04 --> 00:00:06", (4, 6)),
        ("00:04,000 --> 00:06,000", (4, 6)),
        ("0:04 --> 0:06", (4, 6)),
        ("00:04 -> 00:06", (4, 6)),
        ("0:0:4,5 --> 0:0:6,25", (4.5, 6.25)),
        ("00:00:04:500 --> 00:00:06;000", (4.5, 6)),
        ("4.500 --> 6.000", (4.5, 6)),
        ("00.00.04,500 --> 00.00.06,000", (4.5, 6)),
        ("00:00:04,500-->00:00:06,000", (4.5, 6)),
        ("00:00:04,500 ---> 00:00:06,000.", (4.5, 6)),
        ("00:00:04,500 \u2192 00:00:06,000", (4.5, 6)),
        ("00:00:04,500 --&gt; 00:00:06,000", (4.5, 6)),
        ("00:00:04,500 -- 00:00:06,000", (4.5, 6)),
        ("00:00:04,500 > 00:00:06,000", (4.5, 6)),
        ("00:00:04,500 - -> 00:00:06,000", (4.5, 6)),
        ("00:00:04,500 \u2014> 00:00:06,000", (4.5, 6)),
        ("0:00:04.500,0:00:06.000", (4.5, 6)),
        ("00:04,500 00:06,000", (4.5, 6)),
        ("2 00:00:04,500 --> 00:00:06,000", (4.5, 6)),
        ("[00:00:04.500 --> 00:00:06.000]", (4.5, 6)),
        ("\u200e00\uff1a00\uff1a04\uff0c500 --> 00\uff1a00\uff1a06\uff0c000", (4.5, 6)),
        ("00:00:04,500 --> 00:00:06,000  X1:100 X2:200 Y1:3 Y2:4", (4.5, 6)),
        ("00:00:04.500 --> 00:00:06.000 align:start position:0%,center line:-1 region:a", (4.5, 6)),
        ("00:00:04,500 --> 00:00:06,000 {\\an8}", (4.5, 6)),
        ("00:00:04,500 --> 00:00:06,000{\\an8}", (4.5, 6)),
        ("-00:00:00,500 --> 00:00:00,900", (0, 0.9)),
        ("01:00:04,500 --> 01:00:06,000", (3604.5, 3606)),
    ],
)
def test_times_as_players_read_them(tmp_path, line, times):
    found, lost = read(tmp_path, srt("Cut.", "Fold.", "Press.").replace(B, line))
    assert lost == []
    assert [(cue.start, cue.end) for cue in found if cue.text == "Fold."] == [times]
    assert sorted(cue.text for cue in found) == ["Cut.", "Fold.", "Press."]
    found, lost = read(tmp_path, srt("Fold.", "Press.").replace(A, line).replace(B, C))
    assert [(cue.start, cue.end) for cue in found if cue.text == "Fold."] == [times]


def test_text_after_the_times_is_said(tmp_path):
    said = srt("Cut.", "it once.").replace(B, f"{B} line:10% Fold")
    assert texts(tmp_path, said) == ["Cut.", "Fold it once."]


@pytest.mark.parametrize(
    "line",
    [
        "00:00:O4,500 --> 00:00:06,000",
        "00:00:04,500 --> ",
        "--> 00:00:06,000",
        "00:00:04:12 --> 00:00:06:12",
        "00:00:04,500 --> 00:00:06,000 --> 00:00:08,000",
        "0000:04,500 --> 0000:06,000",
        "00h00m04s --> 00h00m06s",
        "00:00:04'500 --> 00:00:06'000",
        "00:00:04,500",
        "-00:00:04,500 --> -00:00:03,000",
    ],
)
def test_a_line_of_times_that_cannot_be_read_is_a_reason_with_its_text(tmp_path, line):
    found, lost = read(tmp_path, srt("Cut.", "Fold.", "Press.").replace(B, line))
    assert [cue.text for cue in found] == ["Cut.", "Press."]
    assert [reason for reason, _ in lost] == ["bad_time"]
    found, lost = read(tmp_path, srt("Cut.", "Fold.").replace(A, line))
    assert [cue.text for cue in found] == ["Fold."]
    assert [reason for reason, _ in lost] == ["bad_time"]
    found, lost = read(tmp_path, srt("Cut.").replace(A, line))
    assert (found, [reason for reason, _ in lost]) == ([], ["bad_subtitles"])


def test_the_detail_of_a_bad_time_quotes_the_line_and_the_text(tmp_path):
    _, lost = read(tmp_path, srt("Cut.", "Fold it\nonce.").replace(B, "00:00:O4,500 --> 00:00:06,000"))
    assert lost == [
        (
            "bad_time",
            "a.srt: '00:00:O4,500 --> 00:00:06,000' cannot be read as times, nor what is below it: "
            "'Fold it once.'",
        )
    ]


@pytest.mark.parametrize("between", ["\n\n", "\n", "\n\n\ufeff"])
def test_the_header_of_a_joined_segment_is_not_said(tmp_path, between):
    first, second = "00:01.000 --> 00:03.000\nCut.", "00:04.000 --> 00:06.000\nFold.\n"
    captions, split = "WEBVTT\nKind: captions\nLanguage: en\n\n", MAPPED.format(0).replace("\nX", "\n\nX")
    for head in ("WEBVTT\n\n", captions, MAPPED.format(0), split, MAPPED.format(0).removeprefix("WEBVTT\n")):
        text = f"WEBVTT\n\n{head}{first}{between}{head}{second}"
        for name in ("a.vtt", "a.srt"):
            found, lost = read(tmp_path, text, name)
            assert [(cue.start, cue.text) for cue in found] == [(1, "Cut."), (4, "Fold.")]
            assert lost == []


@pytest.mark.parametrize(
    ("one", "other", "start"),
    [(900_000, 900_000, 4), (900_000, 1_800_000, 14), ((1 << 33) - 450_000, 450_000, 14)],
)
def test_the_header_of_a_segment_shifts_its_times_against_the_first(tmp_path, one, other, start):
    text = (
        f"{MAPPED.format(one)}00:01.000 --> 00:03.000\nCut.\n\n"
        f"{MAPPED.format(other)}00:04.000 --> 00:06.000\nFold.\n"
    )
    found, _ = read(tmp_path, text, "a.vtt")
    assert [(cue.start, cue.text) for cue in found] == [(1, "Cut."), (start, "Fold.")]


def test_blocks_of_webvtt_are_not_said_and_other_text_without_times_is_a_reason(tmp_path):
    found, lost = read(
        tmp_path,
        "WEBVTT\n\nSTYLE\n::cue(b) {\n}\n\nREGION\nid:a\n\n00:01.000 --> 00:03.000\nSTYLE counts.\n\n"
        "NOTE 00:01 --> not\nthis\n\nforgotten\nlines\n\nname of it\n"
        "00:04.000 --> 00:06.000\nFold.\n\nNOTE end",
        "a.vtt",
    )
    assert [cue.text for cue in found] == ["STYLE counts.", "Fold."]
    assert lost == [("untimed_text", "a.vtt: 'forgotten lines' belongs to no line of times")]


def test_text_before_the_first_times_is_a_reason(tmp_path):
    found, lost = read(tmp_path, "Subtitles by Ann\n\n" + srt("Cut."))
    assert [cue.text for cue in found] == ["Cut."]
    assert lost == [("untimed_text", "a.srt: 'Subtitles by Ann' belongs to no line of times")]


def test_a_format_is_known_by_its_first_line_not_by_its_name(tmp_path):
    assert texts(tmp_path, srt("Set it to\n180", "and bake."), "a.vtt") == ["Set it to 180", "and bake."]
    web = (
        "WEBVTT\n\nNOTE no\n\nid\n00:01.000 --> 00:03.000\nSet it to\n180\n\n"
        "00:04.000 --> 00:06.000\nand bake.\n"
    )
    assert texts(tmp_path, web) == ["Set it to 180", "and bake."]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "Käse und Brötchen für drei."),
        ("utf-16", "Käse und Brötchen für drei."),
        ("cp1252", "Käse und Brötchen für drei Personen."),
        ("koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?"),
        ("shift_jis", "公園で犬と猫が遊んでいます。子どもたちは紙に絵を描いています。"),
        ("gb18030", "首先把米洗三遍。然后静置半小时。再用小火慢慢煮熟。"),
    ],
)
def test_character_sets(tmp_path, encoding, said):
    (tmp_path / "a.srt").write_bytes(srt(said, said + " 2", said + " 3").encode(encoding))
    assert cues(tmp_path / "a.srt")[0][0].text == said
