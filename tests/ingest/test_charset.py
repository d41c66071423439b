"""Charsets: declared, lied about, detected; one damaged byte does not turn a page into mojibake."""

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
    ],
)
def test_what_was_written_is_read(text, stored, http, meta):
    page = f"<html><head>{f'<meta charset={meta}>' if meta else ''}</head><body>{text * 3}</body></html>"
    assert text in decode(page.encode(stored), http)


def test_a_few_damaged_bytes_leave_a_page_utf8():
    data = (SPANISH * 20).encode()
    cut = data[: data.rindex("á".encode()) + 1]
    assert decode(cut) == (SPANISH * 20)[: (SPANISH * 20).rindex("á")] + "\ufffd"


@given(st.binary(max_size=400), st.none() | st.text(max_size=12))
def test_decoding_never_fails(data, http):
    decode(data, http).encode()
