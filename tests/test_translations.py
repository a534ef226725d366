"""A Chinese document says what the English one says: as many headings, the same commands, and a link to each other."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
ROOT = DOCS.parent
CHINESE = [ROOT / "README.zh-CN.md", *sorted(DOCS.glob("*.zh-CN.md"))]
WANTED = {"README", "labelling", "review", "thresholds", "rounds", "importing", "operations"}


def english_of(page: Path) -> Path:
    return page.with_name(page.name.replace(".zh-CN", ""))


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def levels(page: Path) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", without_code(page), re.MULTILINE)]


def commands(page: Path) -> set[str]:
    """Lines of code, and commands within a sentence, without comments and words that a reader replaces."""
    text = page.read_text(encoding="utf-8")
    fenced = re.findall(r"^```(?:sh|ini|toml|json)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    (workbench .+)$", text, re.MULTILINE)
    inline = re.findall(r"`((?:workbench|make|python) [^`\n]+)`", text)
    lines = [*(line for block in fenced for line in block.split("\n")), *indented, *inline]
    return {bare for line in lines if (bare := _bare(line))}


def _bare(line: str) -> str:
    """Placeholders are capitals in English and Chinese words in Chinese."""
    words = re.sub(r"\s+#.*", "", line).split()
    return " ".join("…" if _is_placeholder(word) else word for word in words)


def _is_placeholder(word: str) -> bool:
    return bool(re.fullmatch(r"[A-Z]{2,}|[\u4e00-\u9fff]+", word))


def anchors(page: Path) -> list[str]:
    """Links to a place in a document."""
    return re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", page.read_text(encoding="utf-8"))


def heading_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_documents_of_a_chinese_team_are_there() -> None:
    assert {page.name.removesuffix(".zh-CN.md") for page in CHINESE} >= WANTED


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_both_languages_have_the_same_headings(page: Path) -> None:
    assert levels(page) == levels(english_of(page))


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_every_command_in_chinese_is_in_the_english_text(page: Path) -> None:
    assert commands(page) - commands(english_of(page)) == set()
    assert commands(page)


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_the_languages_link_to_each_other_above_the_first_section(page: Path) -> None:
    for one, other in ((page, english_of(page)), (english_of(page), page)):
        top = one.read_text(encoding="utf-8").partition("\n## ")[0]
        assert f"({other.name})" in top


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_a_link_to_a_section_finds_it(page: Path) -> None:
    for one in (page, english_of(page)):
        for target in anchors(one):
            name, _, anchor = target.partition("#")
            assert anchor in heading_anchors(one.parent / name if name else one), target


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_chinese_prose_uses_chinese_punctuation_and_one_form_of_address(page: Path) -> None:
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", without_code(page))
    assert "您" not in prose
    assert re.findall(r"[\u4e00-\u9fff][,;?!]|[\u4e00-\u9fff]:(?!//)", prose) == []
