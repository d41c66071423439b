"""Charsets: declared, lied about, detected; one damaged byte does not turn a page into mojibake."""

# ruff: noqa: RUF001 - signs of other scripts

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafinstruct.ingest.page.charset import decode

RUSSIAN = (
    "Сегодня вечером мы собираем небольшую станцию для измерения погоды и подключаем к ней датчик "
    "температуры."
)
JAPANESE = "センサーを基板に接続して、電源を入れてください。画面に温度が表示されます。"
KOREAN = "공원에서 개와 고양이가 사이좋게 놀고 있습니다. 물을 끓인 다음 국수를 넣으세요. "
CHINESE = "首先把米洗三遍，然后静置半小时，再用小火慢慢煮熟。"
THAI = "ก่อนอื่นล้างข้าวสามครั้งแล้วพักไว้ครึ่งชั่วโมงก่อนหุงด้วยไฟอ่อน "
UKRAINIAN = "У парку собака і кішка граються разом, її їжа біля ґанку. "
SPANISH = "Conecta el módulo de cámara “pequeño” y enciéndelo — está listo."


@pytest.mark.parametrize(
    ("text", "stored", "http", "meta"),
    [
        (SPANISH, "utf-8", None, None),
        (SPANISH, "utf-8", "latin-1", "latin-1"),
        (SPANISH, "cp1252", None, "utf-8"),
        (SPANISH, "cp1252", None, "iso-8859-1"),
        (SPANISH, "cp1252", "utf-8", None),
        (SPANISH, "utf-8-sig", None, "latin-1"),
        (SPANISH, "utf-16", None, None),
        (RUSSIAN, "koi8-r", "koi8-r", "utf-8"),
        (RUSSIAN, "cp1251", None, "windows-1251"),
        (RUSSIAN, "cp1251", None, None),
        (RUSSIAN, "cp1251", "no-such-charset", None),
        (JAPANESE, "shift_jis", None, "Shift_JIS"),
        (JAPANESE, "euc_jp", "euc-jp", None),
        (JAPANESE, "iso2022_jp", None, "iso-2022-jp"),
        (JAPANESE, "iso2022_jp", "utf-8", "iso-2022-jp"),
        (JAPANESE, "iso2022_jp", None, None),
        (JAPANESE, "cp932", None, None),
        (JAPANESE, "euc_jp", None, None),
        (JAPANESE, "utf-16-be", None, "utf-8"),
        (KOREAN, "cp949", None, "euc-kr"),
        (KOREAN, "cp949", None, "cp949"),
        (KOREAN, "cp949", "MS949", None),
        (KOREAN, "cp949", '"ks_c_5601-1987"', "koi8-r"),
        (KOREAN, "cp949", "'EUC-KR'", "koi8-r"),
        (KOREAN, "cp949", None, None),
        (KOREAN, "cp949", None, "utf-8"),
        (KOREAN, "cp949", "utf-8", "ks_c_5601-1987"),
        (CHINESE, "gbk", None, "gb2312"),
        (CHINESE, "gbk", "gbk", "koi8-r"),
        (CHINESE, "gbk", None, None),
        (CHINESE, "utf-16-le", None, "utf-16"),
        (CHINESE, "utf-8", None, "utf-16"),
        (CHINESE, "utf-8", "utf-16", None),
        (CHINESE, "hz", None, "hz-gb-2312"),
        (THAI, "cp874", None, "tis-620"),
        (THAI, "cp874", None, None),
        (UKRAINIAN, "koi8-u", None, None),
        (UKRAINIAN, "koi8-u", None, "koi8-u"),
        ("“Größe” – 5 €", "cp1252", None, "us-ascii"),
        ("模", "gbk", "gbk", None),
    ],
)
def test_what_was_written_is_read(text, stored, http, meta):
    page = f"<html><head>{f'<meta charset={meta}>' if meta else ''}</head><body>{text * 3}</body></html>"
    assert text in decode(page.encode(stored), http)


@pytest.mark.parametrize(
    "head",
    [
        "<script>var a = '<meta charset=big5>';" + "var a = 1;" * 30_000 + "</script><meta charset={}>",
        "<!-- <meta charset=koi8-r> --><meta charset='{}'>",
        "<style>/* <meta charset=koi8-r> */</style><META CHARSET = {} >",
        "<meta name=x content='charset=big5'><meta charset=nonsense><meta charset={}>",
        "<meta title='<meta charset=big5>'><meta content='text/html; Charset = {}' http-equiv=Content-Type>",
        "<!-- > <meta charset=koi8-r> <!-- --><meta charset={} charset=big5>",
    ],
)
@pytest.mark.parametrize(
    ("text", "stored", "label"),
    [
        (CHINESE, "gbk", "gbk"),
        (KOREAN, "cp949", "korean"),
        ("Naïveté", "cp1252", "latin1"),
        (JAPANESE, "euc_jp", "x-euc-jp"),
    ],
)
def test_a_declaration_counts_where_a_browser_finds_one(head, text, stored, label):
    page = f"<html><head>{head.replace('{}', label)}</head><body><p>{text}</p></body></html>"
    assert f"<p>{text}</p>" in decode(page.encode(stored))


@pytest.mark.parametrize(
    "head", ["<!-- <meta charset=big5> -->", "<script>'<meta charset=big5>'</script>", ""]
)
def test_what_is_no_element_declares_nothing(head):
    assert "<p>Naïve café</p>" in decode(f"{head}<p>Naïve café</p>".encode("cp1252"))


def test_the_first_word_has_the_byte_order_mark_then_http_then_meta_then_xml():
    def page(meta: str) -> str:
        return f'<?xml version="1.0" encoding="koi8-u"?><html><head>{meta}</head><body>Їжа</body></html>'

    assert "Їжа" in decode(b"\xef\xbb\xbf" + page("<meta charset=cp1251>").encode(), "koi8-u")
    assert "Їжа" in decode(page("<meta charset=koi8-u>").encode("cp1251"), "windows-1251")
    assert "Їжа" in decode(page("<meta charset=windows-1251>").encode("cp1251"))
    assert "Їжа" in decode(page("").encode("koi8-u"))


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("euc-kr", "뷁똠".encode("cp949"), "뷁똠"),
        ("euc-kr", b"\xb0\xa1\xff\xff\xb0\xa1", "가\ufffd\ufffd가"),
        ("euc-kr", b"\xb0\xa1\xc9\xff\xb0\xa1", "가\ufffd가"),
        ("euc-kr", b"\xb0\xa1\xc9!\xb0\xa1", "가\ufffd!가"),
        ("shift_jis", "①番の㈱髙橋～".encode("cp932"), "①番の㈱髙橋～"),
        ("shift_jis", b"\x82\xa0\xa0\x82\xa0\x85\xa9\x82\xa0", "あ\ufffdあ\ufffdあ"),
        ("euc-jp", b"\xad\xa1\xa4\xa2\xa1\xc1\xfc\xe2", "①あ～髙"),
        ("euc-jp", b"\xa4\xa2\xa9\xa1\xa4\xa2\x8f\xb0\xa1", "あ\ufffdあ丂"),
        ("iso-2022-jp", b'\x1b$B-!$"\x1b(B.', "①あ."),
        ("gb2312", "喝茶镕".encode("gbk") + b"\x80\xff" + "㐀".encode("gb18030"), "喝茶镕€\ufffd㐀"),
        ("gbk", b"\xba\xc8\x81\x30\x81!\xb2\xe8", "喝\ufffd0\ufffd!茶"),
        ("big5", "喝茶嘅啲".encode("big5hkscs") + b"\xa1\x45\x87\xd9", "喝茶嘅啲‧䂴"),
        ("windows-1251", "да".encode("cp1251") + b"\x98", "да\x98"),
        ("latin1", b"caf\xe9 \x80 \x93x\x94", "café € “x”"),
        ("windows-1253", b"\xe1\xd2\xe1", "α\ufffdα"),
        ("windows-1255", b"\xe0\xca", "אֺ"),
    ],
)
def test_bytes_are_read_with_the_tables_of_browsers(label, data, text):
    """Each value is that of the Encoding Standard."""
    page = b"<meta charset=" + label.encode() + b"><p>" + data + b"</p>"
    assert decode(page) == f"<meta charset={label}><p>{text}</p>"


def test_a_page_that_is_mostly_utf8_is_utf8_and_a_stray_byte_is_of_windows():
    assert decode("Größe, Öl, süß".encode() + b" caf\xe9") == "Größe, Öl, süß caf\ufffd"
    assert decode(b"It\x92s fine.") == "It’s fine."
    assert decode("\ufffd\ufffd old damage".encode()) == "\ufffd\ufffd old damage"


@pytest.mark.parametrize("pair", [b"\xad\xa1", b"\xff\xff", b"\xa1\xff"])
def test_a_large_page_of_damaged_bytes_is_read_in_linear_time(pair):
    """A page that needs a correction for each of its characters would take 40 s."""
    assert len(decode(b"<meta charset=euc-jp>" + pair * (1 << 23))) > 1 << 23


@given(st.binary(max_size=400), st.none() | st.text(max_size=12))
def test_decoding_never_fails(data, http):
    decode(data, http).encode()
