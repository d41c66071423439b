"""Which of several subtitle files is used, by names as yt-dlp, Plex and Jellyfin have them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leafinstruct.ingest.video.beside import choice, subtitles_of

CHOICES = [
    # language, files, the one that is used
    ("en", "a.en-US.vtt", "a.en-US.vtt"),
    ("en", "a.en_GB.srt a.de.srt", "a.en_GB.srt"),
    ("en", "a.eng.srt a.ger.srt", "a.eng.srt"),
    ("en", "a.English.srt a.German.srt", "a.English.srt"),
    ("en", "a.2_English.srt a.3_German.srt", "a.2_English.srt"),
    ("en", "a.EN.srt a.DE.srt", "a.EN.srt"),
    ("eng", "a.en.srt a.de.srt", "a.en.srt"),
    ("EN-us", "a.en.srt a.de.srt", "a.en.srt"),
    ("en-US", "a.en.srt a.en-US.srt a.en-GB.srt", "a.en-US.srt"),
    ("en-US", "a.en-GB.srt", None),
    ("en", "a.en-US.vtt a.en.srt", "a.en.srt"),
    ("en", "a.en-US.srt a.en-GB.srt", "a.en-GB.srt"),
    ("en", "a.en-nP7-2PuUl7o.vtt a.de.vtt", "a.en-nP7-2PuUl7o.vtt"),
    ("en", "a.en-orig.vtt a.en.vtt", "a.en.vtt"),
    ("de", "a.de-en.vtt a.en.vtt", "a.de-en.vtt"),
    ("zh-Hant", "a.zh-Hans.vtt a.zh-Hant.vtt", "a.zh-Hant.vtt"),
    ("es", "a.est.srt", None),
    ("fi", "a.fil.srt", None),
    ("en", "a.en.forced.srt a.en.sdh.srt a.en.srt a.en.auto.srt", "a.en.srt"),
    ("en", "a.en.forced.srt a.en.auto.srt a.en.cc.srt", "a.en.cc.srt"),
    ("en", "a.en.forced.srt a.en.auto.srt", "a.en.auto.srt"),
    ("en", "a.en.forced.srt a.en-US.srt", "a.en-US.srt"),
    ("en", "a.forced.en.srt a.de.srt", "a.forced.en.srt"),
    ("en", "a.default.en.srt a.de.srt", "a.default.en.srt"),
    ("en", "a.Director's cut.en.srt a.de.srt", "a.Director's cut.en.srt"),
    ("hi", "a.hi.srt a.en.srt", "a.hi.srt"),
    ("hi", "a.en.hi.srt", None),
    ("en", "a.en.hi.srt a.hi.srt", "a.en.hi.srt"),
    ("en", "a.srt", "a.srt"),
    ("en", "a.srt a.de.srt", None),
    ("en", "a.srt a.en.srt", "a.en.srt"),
    ("klingon", "a.Klingon.srt a.en.srt", "a.Klingon.srt"),
    (None, "a.srt a.en.srt a.forced.srt", "a.srt"),
    (None, "a.forced.srt a.en.srt", "a.en.srt"),
    (None, "a.en.vtt a.de.vtt", None),
    (None, "a.en.srt a.en.vtt", "a.en.vtt"),
    (None, "a.en.sdh.srt a.en.forced.srt a.en.srt", "a.en.srt"),
    (None, "a.en-orig.vtt a.en.vtt a.en-US.vtt", "a.en.vtt"),
    (None, "a.en.vtt a.de.forced.vtt", "a.en.vtt"),
    (None, "a.zh-Hans.vtt a.zh-Hant.vtt", None),
    (None, "a.Commentary.srt", "a.Commentary.srt"),
    (None, "a.Ann.srt a.Bob.srt", None),
    (None, "a.en.forced.srt", "a.en.forced.srt"),
]


@pytest.mark.parametrize(("language", "files", "used"), CHOICES)
def test_which_file_is_used(language, files, used):
    names = files.replace("'s cut", "'s_cut").split()
    wanted = used and used.replace("'s cut", "'s_cut")
    assert choice("a", [f"videos/{name}" for name in names], language) == (wanted and f"videos/{wanted}")
    assert choice("a", names[::-1], language) == wanted


def test_a_subtitle_file_belongs_to_the_video_with_the_longest_name(tmp_path: Path):
    for name in ("a.mp4", "a.part2.mp4", "ab.mkv", "c.d.WEBM"):
        (tmp_path / name).touch()
    for name in ("a.en.forced.srt", "a.part2.en.srt", "a.part2.vtt", "ab.SRT", "c.d.en-US.vtt", "c.en.srt"):
        (tmp_path / name).touch()
    (tmp_path / "a.de.srt").mkdir()
    os.utime(tmp_path, ns=(1, 1))
    assert {
        name: subtitles_of(tmp_path, name) for name in ("a.mp4", "a.part2.mp4", "ab.mkv", "c.d.WEBM")
    } == {
        "a.mp4": ["a.en.forced.srt"],
        "a.part2.mp4": ["a.part2.en.srt", "a.part2.vtt"],
        "ab.mkv": ["ab.SRT"],
        "c.d.WEBM": ["c.d.en-US.vtt"],
    }
