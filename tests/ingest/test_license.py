"""License addresses: exact ones get their SPDX name, all others stay what the page wrote."""

import pytest

from leafinstruct.ingest.fields.license import named


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/by-sa/4.0", "CC-BY-SA-4.0"),
        ("https://www.creativecommons.org/licenses/by-nc-nd/3.0/de/deed.en", "CC-BY-NC-ND-3.0-DE"),
        ("//creativecommons.org/licenses/by/2.5/legalcode", "CC-BY-2.5"),
        ("https://creativecommons.org/licenses/", "https://creativecommons.org/licenses/"),
        (
            "https://creativecommons.org.evil.example/licenses/by/4.0/",
            "https://creativecommons.org.evil.example/licenses/by/4.0/",
        ),
        ("All rights reserved", "All rights reserved"),
        (None, None),
    ],
)
def test_names(stated, name):
    assert named(stated) == name
