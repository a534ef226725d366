"""The scan for the radar, after every import: a bounded sample of each week, so that it takes seconds at any
size.

Only posts of the pool are sampled, as scores of held-out posts stay hidden.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
import rjieba
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.preparing import import_spans, sampled_posts
from db.queries.training import newest_pool_labels
from trainer.chunks import in_chunks
from trainer.labels import Label
from trainer.statistics.drift import is_chance, stability_index
from trainer.statistics.rising import rises
from trainer.texts.contexts import Contexts
from trainer.texts.variants import Variant, Variants
from trainer.texts.word_spans import words
from workbench.overview.radar import BINS, Disguise, Drift, Period, Radar, Rising, Watched, save_radar
from workbench.overview.watch_list import DecidedTerm, key_of, terms_of
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

FEWEST_DRAWN = 100
"""Scored posts needed in each sample to report drift, if a pass left posts out."""
SAMPLE = 2_000
"""Sampled posts of each week, and of the newest import."""
WEEKS = 8
"""Weeks of comparison before the newest one, as far as they have imports."""
LABELLED = 4_000
"""Newest labels from which the words of violations are taken."""
KNOWN, LISTED, EXAMPLES = 60, 20, 3
EXAMPLE, LEAD = 200, 24
"""Characters of an example, and of them before its term."""
LONGEST = 12
"""In characters, for words."""
SEED = 5


@dataclass
class _Sample:
    """Posts of one or several weeks, and in how many posts of each week a word or a spelling stands."""

    texts: dict[int, str] = field(default_factory=dict)
    weeks: list[list[int]] = field(default_factory=list)
    words: list[Counter[str]] = field(default_factory=list)
    variants: list[Counter[Variant]] = field(default_factory=list)

    def count(self, holds_words: "_Held[str]", holds_variants: "_Held[Variant]") -> None:
        self.words = [_counted(holds_words, week) for week in self.weeks]
        self.variants = [_counted(holds_variants, week) for week in self.weeks]

    def counts_of(self, term: str) -> list[int]:
        return [sum(term in self.texts[post].casefold() for post in week) for week in self.weeks]

    def rates_of(self, what: str | Variant) -> list[float]:
        if isinstance(what, Variant):
            return self.rates([week[what] for week in self.variants])
        return self.rates([week[what] for week in self.words])

    def rates(self, counts: Sequence[int]) -> list[float]:
        pairs = zip(counts, self.weeks, strict=True)
        return [round(count / len(week), 5) for count, week in pairs if week]


_What = TypeVar("_What", str, Variant)
_Held = Mapping[int, Collection[_What]]
"""By post, what stands in it."""


@dataclass
class _Examples:
    """One example of each term. A post is the example of one term as long as others hold the next."""

    texts: Mapping[int, str]
    _used: set[int] = field(default_factory=set)

    def of(self, posts: Iterable[int], written: str) -> list[str]:
        holding = list(posts)
        post = next((one for one in holding if one not in self._used), holding[0] if holding else None)
        if post is None:
            return []
        self._used.add(post)
        return [_around(self.texts[post], written)]


def watch(project: Project) -> Radar:
    with project.database.read() as session:
        spans = [(*row,) for row in session.execute(import_spans())]
        labelled = [(label, text) for label, text in session.execute(newest_pool_labels(LABELLED))]
        known = violation_words(labelled)
        number = champion_number(session)
        rng = np.random.default_rng(SEED)
        looked_for = _LookedFor(Variants(known), [text for _, text in labelled], terms_of(session))
        periods = [_period(session, project, number, looked_for, *period, rng) for period in _periods(spans)]
    radar = Radar(project.now().isoformat(), number, known, periods)
    save_radar(project, radar)
    return radar


@dataclass(frozen=True)
class _LookedFor:
    finder: Variants
    labelled: Sequence[str]
    decided: Sequence[DecidedTerm]

    @property
    def watched(self) -> list[str]:
        return [one.term for one in self.decided if one.standing == "watched"]

    def is_dismissed(self, term: str) -> bool:
        return any(one.standing == "dismissed" and one.term == key_of(term) for one in self.decided)


_Span = tuple[int, str, datetime, int, int]
"""An import's number, file, time, first and last post."""


def _periods(
    spans: Sequence[_Span],
) -> list[tuple[Literal["import", "week"], str, list[list[_Span]], list[list[_Span]]]]:
    if not spans:
        return []
    weeks: dict[str, list[_Span]] = {}
    for span in sorted(spans, key=lambda span: span[2]):
        weeks.setdefault(f"{span[2]:%G-W%V}", []).append(span)
    newest = max(spans, key=lambda span: (span[2], span[0]))
    *earlier, last = weeks
    since = f"{newest[2] - timedelta(weeks=WEEKS):%G-W%V}"
    before = [weeks[week] for week in earlier if week >= since]
    rest = [span for span in weeks[last] if span is not newest]
    return [
        ("import", newest[1], [[newest]], [*before, *([rest] if rest else [])]),
        ("week", last, [weeks[last]], before),
    ]


def _period(
    session: Session,
    project: Project,
    number: int | None,
    looked_for: _LookedFor,
    kind: Literal["import", "week"],
    name: str,
    now: Sequence[Sequence[_Span]],
    before: Sequence[Sequence[_Span]],
    rng: np.random.Generator,
) -> Period:
    current, earlier = _sample(session, now, rng), _sample(session, before, rng)
    words_of = {post: words_in(text) for post, text in current.texts.items()}
    variants_of = {post: looked_for.finder.of(text) for post, text in current.texts.items()}
    current.count(words_of, variants_of)
    earlier.count(
        {post: words_in(text) for post, text in earlier.texts.items()},
        {post: looked_for.finder.of(text) for post, text in earlier.texts.items()},
    )
    contexts = Contexts([*looked_for.labelled, *current.texts.values(), *earlier.texts.values()], rng)
    examples = _Examples(current.texts)
    return Period(
        kind,
        name,
        len(current.texts),
        len(earlier.texts),
        _risings(current, earlier, words_of, looked_for, examples),
        _disguises(current, earlier, variants_of, contexts, looked_for, examples),
        _drifts(project, number, current, earlier),
        [_watched(current, earlier, term, examples) for term in looked_for.watched],
    )


def _risings(
    current: _Sample,
    earlier: _Sample,
    words_of: _Held[str],
    looked_for: _LookedFor,
    examples: _Examples,
) -> list[Rising]:
    if not earlier.texts:
        return []
    most = LISTED + len(looked_for.decided)
    risen = rises(_sum(current.words), _sum(earlier.words), most=most)
    shown = [one for one in risen if not looked_for.is_dismissed(one.word)][:LISTED]
    return [
        Rising(
            one.word,
            one.count,
            one.before,
            round(one.z, 2),
            examples.of(_holding(words_of, one.word), one.word),
            [*earlier.rates_of(one.word), *current.rates_of(one.word)],
        )
        for one in shown
    ]


def _disguises(
    current: _Sample,
    earlier: _Sample,
    variants_of: _Held[Variant],
    contexts: Contexts,
    looked_for: _LookedFor,
    examples: _Examples,
) -> list[Disguise]:
    """Spellings that stand where the word stands, those with the most evidence first."""
    texts: dict[Variant, list[str]] = {}
    for post, variants in variants_of.items():
        for one in variants:
            if not looked_for.is_dismissed(one.written):
                texts.setdefault(one, []).append(current.texts[post])
    evident = islice(contexts.evident(texts).items(), LISTED)
    return [
        Disguise(
            one.written,
            one.word,
            one.how,
            _sum(current.variants)[one],
            _sum(earlier.variants)[one],
            examples.of(_holding(variants_of, one), one.written),
            round(evidence, 2),
            [*earlier.rates_of(one), *current.rates_of(one)],
        )
        for one, evidence in evident
    ]


def _watched(current: _Sample, earlier: _Sample, term: str, examples: _Examples) -> Watched:
    holding = [post for post, text in current.texts.items() if term in text.casefold()]
    return Watched(
        term,
        len(holding),
        sum(earlier.counts_of(term)),
        examples.of(holding, term),
        [*earlier.rates(earlier.counts_of(term)), *current.rates(current.counts_of(term))],
    )


def _holding(held: _Held[_What], what: _What) -> list[int]:
    return [post for post, some in held.items() if what in some]


def _counted(held: _Held[_What], posts: Iterable[int]) -> Counter[_What]:
    return Counter(one for post in posts for one in held[post])


def _sum(counters: Iterable[Counter[_What]]) -> Counter[_What]:
    total: Counter[_What] = Counter()
    for one in counters:
        total.update(one)
    return total


def _around(text: str, written: str) -> str:
    """The part of a text that begins shortly before the first place of `written`."""
    match = re.search(re.escape(written), text, re.IGNORECASE)
    start = max(0, match.start() - LEAD) if match else 0
    return f"{'…' if start else ''}{text[start : start + EXAMPLE]}"


def _sample(session: Session, groups: Sequence[Sequence[_Span]], rng: np.random.Generator) -> _Sample:
    """Up to `SAMPLE` posts of each group, drawn by number: an import's posts have consecutive numbers."""
    sample = _Sample()
    for spans in groups:
        sizes = np.array([last - first + 1 for *_, first, last in spans])
        starts = np.cumsum(sizes) - sizes
        places = rng.choice(sizes.sum(), min(2 * SAMPLE, int(sizes.sum())), replace=False, shuffle=True)
        which = np.searchsorted(starts, places, side="right") - 1
        firsts = np.array([first for *_, first, _last in spans])
        drawn = (firsts[which] + places - starts[which]).tolist()
        taken: dict[int, str] = {}
        for some in in_chunks(drawn, IDS_AT_ONCE):
            rows = session.execute(sampled_posts(some))
            taken |= {row.id: row.text for row in rows}
            if len(taken) >= SAMPLE:
                break
        week = dict(list(taken.items())[:SAMPLE])
        sample.texts |= week
        sample.weeks.append(list(week))
    return sample


def words_in(text: str) -> set[str]:
    """Distinct words of a text, without single characters and long runs.

    For words that the segmenter guesses (加微信), the dictionary words inside them count too.
    """
    whole = {text[start:end].casefold() for start, end in words(text)}
    guessed = (word for word in whole if 3 <= len(word) <= LONGEST and not rjieba.has_word(word))
    inside = {
        piece
        for word in guessed
        for piece in (word[at : at + length] for length in (2, 3) for at in range(len(word) - length + 1))
        if rjieba.has_word(piece)
    }
    return {word for word in whole | inside if 2 <= len(word) <= LONGEST and not word.isdecimal()}


def violation_words(labelled: Iterable[tuple[str, str]]) -> list[str]:
    bad: Counter[str] = Counter()
    other: Counter[str] = Counter()
    for label, text in labelled:
        (bad if label == Label.VIOLATION else other).update(words_in(text))
    return [one.word for one in rises(bad, other, most=KNOWN)]


def _drifts(project: Project, number: int | None, current: _Sample, earlier: _Sample) -> list[Drift]:
    if number is None or not earlier.texts:
        return []
    scores = RoundScores.of(project, number)
    ids = (np.array(sorted(sample.texts), dtype=np.int64) for sample in (current, earlier))
    # If a pass left posts out, only the random ones: the others were selected by their content.
    now, before = (scores.read_of(posts[scores.is_fair(posts)]) for posts in ids)
    if min(len(now.post_ids), len(before.post_ids)) < (FEWEST_DRAWN if scores.coverage() else 1):
        return []
    violation = Label.VIOLATION.position
    return [
        _drift(
            "violation",
            now.post_ids,
            now.probabilities[:, violation],
            before.probabilities[:, violation],
            current,
        ),
        _drift(
            "certainty",
            now.post_ids,
            now.probabilities.max(axis=1),
            before.probabilities.max(axis=1),
            current,
        ),
    ]


def _drift(
    score: Literal["violation", "certainty"],
    post_ids: NDArray[np.int64],
    now: NDArray[np.float32],
    before: NDArray[np.float32],
    sample: _Sample,
) -> Drift:
    counts = [np.bincount(_bins(values), minlength=BINS) for values in (before, now)]
    psi = stability_index(*counts)
    assert psi is not None  # neither is empty
    shares_before, shares_now = (count / count.sum() for count in counts)
    grown = int(np.argmax(shares_now - shares_before))
    examples = post_ids[_bins(now) == grown][:EXAMPLES]
    return Drift(
        score,
        round(psi, 4),
        [round(float(share), 4) for share in shares_now],
        [round(float(share), 4) for share in shares_before],
        [sample.texts[int(post)][:EXAMPLE] for post in examples],
        is_chance(psi, len(before), len(now)),
    )


def _bins(values: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.clip((np.asarray(values) * BINS).astype(np.int64), 0, BINS - 1)
