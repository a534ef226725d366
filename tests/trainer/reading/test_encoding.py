"""An encoding is recognised by its bytes; what only happens to decode is not believed."""

from pathlib import Path

import pytest

from tests.trainer.reading.making import read, rejects, texts
from trainer.errors import DatasetError
from trainer.reading.posts import open_posts

TRADITIONAL = "這是第一條普通帖子，歡迎大家討論遊戲與電影"
SAMPLES = {
    "big5": TRADITIONAL,
    "shift_jis": "今日はとても天気がいいですね。みんなでゲームをしましょう",
    "euc_jp": "今日はとても天気がいいですね。みんなでゲームをしましょう",
    "euc_kr": "오늘 날씨가 정말 좋네요 같이 게임 해요",
    "windows-1252": "Le café est très bon, n’est-ce pas ? J’ai été à la forêt",
    "windows-1251": "Сегодня очень хорошая погода, пойдём гулять",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.tsv"


def write(file: Path, text: str, encoding: str, rows: int = 5) -> Path:
    file.write_bytes(("id\ttext\n" + "".join(f"{n}\t{text}\n" for n in range(rows))).encode(encoding))
    return file


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("text", ["这是一条普通的帖子😀", "一二一二", "plain ASCII", TRADITIONAL])
def test_an_encoding_of_ours_is_recognised(file: Path, encoding: str, text: str) -> None:
    assert texts(write(file, text, encoding)) == [text] * 5


@pytest.mark.parametrize("encoding", SAMPLES)
def test_another_encoding_is_named_and_not_read_as_chinese(file: Path, encoding: str) -> None:
    with pytest.raises(DatasetError, match=f"--encoding, such as {encoding}"):
        read(write(file, SAMPLES[encoding], encoding))
    assert texts(file, encoding=encoding) == [SAMPLES[encoding]] * 5


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_the_order_of_bytes_is_told_where_their_zeros_are_those_of_one(file: Path, encoding: str) -> None:
    """U+4E00 has a zero byte, and is a letter in the wrong order."""
    text = "出售游戏账号一个" * 30
    file.write_bytes(f"编号\t正文\n甲\t{text}\n".encode(encoding))
    assert texts(file) == [text]


@pytest.mark.parametrize("text", ["it costs £20", "it costs 20£ now", "well – it “works” nicely", "© me"])
def test_signs_among_letters_of_ascii_are_windows_1252(file: Path, text: str) -> None:
    file.write_bytes(f"id\ttext\n1\t{text}\n2\tplain\n".encode("cp1252"))
    with pytest.raises(DatasetError, match="--encoding, such as windows-1252"):
        read(file)


def test_rare_characters_of_no_known_language_are_not_believed(file: Path) -> None:
    with pytest.raises(DatasetError, match="does not look like Chinese"):
        read(write(file, "龠龢龡齾龘靐齉爩鱻麤", "gb18030"))


def test_a_few_characters_are_believed_to_be_chinese(file: Path) -> None:
    assert texts(write(file, "闲聊", "gb18030", rows=1)) == ["闲聊"]


def test_a_nul_within_a_text_makes_no_utf_16(file: Path) -> None:
    assert texts(write(file, "a\0b", "utf-8", rows=1)) == ["a\u2400b"]


def test_code_page_936_of_windows_has_a_euro(file: Path) -> None:
    write(file, "价格", "gbk")
    file.write_bytes(file.read_bytes() + b"9\t" + b"\x80" + "价格九块".encode("gbk") + b"\n")
    assert rejects(file) == [(7, "bytes that are not gb18030, at byte 45 of the file")]
    assert texts(file, encoding="cp936")[-1] == "€价格九块"


def test_too_many_bad_lines_refuse_the_file_at_the_byte_where_the_better_encoding_stops(file: Path) -> None:
    write(file, "这是一条普通的帖子", "utf-8", rows=50)
    file.write_bytes(file.read_bytes() + b"90\t\xe8\n91\t\xe8\n")
    place = file.read_bytes().index(b"\xe8\n")
    with pytest.raises(DatasetError, match=rf"byte {place} \(line 52\) does not fit UTF-8"):
        read(file)
    with pytest.raises(
        DatasetError, match=rf"not utf-8: byte {place} does not fit \(line 52\), and 2 of 53 lines"
    ):
        read(file, encoding="utf-8")


def test_json_obeys_the_same_encodings(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes('{"text": "这是一条普通的帖子"}\n'.encode("gb18030"))
    with open_posts(file) as source:
        assert source.encoding == "gb18030"
    file.write_bytes(f'{{"text": "{TRADITIONAL}"}}\n'.encode("big5"))
    with pytest.raises(DatasetError, match="such as big5"):
        read(file)
    assert texts(file, encoding="big5") == [TRADITIONAL]
    good = '{"text": "这是一条普通的帖子"}\n'.encode() * 20
    file.write_bytes(good + b'{"text": "\xff"}\n')
    assert rejects(file) == [(21, f"bytes that are not utf-8, at byte {len(good) + 10} of the file")]
