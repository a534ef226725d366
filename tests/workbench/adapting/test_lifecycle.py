"""Starting, cancelling and turning off an adaptation, beside rounds and purges."""

import pytest
from sqlalchemy import select

from db.tables import Adaptation, AuditEntry, Import
from tests.workbench.making import add_adaptation, add_round, different_texts, import_texts
from workbench.accounts import Account
from workbench.adapting import lifecycle
from workbench.adapting.lifecycle import Offer
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.rounds import lifecycle as rounds
from workbench.rounds.base import bases, next_base, place_of


@pytest.fixture
def filled(project: Project, lead: Account) -> Project:
    import_texts(project, lead, different_texts(320))
    prepare(project)
    return project


def offer_of(project: Project) -> Offer | None:
    with project.database.read() as session:
        return lifecycle.offer(project, session)


def next_of(project: Project) -> str:
    with project.database.read() as session:
        return next_base(project, session)


def set_row(project: Project, number: int, **values: object) -> None:
    with project.database.write() as session:
        row = session.get_one(Adaptation, number)
        for name, value in values.items():
            setattr(row, name, value)


def test_a_lead_starts_one_that_begins_from_the_encoder_of_the_settings(
    filled: Project, lead: Account
) -> None:
    assert lifecycle.start(filled, lead, 3.0) == 1
    with filled.database.read() as session:
        row = session.get_one(Adaptation, 1)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "start adaptation")).one()
    assert (row.state, row.base, row.minutes, row.is_in_use) == ("queued", "starter", 3.0, False)
    assert (entry.subject, entry.person_id) == ("adaptation 1", lead.id)


def test_an_annotator_may_do_none_of_it(filled: Project, ann: Account) -> None:
    for action in (lifecycle.start, lifecycle.cancel, lifecycle.turn_off):
        with pytest.raises(NotAllowedError):
            action(filled, ann)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), float("inf"), 100_000])
def test_a_time_that_makes_no_sense_is_refused(filled: Project, lead: Account, minutes: float) -> None:
    with pytest.raises(InputError, match=r"minutes make no sense\. Give a number above 0"):
        lifecycle.start(filled, lead, minutes)


def test_few_posts_are_refused(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(30))
    prepare(project)
    with pytest.raises(RoundError, match=r"at least 200 posts .* there are \d+"):
        lifecycle.start(project, lead)


def test_no_second_one_no_round_and_no_purge_begin_beside_it(filled: Project, lead: Account) -> None:
    lifecycle.start(filled, lead)
    for begin in (lifecycle.start, rounds.start, rounds.rollback):
        with pytest.raises(RoundError, match="is being adapted, started by 林"):
            begin(filled, lead)
    with pytest.raises(RoundError, match="is being adapted"):
        purge(filled, lead, Criterion(post="p1"), is_dry=False)


def test_none_begins_beside_a_round(filled: Project, lead: Account) -> None:
    add_round(filled, lead, state="training", is_running=True)
    with pytest.raises(RoundError, match="Round 1 is already under way"):
        lifecycle.start(filled, lead)


def test_a_cancelled_one_leaves_no_texts_and_another_may_begin(filled: Project, lead: Account) -> None:
    number = lifecycle.start(filled, lead)
    work = lifecycle.work_folder(filled, number)
    work.mkdir()
    (work / "texts.txt").touch()
    assert lifecycle.cancel(filled, lead) == number
    assert not work.exists()
    with pytest.raises(RoundError, match="is not being adapted"):
        lifecycle.cancel(filled, lead)
    assert lifecycle.start(filled, lead) == 2


def test_rounds_train_on_the_one_in_use_until_it_is_turned_off(filled: Project, lead: Account) -> None:
    assert next_of(filled) == "starter"
    add_adaptation(filled, lead)
    assert next_of(filled) == "base-0001"
    assert place_of(filled, "base-0001") == str(filled.base_folder(1))
    assert place_of(filled, "starter") == "starter"
    with filled.database.read() as session:
        assert bases(filled, session)[:2] == ("base-0001", "starter")
    assert lifecycle.turn_off(filled, lead) == 1
    assert next_of(filled) == "starter"
    with filled.database.read() as session:
        assert bases(filled, session) == ("starter", "hfl/chinese-roberta-wwm-ext", "base-0001")
    with pytest.raises(RoundError, match="No adapted encoder is in use"):
        lifecycle.turn_off(filled, lead)


def test_one_of_another_base_than_that_of_the_settings_is_not_used(filled: Project, lead: Account) -> None:
    add_adaptation(filled, lead, base="another/encoder")
    assert next_of(filled) == "starter"


def test_one_whose_folder_is_gone_is_not_used(filled: Project, lead: Account) -> None:
    add_adaptation(filled, lead)
    filled.base_folder(1).rename(filled.home / "moved")
    assert next_of(filled) == "starter"


def test_it_is_offered_before_the_first_round(filled: Project, lead: Account) -> None:
    assert offer_of(filled) is Offer.FIRST
    add_round(filled, lead)
    assert offer_of(filled) is None


def test_it_is_offered_again_when_the_posts_have_grown_by_half(filled: Project, lead: Account) -> None:
    add_adaptation(filled, lead)
    set_row(filled, 1, posts=220)
    assert offer_of(filled) is None
    set_row(filled, 1, posts=210)
    assert offer_of(filled) is Offer.GROWN


def test_it_is_offered_again_after_a_purge_of_what_it_has_read(filled: Project, lead: Account) -> None:
    add_adaptation(filled, lead)
    set_row(filled, 1, posts=320, purged=2)
    assert offer_of(filled) is Offer.PURGED
    lifecycle.turn_off(filled, lead)
    assert offer_of(filled) is None


def test_it_is_not_offered_to_a_small_project(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(30))
    assert offer_of(project) is None
    with project.database.read() as session:
        assert lifecycle.count_posts(session) == session.scalar(select(Import.accepted))
