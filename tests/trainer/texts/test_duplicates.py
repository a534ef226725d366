"""Near-copies are detected identically on every machine and in every version."""

import unicodedata
from collections import Counter
from itertools import combinations
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.texts.duplicates import BANDS, NEAR, SPLITS, band_keys, shingles, similarity, split_of
from trainer.texts.normalisation import group_key

POST = "这个显卡我用了两年多一直没出过问题"


def strangers(count: int) -> list[str]:
    rng = Random(7)
    return ["".join(chr(rng.randrange(0x4E00, 0x5A00)) for _ in range(24)) for _ in range(count)]


def are_near(one: str, other: str) -> bool:
    meet = (band_keys([one]) == band_keys([other])).any()
    return bool(meet) and similarity(shingles(one), shingles(other)) >= NEAR


@pytest.mark.parametrize(
    ("text", "split"), [("0", "pool"), ("2", "test"), ("14", "audit"), ("23", "validation"), (POST, "pool")]
)
def test_the_split_of_a_group_is_the_same_for_ever(text: str, split: str) -> None:
    assert split_of(group_key(text)) == split


def test_splits_have_their_shares() -> None:
    count = 20_000
    drawn = Counter(split_of(group_key(f"text {number}")) for number in range(count))
    assert set(drawn) == {name for name, _ in SPLITS}
    for name, share in SPLITS:
        # Four standard errors: one set of keys in four thousand would lie outside of them.
        assert abs(drawn[name] / count - share) < 4 * sqrt(share * (1 - share) / count)


def test_the_bands_of_a_text_are_the_same_for_ever() -> None:
    (keys,) = band_keys([POST]).tolist()
    assert len(keys) == BANDS
    assert keys[:3] == [1965983868853909359, -648882804976742473, 8416895941277074517]
    assert keys[-1] == 6476610354054644558


def test_the_bands_of_a_text_do_not_depend_on_its_company() -> None:
    texts = [POST, "", "a", *strangers(3)]
    together = band_keys(texts)
    assert together.shape == (len(texts), BANDS)
    assert all((band_keys([text])[0] == keys).all() for text, keys in zip(texts, together, strict=True))
    assert band_keys([]).shape == (0, BANDS)


def test_shingles_are_pairs_of_letters_and_both_ends() -> None:
    assert shingles("好, 的!") == {"\n好", "好的", "的\n"}
    assert shingles("好") == {"\n好", "好\n"}
    assert shingles("!?") == {"\n!", "!?", "?\n"}
    assert shingles("") == shingles(" \u200b") == {"\n\n"}


@pytest.mark.parametrize(
    "copy",
    [
        POST.replace("两", "三"),
        POST.replace("一直", ""),
        "楼主你好，" + POST,
        POST + "！有意私聊",
        POST[:-3],
        ".".join(POST),
        "🔥".join(POST),
        "\u0336".join(POST),
        f"【{POST}】～～",
    ],
)
def test_a_changed_copy_of_a_post_is_near(copy: str) -> None:
    assert are_near(POST, copy)


@pytest.mark.parametrize(("one", "other"), [("我很喜欢他", "我很讨厌他"), (POST, POST[:8]), ("在吗", "好的")])
def test_other_posts_are_not_near(one: str, other: str) -> None:
    assert not are_near(one, other)


def test_strangers_share_no_band_and_are_not_near() -> None:
    texts = strangers(60)
    keys = [set(row) for row in band_keys(texts).tolist()]
    assert not any(one & other for one, other in combinations(keys, 2))
    assert not any(similarity(shingles(one), shingles(other)) > 0.1 for one, other in combinations(texts, 2))


@given(st.text(), st.text())
def test_likeness_is_mutual_and_whole_with_oneself(one: str, other: str) -> None:
    there, back = similarity(shingles(one), shingles(other)), similarity(shingles(other), shingles(one))
    assert there == back
    assert 0 <= there <= 1
    assert similarity(shingles(one), shingles(unicodedata.normalize("NFD", one))) == 1
