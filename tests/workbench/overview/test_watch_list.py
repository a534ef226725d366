"""Terms that a lead watches or dismisses, and what the radar makes of them."""

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, TermDecision
from tests.conftest import Clock
from tests.workbench.making import different_texts, import_texts
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.imports.preparing import prepare
from workbench.overview import watch_list
from workbench.overview.radar import read_radar
from workbench.overview.radar_scan import watch
from workbench.overview.watch_list import clear_term, decided_terms, dismiss_term, watch_term
from workbench.project import Project

OLD = [f"今天的天气不错，{text}" for text in different_texts(60)]
NEW = [f"加我QQ领红包，{text}" for text in different_texts(100)[60:]]


@pytest.fixture
def filled(project: Project, lead: Account, clock: Clock) -> Project:
    import_texts(project, lead, OLD)
    clock.move(days=7)
    import_texts(project, lead, NEW, start=1_000)
    prepare(project)
    return project


def standings(project: Project, account: Account) -> dict[str, str]:
    return {one.term: one.standing for one in decided_terms(project, account)}


def actions(project: Project) -> list[tuple[str, str]]:
    with project.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action.endswith(" term")))
        return [(entry.action, entry.subject) for entry in entries]


def test_each_decision_is_appended_and_recorded_and_can_be_taken_back(
    project: Project, lead: Account
) -> None:
    watch_term(project, lead, "红包")
    dismiss_term(project, lead, "天气")
    assert standings(project, lead) == {"红包": "watched", "天气": "dismissed"}
    dismiss_term(project, lead, "红包")
    clear_term(project, lead, "天气")
    assert standings(project, lead) == {"红包": "dismissed"}
    assert actions(project) == [
        ("watch term", "红包"),
        ("dismiss term", "天气"),
        ("dismiss term", "红包"),
        ("clear term", "天气"),
    ]
    with project.database.read() as session:
        assert len(session.scalars(select(TermDecision)).all()) == 4


def test_the_same_decision_again_changes_nothing(project: Project, lead: Account) -> None:
    watch_term(project, lead, "WX")
    watch_term(project, lead, " wx ")
    clear_term(project, lead, "never decided")
    assert actions(project) == [("watch term", "wx")]


@pytest.mark.parametrize("term", ["", "  ", "长" * 25])
def test_no_term_and_too_long_a_one_are_refused(project: Project, lead: Account, term: str) -> None:
    with pytest.raises(InputError, match="1 to 24"):
        watch_term(project, lead, term)


def test_a_full_list_takes_no_more(project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_list, "MOST_WATCHED", 1)
    watch_term(project, lead, "红包")
    with pytest.raises(InputError, match="holds 1 terms"):
        watch_term(project, lead, "微信")
    watch_term(project, lead, "红包")


def test_annotators_and_reviewers_decide_nothing(project: Project, lead: Account, ann: Account) -> None:
    for decide in (watch_term, dismiss_term, clear_term):
        with pytest.raises(NotAllowedError):
            decide(project, ann, "红包")
    assert standings(project, lead) == {}


def test_a_dismissed_term_is_gone_at_once_and_in_later_scans(filled: Project, lead: Account) -> None:
    watch(filled)
    assert "红包" in risen(filled, lead)
    dismiss_term(filled, lead, "红包")
    assert "红包" not in risen(filled, lead)
    clear_term(filled, lead, "红包")
    assert "红包" in risen(filled, lead)
    dismiss_term(filled, lead, "红包")
    assert "红包" not in {one.word for one in watch(filled).periods[0].rising}


def test_a_watched_term_is_counted_wherever_it_stands(filled: Project, lead: Account) -> None:
    watch_term(filled, lead, "我qq")
    watch_term(filled, lead, "天气不错")
    newest = watch(filled).periods[0]
    terms = {one.term: one for one in newest.watched}
    assert (terms["我qq"].count, terms["我qq"].before) == (newest.posts, 0)
    assert list(terms["我qq"].rates) == [0.0, 1.0]
    assert "我QQ" in terms["我qq"].examples[0]
    assert (terms["天气不错"].count, terms["天气不错"].before) == (0, newest.posts_before)
    assert list(terms["天气不错"].examples) == []
    radar = read_radar(filled, lead)
    assert radar is not None
    assert list(radar.periods[0].watched) == list(newest.watched)


def test_a_post_is_the_example_of_one_term_while_there_are_others(filled: Project, lead: Account) -> None:
    examples = [one.examples[0][-20:] for one in watch(filled).periods[0].rising[:5]]
    assert len(examples) > 1
    assert len(set(examples)) == len(examples)


def risen(project: Project, lead: Account) -> set[str]:
    radar = read_radar(project, lead)
    assert radar is not None
    return {one.word for one in radar.periods[0].rising}
