from itertools import pairwise

import numpy as np
import pytest

from tests.workbench.making import different_texts, import_texts
from trainer.texts.tokens import Tokens
from workbench.imports.preparing import prepare
from workbench.scores import tokens as tokens_module
from workbench.scores.tokens import TokenStore, bring_up_to_date, count_of, forget


def by_letters(texts):
    """Token ids are the letters, so that tests can restore a text from its tokens."""
    return Tokens.of([[ord(letter) for letter in text] for text in texts])


def texts_in(store, after=0):
    files, ids, places = store.after(after)
    whole = Tokens.joined([tokens_module.read_tokens(file)[1] for file in files])
    rows = [whole.padded(places[at : at + 1], 0)[0][0] for at in range(len(places))]
    return dict(zip(ids.tolist(), ("".join(map(chr, row)) for row in rows), strict=True))


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(tokens_module, "FILE_POSTS", 7)
    monkeypatch.setattr(tokens_module, "AT_ONCE", 3)


@pytest.fixture
def texts():
    return different_texts(20)


def test_every_prepared_post_is_in_the_store_once(project, lead, texts):
    import_texts(project, lead, texts[:8])
    assert texts_in(bring_up_to_date(project, "a", by_letters)) == {}  # none is prepared
    prepare(project)
    assert list(texts_in(bring_up_to_date(project, "a", by_letters)).values()) == texts[:8]
    import_texts(project, lead, texts[8:], start=9)
    prepare(project)
    store = bring_up_to_date(project, "a", by_letters)
    assert texts_in(store) == dict(enumerate(texts, start=1))
    assert texts_in(store, after=15) == dict(enumerate(texts[15:], start=16))
    spans = [tuple(map(int, file.stem.split("-"))) for file in store.files()]
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(spans))


def test_a_post_is_tokenised_once(project, lead, texts):
    import_texts(project, lead, texts[:5])
    prepare(project)
    seen = []
    for _ in range(2):
        bring_up_to_date(project, "a", lambda some: seen.extend(some) or by_letters(some))
    assert seen == texts[:5]


def test_another_tokenizer_has_a_store_of_its_own_and_the_oldest_goes(project, lead, texts):
    import_texts(project, lead, texts[:3])
    prepare(project)
    for name in ("a", "b", "c"):
        assert len(texts_in(bring_up_to_date(project, name, by_letters))) == 3
    assert {folder.name for folder in (project.data / "tokens").iterdir()} == {"b", "c"}


def test_stopped_half_way_it_goes_on_where_it_was(project, lead, texts):
    import_texts(project, lead, texts)
    prepare(project)
    asked = iter([False, True])
    assert len(texts_in(bring_up_to_date(project, "a", by_letters, should_stop=lambda: next(asked)))) == 3
    assert texts_in(bring_up_to_date(project, "a", by_letters)) == dict(enumerate(texts, start=1))


def test_a_file_that_a_longer_one_replaced_is_passed_over(project, lead, texts):
    """A worker killed between the two writes leaves both files."""
    import_texts(project, lead, texts[:5])
    prepare(project)
    store = bring_up_to_date(project, "a", by_letters)
    (old,) = store.files()
    content = old.read_bytes()
    import_texts(project, lead, texts[5:7], start=6)
    prepare(project)
    bring_up_to_date(project, "a", by_letters)
    old.write_bytes(content)
    assert len(list(store.folder.glob("*.arrow"))) == 2
    assert texts_in(store) == dict(enumerate(texts[:7], start=1))


def test_a_forgotten_post_leaves_nothing_behind(project, lead, texts):
    import_texts(project, lead, texts)
    prepare(project)
    for name in ("a", "b"):
        store = bring_up_to_date(project, name, by_letters)
    (store.folder / ".half.arrow.part").write_text(texts[3])
    gone = np.array([4, 9, 15, 16, 17, 18, 19, 20])
    assert count_of(project, gone) == 16
    assert forget(project, gone) == 16
    assert forget(project, gone) == 0
    for name in ("a", "b"):
        left = texts_in(TokenStore(project.data / "tokens" / name))
        assert left == {at: text for at, text in enumerate(texts, start=1) if at not in gone}
    written = np.array([ord(letter) for letter in texts[3]], dtype=np.uint32).tobytes()
    assert not any(
        written in file.read_bytes() for file in (project.data / "tokens").rglob("*") if file.is_file()
    )
    assert list((project.data / "tokens").rglob("*.part")) == []
