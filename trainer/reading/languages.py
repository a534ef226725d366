"""How much bytes look like text of an encoding.

Most byte sequences of Big5, Shift-JIS, EUC-KR or Windows-1252 also decode as GB18030, to characters that hardly any text
holds. So each candidate is credited for the characters that are frequent in its language: the mean over the characters
outside ASCII is 0.7 to 0.9 for the right encoding and below 0.4 for the others.
"""

import re
from collections.abc import Callable, Mapping

FREQUENT = frozenset(
    # The most frequent of Chinese forum posts, questions and dialogues: 70% of their characters.
    "的是我一了有不在你个人这他大好国上店时年家以中到为要吗多道分地去么都下可和点知日还能看生很小天就北出得那子发来会想京"
    "过没酒电也最什她后作学周用行里馆公月对们景说自成餐开于前边间方本元哪现影新名些事部啊被推区呢玩如美工主之高全女门市评"
    "法它第车奖游经手做吃您给西近演话长面起业同比吧动合找回心真员然定机位文问所其东物当等但金海三意打价安费实种少片老场明"
    "喜体王加次格理情常感果太路关提外而台十网已科歌内应票司特何表通解该者代记力水只因正己样帮站首山目与度信华口接进两相乐男"
    "把期入品重住城题觉直欢制今无建呀房消放更民张着告获利别号请从件平完街球专德再型院数错求花视任将听导怎收万二化查此原英几"
    "音需非孩世总示服务教系身由性受像称士清并每报语让单选儿结快运式考饭程铁星克巴及算嗯哈活买晚交均带四广联达保量气认火或"
    "微发群红钱账号卖骂狗死傻滚操妈爸爱五六七八九百千一二三四五六七八九十帖转赞回复楼主谢谢加价买卖出售免费"
    # Their traditional forms.
    "這個們來時說為會對過還沒後學開裡間現點話長國發當樣種實見問題經應動電車門業們機關無與從將進給讓兩東給覺幾邊頭樂風飛體"
    "愛買賣錢號請謝誰嗎麼樓親難歡遊戲論討帖條第網聽寫讀書該認識語氣師報圖區場員單雙處變張總選結統線級萬億歲廣"
)
HANGUL = frozenset(
    "이다는을의에하고가은로지도기사를한서나어시자리아인대그라일있정수해게보만전스들과여주으것부오면구원제상장트안성생비유"
    "조신우니야없요습합드중했음러세공국경화동문물분선소치실물방관적위무모진계마"
)
CYRILLIC = frozenset("оеаинтсрвлкмдпу")
KANA = re.compile("[ぁ-んァ-ヶー]")
SYMBOLS = re.compile("[\u2000-\u206f\u3000-\u3003\u3008-\u3020\uff00-\uff65]|[\U0001f000-\U0001faff]")
"""Punctuation, full-width forms and emoji: no evidence for any language."""
LATIN = re.compile(r"(?<![^\x00-\x7f])[¡-ÿŒœŠšŽž‘’“”–—…€](?![^\x00-\x7f])")
"""A letter or a sign with ASCII on both sides: in other encodings such bytes come in pairs."""
LEVEL_1 = 0.5
"""Credit of a character of the plane of the frequent ones."""
LIKELY = 0.45
"""Least credit of an encoding that is named as the likely one."""
CHINESE = 0.25
"""Least credit of text that is believed to be Chinese, where there are enough characters to tell."""
ENOUGH = 20


Judge = Callable[[str, bytes], float | None]
"""Credit of a character and its code, None if it is no evidence."""


def credits(sample: bytes) -> dict[str, float]:
    """Mean credit of each candidate encoding over the characters outside ASCII, 0 to 1."""
    return {encoding: _credit(sample, encoding, judge) for encoding, judge in CANDIDATES.items()}


def outside_ascii(sample: bytes, encoding: str) -> int:
    return sum(not character.isascii() for character in sample.decode(encoding, "replace"))


def _credit(sample: bytes, encoding: str, judge: Judge) -> float:
    text = sample.decode(encoding, "replace")
    if judge is not _latin:  # its quotes and dashes are such symbols
        text = SYMBOLS.sub("", text)
    letters = [character for character in text if not character.isascii()]
    if not letters:
        return 0.0
    if judge is _latin:
        return len(LATIN.findall(text)) / len(letters)
    judged = [judge(character, _encoded(character, encoding)) for character in letters]
    known = [credit for credit in judged if credit is not None]
    return sum(known) / len(known) if known else 0.0


def _encoded(character: str, encoding: str) -> bytes:
    return character.encode(encoding, "replace")


def _utf_8(character: str, _code: bytes) -> float:
    # A sequence of several bytes is valid UTF-8 by chance once in thirty times.
    return float(character != "\ufffd")


def _gb18030(character: str, code: bytes) -> float | None:
    if len(code) == 4 and character != "\ufffd":
        return None  # other encodings hardly ever look like these, but they hold every script
    return _known(character, code, b"\xb0\xa1", b"\xd7\xfe", second=0xA1)


def _big5(character: str, code: bytes) -> float:
    return _known(character, code, b"\xa4\x40", b"\xc6\x7e", second=0x40)


def _known(character: str, code: bytes, first: bytes, last: bytes, *, second: int) -> float:
    if character in FREQUENT:
        return 1.0
    is_level_1 = len(code) == 2 and first <= code <= last and code[1] >= second
    return LEVEL_1 if is_level_1 else 0.0


def _shift_jis(character: str, code: bytes) -> float:
    if KANA.match(character):
        return 1.0
    return LEVEL_1 if len(code) == 2 and b"\x88\x9f" <= code <= b"\x98\x72" else 0.0


def _euc_jp(character: str, code: bytes) -> float:
    if KANA.match(character):
        return 1.0
    return LEVEL_1 if len(code) == 2 and b"\xb0\xa1" <= code <= b"\xcf\xd3" else 0.0


def _euc_kr(character: str, _code: bytes) -> float:
    if character in HANGUL:
        return 1.0
    return LEVEL_1 if "가" <= character <= "힣" else 0.0


def _cyrillic(character: str, _code: bytes) -> float:
    if character in CYRILLIC:
        return 1.0
    return LEVEL_1 / 2 if "а" <= character <= "я" else 0.0


def _latin(_character: str, _code: bytes) -> float:
    return 0.0  # judged by its neighbours


CANDIDATES: Mapping[str, Judge] = {
    "utf-8": _utf_8,
    "gb18030": _gb18030,
    "big5": _big5,
    "shift_jis": _shift_jis,
    "euc_jp": _euc_jp,
    "euc_kr": _euc_kr,
    "windows-1251": _cyrillic,
    "windows-1252": _latin,
}
"""Of two with an equal credit the first is taken."""
