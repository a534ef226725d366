"""Which texts of one file stand in another, as they are or nearly."""

from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.toy import toy_examples
from trainer.texts.copies import near_copies, without_copies

ADVERT = "加我微信 abc123 领红包，先到先得，名额有限"


def test_near_copies_are_those_that_importing_would_group() -> None:
    others = [ADVERT, "今天的天气真不错，大家出去走走吧"]
    texts = [
        ADVERT.upper() + "!!",
        ADVERT.replace("abc123", "abc124"),
        "有人看昨晚的比赛吗，太精彩了",
        others[1],
    ]
    assert near_copies(texts, others) == [True, True, False, True]
    assert near_copies(texts, []) == [False] * 4
    assert near_copies([], others) == []


@given(st.lists(st.text(min_size=1), max_size=20))
def test_each_text_is_a_copy_of_itself(texts: list[str]) -> None:
    assert near_copies(texts, texts) == [True] * len(texts)


def test_examples_with_an_equal_text_go_and_the_others_keep_their_order() -> None:
    examples = toy_examples(30, 0)
    assert without_copies(examples, examples[10:]) == [
        example for example in examples[:10] if example.text not in {other.text for other in examples[10:]}
    ]
    assert without_copies(examples, []) == examples
