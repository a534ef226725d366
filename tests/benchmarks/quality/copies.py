"""Ways in which people and spammers repost a text."""

import unicodedata
from collections.abc import Callable
from random import Random

Copy = Callable[[str, Random], str]
COMMON = (
    "的一是不了人我在有他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
)
EMOJI = ("\U0001f525", "\u2764\ufe0f", "\U0001f339", "\u2b50")
GREETINGS = ("大家好，", "楼主你好，", "路过说一句：", "转：", "顶！", "朋友们，")
TAILS = ("！！！", "，有意私聊", "。转发扩散", " 加我 q7731", "，你们说呢？", "[微笑]")
CYRILLIC = str.maketrans("aceiopsxyABCEHKMOPTX", "асеіорѕхуАВСЕНКМОРТХ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
MARKS = "\u0336\u0332\u0489\u20dd"


def _change(text: str, rng: Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(COMMON.replace(text[at], "")) + text[at + 1 :]


def _drop(text: str, rng: Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + text[at + 1 :]


def _insert(text: str, rng: Random) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(COMMON) + text[at:]


def _between(*fillers: str) -> Copy:
    return lambda text, rng: "".join(character + rng.choice(fillers) for character in text)


def _cut(share: float) -> Copy:
    return lambda text, _rng: text[: max(1, round(len(text) * share))]


def _repunctuated(text: str, rng: Random) -> str:
    def other(character: str) -> str:
        return rng.choice("，。！？~… ") if unicodedata.category(character)[0] == "P" else character

    return "".join(map(other, text)) + rng.choice("。！~")


WAYS: dict[str, Copy] = {
    "one character changed": _change,
    "two characters changed": lambda text, rng: _change(_change(text, rng), rng),
    "one character dropped": _drop,
    "one character put in": _insert,
    "other punctuation": _repunctuated,
    "greeting before": lambda text, rng: rng.choice(GREETINGS) + text,
    "tail behind": lambda text, rng: text + rng.choice(TAILS),
    "last tenth cut": _cut(0.9),
    "last quarter cut": _cut(0.75),
    "last half cut": _cut(0.5),
    "spaces between letters": _between(" ", "\u3000"),
    "dots between letters": _between(".", "·", "-", "|"),
    "emoji between letters": _between(*EMOJI),
    "zero width between letters": _between("\u200b", "\u200d", "\u2060", "\ufeff"),
    "marks on letters": _between(*MARKS),
    "look-alike letters": lambda text, _rng: text.translate(CYRILLIC),
    "full width": lambda text, _rng: text.translate(FULL_WIDTH),
    "other case": lambda text, _rng: text.swapcase(),
}
"""Each copies a non-empty text, and returns it unchanged where it cannot change it."""
