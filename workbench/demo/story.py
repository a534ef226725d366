"""Four weeks of a moderation team, told through the use cases: imports, answers, reviews, rounds and thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from trainer.statistics.thresholds import Prices
from workbench import accounts
from workbench.accounts import Account
from workbench.demo.clock import A_WEEK, Clock, at, first_days, labelling_days
from workbench.demo.files import Opinions, write_exports
from workbench.demo.work import Work
from workbench.imports.intake import import_rows
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers, guidelines
from workbench.labelling.cards import Card, Saved
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.overview import radar_scan
from workbench.people import members
from workbench.project import Project
from workbench.review import cases, resolutions
from workbench.rounds import lifecycle
from workbench.thresholds import policy

ADMIN, LEAD = "沈岚", "林静怡"
ANNOTATORS = {"a": "陈晓雯", "b": "周子昂"}
SHIFTS = (("09:30", "a"), ("10:10", "b"), ("14:00", "a"), ("15:20", "b"))
A_SHIFT = 25
"""Answers."""
REVIEWED = "16:20"
TRAINED = "17:00"
ROUNDS = (4, 9, 17)
"""The days, from 0, at whose ends a round is started."""
SECOND_GUIDELINES = 10
REVIEWS = (4, 9, 14, 17)
THRESHOLDS_FROM = 2
"""The first round with thresholds of its own: before it too few held-out posts are labelled."""
PRICES = Prices(missed=10, false_alarm=3, look=1)
NOTES = {
    1: "版务记录加第一周的标注，先跑通流程",
    2: "新版规范之前的最后一轮",
    3: "换新版规范以后的第一轮",
}
REASONS = {
    1: "第一轮，样本还少；先用它来排队，挑出拿不准的帖子，判定仍由人来做",
    2: "测试集的宏 F1 比上一轮高，样本还不够下定论，先换上继续标",
    3: "三轮里测试结果最好，换上；阈值跟着重算",
}
LOG, LOG_SOURCE = "通过=normal,观察=suspicious,删除=violation", "版务记录"
LEFT_OPEN = 3
"""One case of so many stays open in a review."""
SEED = 20_260_103


@dataclass(frozen=True)
class Story:
    project: Project
    clock: Clock
    work: Work
    sample: Path
    opinions: Opinions
    rng: Random = field(default_factory=lambda: Random(SEED))  # noqa: S311 - no secret depends on it

    def tell(self, now: datetime) -> None:
        """Ends on the day before `now`. Raises WorkbenchError if a round does not end as told."""
        days = labelling_days(now.date())
        self.clock.set(at(days[0], "08:10", now.tzinfo))
        lead = self._person(LEAD, "lead")
        team = {who: self._person(name, "annotator") for who, name in ANNOTATORS.items()}
        self._person(ADMIN, "admin")
        with TemporaryDirectory() as folder:
            exports = write_exports(self.sample, Path(folder), first_days(days))
            for number, day in enumerate(days):
                self._morning(number, day, now, lead, exports)
                self._shifts(number, day, now, team)
                self._evening(number, day, now, lead)
        radar_scan.watch(self.project)

    def _person(self, name: str, role: str) -> Account:
        return members.add(self.project, accounts.command_line(self.project), name, role)

    def _morning(self, number: int, day: date, now: datetime, lead: Account, exports: Sequence[Path]) -> None:
        self.clock.set(at(day, "08:30", now.tzinfo))
        if number in {0, SECOND_GUIDELINES}:
            name = "guidelines-2.txt" if number else "guidelines-1.txt"
            guidelines.publish(self.project, lead, (self.sample / name).read_text(encoding="utf-8"))
        if number % A_WEEK == 0:
            with open_tsv(exports[number // A_WEEK]) as source:
                import_rows(self.project, lead, source)
            if number == 0:
                self._import_log(lead)
            self.work.prepare()

    def _import_log(self, lead: Account) -> None:
        """What moderators decided before the project: it trains, and measures nothing."""
        file, mapping = self.sample / "moderation-log.tsv", parse_map(LOG)
        import_labels(self.project, lead, file, label_column="decision", mapping=mapping, source=LOG_SOURCE)

    def _shifts(self, number: int, day: date, now: datetime, team: Mapping[str, Account]) -> None:
        for begin, who in SHIFTS:
            self.clock.set(at(day, begin, now.tzinfo) + timedelta(seconds=self.rng.randrange(600)))
            self._shift(team[who], who, is_first=number < SECOND_GUIDELINES)

    def _shift(self, account: Account, who: str, *, is_first: bool) -> None:
        held = answers.hold_posts(self.project, account)
        for _ in range(A_SHIFT):
            if not held:
                return
            self.clock.move(self._seconds(held[0]))
            self._answer(account, who, held[0], is_first=is_first)
            held = answers.hold_posts(self.project, account)
        answers.release(self.project, account)

    def _seconds(self, card: Card) -> float:
        """To read a post and decide."""
        return 4 + len(card.text) / 9 + self.rng.expovariate(1 / 5)

    def _answer(self, account: Account, who: str, card: Card, *, is_first: bool) -> Saved:
        opinion = self.opinions.of(card.external_id, who, is_first=is_first)
        note = opinion.note or None
        if opinion.says == "ask":
            return answers.ask_lead(self.project, account, card.post_id, note=note)
        if opinion.says == "skip":
            saved = answers.skip(self.project, account, card.post_id, note=note)
        else:
            saved = answers.submit(self.project, account, card.post_id, opinion.says, note=note)
        if opinion.reason:
            saved = answers.give_reason(self.project, account, saved.annotation_id, opinion.reason)
        return saved

    def _evening(self, number: int, day: date, now: datetime, lead: Account) -> None:
        if number in REVIEWS:
            self.clock.set(at(day, REVIEWED, now.tzinfo))
            self._review(lead)
        if number in ROUNDS:
            self.clock.set(at(day, TRAINED, now.tzinfo))
            self._round(lead)

    def _review(self, lead: Account) -> None:
        for case in cases.open_cases(self.project, lead):
            if sha256(case.external_id.encode()).digest()[0] % LEFT_OPEN == 0:
                continue
            self.clock.move(20 + self.rng.randrange(40))
            label = self.opinions.labels[case.external_id]
            reason = self.opinions.explanations.get(case.external_id)
            resolutions.resolve(self.project, lead, case.post_id, label, reason=reason)

    def _round(self, lead: Account) -> None:
        with self.project.database.read() as session:
            notes = NOTES[len(lifecycle.history(session)) + 1]
        number = lifecycle.start(self.project, lead, notes=notes)
        if self.work.run_round(number) == "awaiting":
            self.clock.move(300)  # the lead looks at the figures
            lifecycle.promote(self.project, lead, number, REASONS[number], expected_state="awaiting")
            self.work.promote(number)
        if number >= THRESHOLDS_FROM:
            self.clock.move(600)
            self._set_thresholds(lead, number - THRESHOLDS_FROM)

    def _set_thresholds(self, lead: Account, expected_version: int) -> None:
        proposal = policy.propose(policy.read_evidence(self.project, lead), PRICES)
        policy.save(self.project, lead, proposal, expected_version=expected_version)
        self.work.prepare()
