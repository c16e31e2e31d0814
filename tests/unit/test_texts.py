import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from web.pages.texts import LANGUAGES, TEXTS

PLACEHOLDER = re.compile(r"\{(\w*)\}")
KEY = re.compile(r"""\bt\(\s*["']([\w.-]+)["']\s*[,)]""")


def test_all_languages_have_the_same_texts() -> None:
    assert {frozenset(TEXTS[language]) for language in LANGUAGES} == {frozenset(TEXTS["en"])}


@pytest.mark.parametrize("key", TEXTS["en"])
def test_a_text_tells_the_same_facts_in_all_languages(key: str) -> None:
    facts = {tuple(sorted(PLACEHOLDER.findall(TEXTS[language][key]))) for language in LANGUAGES}

    assert len(facts) == 1
    assert all(TEXTS[language][key].strip() for language in LANGUAGES)


def test_every_text_that_is_asked_for_is_there() -> None:
    sources = [*(ROOT / "web" / "static").glob("*.js"), *(ROOT / "web" / "templates" / "pages").glob("*.html")]

    keys = {(key, source.name) for source in sources for key in KEY.findall(Path(source).read_text(encoding="utf-8"))}
    assert len(keys) > 10
    assert {key for key in keys if key[0] not in TEXTS["en"]} == set()
