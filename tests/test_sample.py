"""The sample does not reveal its labels, and leaves something to learn."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency, kruskal
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from trainer.labels import LABELS
from trainer.linear.baseline import linear_baseline
from trainer.texts.duplicates import NEAR, band_keys, shingles, similarity

FOLDER = Path(__file__).parent.parent / "data" / "sample"
Post = dict[str, str]


def read(name: str) -> list[Post]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    labels = {row["id"]: row["label"] for row in read("labels.tsv")}
    return [post | {"label": labels[post["id"]]} for post in read("posts.tsv")]


@pytest.fixture(scope="module")
def groups(posts: list[Post]) -> list[int]:
    """The first post of each post's near-copies, by the product's own rule."""
    texts = [post["text"] for post in posts]
    sets, group, seen = [shingles(text) for text in texts], list(range(len(texts))), {}
    for place, keys in enumerate(band_keys(texts)):
        for key in map(int, keys):
            for other in seen.setdefault(key, []):
                if similarity(sets[place], sets[other]) >= NEAR:
                    group[place] = group[other]
            seen[key].append(place)
    return group


def counts(posts: list[Post], facet: list[str]) -> np.ndarray:
    table = Counter(zip(facet, (post["label"] for post in posts), strict=True))
    return np.array([[table[value, label] for label in LABELS] for value in sorted(set(facet))])


def test_it_has_the_size_and_the_shares_it_claims(posts: list[Post]) -> None:
    shares = Counter(post["label"] for post in posts)
    assert len(posts) >= 3_000
    assert [round(shares[label] / len(posts), 2) for label in LABELS] == [0.80, 0.12, 0.08]
    assert all(
        post[column] for post in posts for column in ("id", "text", "board", "thread", "author", "time")
    )


def test_it_has_near_copies_but_mostly_different_posts(posts: list[Post], groups: list[int]) -> None:
    assert 2_500 <= len(set(groups)) <= len(posts) - 50


def test_no_eight_characters_stand_in_more_than_one_post_of_a_hundred(posts: list[Post]) -> None:
    seen: Counter[str] = Counter()
    for post in posts:
        seen.update({post["text"][at : at + 8] for at in range(len(post["text"]) - 7)})
    assert seen.most_common(1)[0][1] <= len(posts) / 100


def test_board_and_hour_tell_nothing_of_the_label(posts: list[Post]) -> None:
    for facet in ([post["board"] for post in posts], [str(int(post["time"][11:13]) // 4) for post in posts]):
        assert chi2_contingency(counts(posts, facet)).pvalue > 0.05


def test_length_tells_nothing_of_the_label(posts: list[Post]) -> None:
    lengths = [[len(post["text"]) for post in posts if post["label"] == label] for label in LABELS]
    assert kruskal(*lengths).pvalue > 0.05


def test_a_linear_model_learns_something_but_not_everything(posts: list[Post], groups: list[int]) -> None:
    texts, labels = np.array([post["text"] for post in posts]), np.array([post["label"] for post in posts])
    train, test = next(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(texts, labels, groups))
    probabilities = linear_baseline(list(texts[train]), list(labels[train]), list(texts[test]))
    predicted = np.array(LABELS)[probabilities.argmax(axis=1)]
    assert 0.55 <= f1_score(labels[test], predicted, average="macro") <= 0.85


def test_every_opinion_is_about_a_post_and_a_label_or_a_question(posts: list[Post]) -> None:
    labels = {post["id"]: post["label"] for post in posts}
    opinions = read("opinions.tsv")
    assert len({(row["id"], row["who"]) for row in opinions}) == len(opinions)
    for row in opinions:
        assert row["id"] in labels
        assert row["who"] in {"a", "b"}
        assert row["says"] in {*LABELS, "skip", "ask"}


def test_people_differ_by_one_step_only_and_say_why(posts: list[Post]) -> None:
    labels = {post["id"]: post["label"] for post in posts}
    differing = [
        row for row in read("opinions.tsv") if row["says"] in LABELS and row["says"] != labels[row["id"]]
    ]
    assert differing
    for row in differing:
        assert "suspicious" in {row["says"], labels[row["id"]]}
        assert row["note"]
        assert row["lead"]


def test_the_moderation_log_decides_as_the_labels_say(posts: list[Post]) -> None:
    labels = {post["id"]: post["label"] for post in posts}
    decided = {"通过": "normal", "观察": "suspicious", "删除": "violation"}
    log = read("moderation-log.tsv")
    assert len(log) == len({row["id"] for row in log}) == 140
    assert all(decided[row["decision"]] == labels[row["id"]] for row in log)
