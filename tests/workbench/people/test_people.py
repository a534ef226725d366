"""Who is in the project: roles, links and sessions, each checked in the use case and recorded."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from db.queries.standing import current_labels
from db.tables import AuditEntry, Person
from tests.conftest import Clock
from tests.workbench.making import ready_queue
from tests.workbench.team import PASSWORD, VISITOR, give_password, member, token_of
from workbench import accounts
from workbench.accounts import ROLES, Account
from workbench.errors import InputError, NotAllowedError
from workbench.labelling import answers
from workbench.people import entering, identities, invitations, members, sessions
from workbench.people.passwords import LONGEST, hash_password, is_password
from workbench.people.sessions import SignedIn
from workbench.project import Project

NEW = "another four words here"


def actions(project: Project) -> list[str]:
    with project.database.read() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def signed_in(project: Project, account: Account) -> SignedIn:
    found = sessions.find(project, token_of(project, account))
    assert found is not None
    return found


ACTS: dict[str, Callable[[Project, Account, Account], object]] = {
    "add": lambda project, by, _: members.add(project, by, "New", "annotator"),
    "list": lambda project, by, _: members.listing(project, by),
    "role": lambda project, by, other: members.change_role(project, by, other.id, "annotator"),
    "disable": lambda project, by, other: members.disable(project, by, other.id),
    "enable": lambda project, by, other: members.enable(project, by, other.id),
    "invite": lambda project, by, _: invitations.invite(project, by, "annotator"),
    "link": lambda project, by, other: invitations.password_link(project, by, other.id),
    "links": lambda project, by, _: invitations.open_links(project, by),
    "link identity": lambda project, by, other: identities.link(project, by, other.id, "https://id", "u-1"),
    "unlink": lambda project, by, other: identities.unlink(project, by, other.id),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("role", ROLES)
def test_only_leads_and_administrators_manage_people(project: Project, role: str, act: str) -> None:
    by, other = member(project, "By", role), member(project, "Other", "annotator")
    if role in {"lead", "admin"}:
        ACTS[act](project, by, other)
        return
    with pytest.raises(NotAllowedError):
        ACTS[act](project, by, other)
    assert actions(project)[-1] == "refused"


@pytest.mark.parametrize("act", ["role", "disable", "enable", "link", "link identity", "unlink"])
@pytest.mark.parametrize("target", ["lead", "admin"])
def test_a_lead_does_not_touch_leads_and_administrators(
    project: Project, lead: Account, act: str, target: str
) -> None:
    other = member(project, "Other", target)
    with pytest.raises(NotAllowedError, match="Ask an administrator"):
        ACTS[act](project, lead, other)
    ACTS[act](project, member(project, "Root", "admin"), other)


@pytest.mark.parametrize("act", ["role", "disable", "link"])
def test_people_leave_their_own_account_and_that_of_commands_to_others(project: Project, act: str) -> None:
    admin = member(project, "Root", "admin")
    with pytest.raises(InputError, match="your own account"):
        ACTS[act](project, admin, admin)
    with pytest.raises(InputError, match="not in this project"):
        ACTS[act](project, admin, accounts.command_line(project))


def test_a_lead_gives_no_role_above_their_own(project: Project, lead: Account, ann: Account) -> None:
    for role in ("lead", "admin"):
        with pytest.raises(NotAllowedError):
            invitations.invite(project, lead, role)
        with pytest.raises(NotAllowedError):
            members.change_role(project, lead, ann.id, role)
    with pytest.raises(InputError, match="Choose a role"):
        invitations.invite(project, lead, "boss")


@pytest.mark.parametrize("act", ["role", "disable"])
def test_a_changed_role_and_a_disabled_account_end_the_sessions(
    project: Project, lead: Account, ann: Account, ben: Account, act: str
) -> None:
    token, of_ben = token_of(project, ann), token_of(project, ben)
    ACTS[act](project, lead, ann)
    assert sessions.find(project, token) is None
    assert sessions.find(project, of_ben) is not None


@pytest.mark.parametrize("act", ["role", "disable"])
def test_they_give_the_open_posts_to_others_at_once_and_labels_stay(
    project: Project, lead: Account, ann: Account, ben: Account, act: str
) -> None:
    ready_queue(project, lead, 2)
    first, second = answers.hold_posts(project, ann)
    answers.submit(project, ann, first.post_id, "normal")
    answers.hold_posts(project, ann)
    ACTS[act](project, lead, ann)
    assert second.post_id in {card.post_id for card in answers.hold_posts(project, ben)}
    with project.database.read() as session:
        (label,) = session.scalars(current_labels())
    assert (label.post_id, label.label) == (first.post_id, "normal")


def test_a_disabled_person_comes_back_with_the_old_password(
    project: Project, lead: Account, ann: Account
) -> None:
    give_password(project, ann)
    members.disable(project, lead, ann.id)
    with pytest.raises(NotAllowedError):
        entering.sign_in(project, "Ann", PASSWORD, VISITOR)
    members.enable(project, lead, ann.id)
    assert entering.sign_in(project, "Ann", PASSWORD, VISITOR)[0] == ann


def test_a_session_ends_unused_and_after_some_days_in_any_case(
    project: Project, ann: Account, clock: Clock
) -> None:
    token = token_of(project, ann)
    clock.move(hours=project.settings.session_idle_hours - 1)
    assert sessions.find(project, token) is not None
    clock.move(hours=project.settings.session_idle_hours - 1)
    assert sessions.find(project, token) is not None, "it was in use"
    clock.move(hours=project.settings.session_idle_hours + 1)
    assert sessions.find(project, token) is None
    token, begun = token_of(project, ann), clock.moment
    while clock.moment < begun + timedelta(days=project.settings.session_days):
        assert sessions.find(project, token) is not None
        clock.move(hours=24)
    clock.move(hours=1)
    assert sessions.find(project, token) is None


def test_sessions_are_listed_for_their_person_and_ended_one_by_one_or_all_but_one(
    project: Project, ann: Account, ben: Account
) -> None:
    first, second, third = (signed_in(project, ann) for _ in range(3))
    of_ben = signed_in(project, ben)
    listed = sessions.open_sessions(project, ann)
    assert [row.id for row in listed] == [third.session_id, second.session_id, first.session_id]
    assert listed[0].client == VISITOR.client
    sessions.end_own(project, ann, second.session_id)
    with pytest.raises(InputError, match="ended already"):
        sessions.end_own(project, ann, of_ben.session_id)
    assert sessions.end_others(project, ann, third.session_id) == 1
    ids = {each.session_id for each in (first, second, third, of_ben)}
    assert sessions.ended_of(project, ids) == {first.session_id, second.session_id}


def test_a_new_password_needs_the_old_one_and_ends_the_other_sessions(project: Project, ann: Account) -> None:
    give_password(project, ann)
    here, elsewhere = signed_in(project, ann), signed_in(project, ann)
    with pytest.raises(NotAllowedError, match="old password"):
        entering.change_password(project, here, NEW, NEW)
    with pytest.raises(InputError, match="easily guessed"):
        entering.change_password(project, here, PASSWORD, "password1234")
    entering.change_password(project, here, PASSWORD, NEW)
    assert sessions.ended_of(project, [here.session_id, elsewhere.session_id]) == {elsewhere.session_id}
    assert entering.sign_in(project, "Ann", NEW, VISITOR)[0] == ann
    with pytest.raises(NotAllowedError):
        entering.sign_in(project, "Ann", PASSWORD, VISITOR)


def test_guesses_at_the_old_password_end_the_session_and_no_other(
    project: Project, ann: Account, clock: Clock
) -> None:
    give_password(project, ann)
    here, elsewhere = signed_in(project, ann), signed_in(project, ann)
    ids = [here.session_id, elsewhere.session_id]
    for _ in range(2):
        for _ in range(entering.MOST_WRONG - 1):
            with pytest.raises(NotAllowedError, match="old password"):
                entering.change_password(project, here, NEW, NEW)
        assert sessions.ended_of(project, ids) == set()
        clock.moment += entering.WRONG_WITHIN + timedelta(seconds=1)
    for _ in range(entering.MOST_WRONG):
        with pytest.raises(NotAllowedError, match="old password"):
            entering.change_password(project, here, NEW, NEW)
    assert sessions.ended_of(project, ids) == {here.session_id}
    assert actions(project)[-1] == "end session"


def test_a_session_that_has_ended_changes_no_password_though_the_old_one_is_right(
    project: Project, lead: Account, ann: Account
) -> None:
    give_password(project, ann)
    thief = signed_in(project, ann)
    link = invitations.password_link(project, lead, ann.id)
    invitations.choose_password(project, link.secret, NEW, VISITOR)
    with pytest.raises(NotAllowedError, match="signed out"):
        entering.change_password(project, thief, NEW, "a thief's four words")
    assert entering.sign_in(project, "Ann", NEW, VISITOR)[0] == ann


def test_guesses_at_the_same_time_are_counted_one_by_one(project: Project, ann: Account) -> None:
    give_password(project, ann)
    here = signed_in(project, ann)
    guesses = [*(f"wrong guess {number}" for number in range(entering.MOST_WRONG)), PASSWORD]

    def change(old: str) -> str:
        with pytest.raises(NotAllowedError) as refused:
            entering.change_password(project, here, old, NEW)
        return str(refused.value)

    for guess in guesses[:-1]:
        change(guess)
    with ThreadPoolExecutor(4) as threads:
        assert all("signed out" in said for said in threads.map(change, guesses))


def test_an_open_link_ends_with_a_new_password_and_with_the_account(
    project: Project, lead: Account, ann: Account
) -> None:
    give_password(project, ann)
    for act in (
        lambda: entering.change_password(project, signed_in(project, ann), PASSWORD, NEW),
        lambda: members.disable(project, lead, ann.id),
    ):
        link = invitations.password_link(project, lead, ann.id)
        act()
        with pytest.raises(InputError, match="was used"):
            invitations.offer_of(project, link.secret)
    members.enable(project, lead, ann.id)
    with pytest.raises(InputError, match="was used"):
        invitations.offer_of(project, link.secret)


def test_the_role_of_now_counts_not_the_one_in_hand(project: Project, ann: Account) -> None:
    admin = member(project, "Root", "admin")
    with project.database.write() as session:
        session.get_one(Person, admin.id).role = "lead"
    for act in (
        lambda: members.change_role(project, admin, ann.id, "admin"),
        lambda: invitations.invite(project, admin, "lead"),
    ):
        with pytest.raises(NotAllowedError, match="do not give that role"):
            act()
        assert actions(project)[-1] == "refused"


def test_a_lead_withdraws_no_link_that_is_not_theirs_to_make(project: Project, lead: Account) -> None:
    admin = member(project, "Root", "admin")
    link = invitations.invite(project, admin, "admin")
    (listed,) = invitations.open_links(project, lead)
    with pytest.raises(NotAllowedError):
        invitations.withdraw(project, lead, listed.id)
    assert invitations.offer_of(project, link.secret).role == "admin"


def test_a_link_works_once_and_not_after_its_time_or_its_withdrawal(
    project: Project, lead: Account, clock: Clock
) -> None:
    used = invitations.invite(project, lead, "annotator")
    invitations.join(project, used.secret, "Rui", PASSWORD, VISITOR)
    late = invitations.invite(project, lead, "annotator", days=2)
    withdrawn = invitations.invite(project, lead, "annotator", days=7)
    newest = invitations.open_links(project, lead)[0]
    assert (newest.role, newest.name, newest.made_by) == ("annotator", None, lead.name)
    invitations.withdraw(project, lead, newest.id)
    clock.move(days=2)
    for link in (used, late, withdrawn):
        with pytest.raises(InputError, match="was used, withdrawn or has expired"):
            invitations.join(project, link.secret, "Sam", PASSWORD, VISITOR)
    assert invitations.open_links(project, lead) == []


def test_the_links_of_a_lead_end_with_the_role(project: Project, lead: Account) -> None:
    link = invitations.invite(project, lead, "reviewer")
    members.change_role(project, accounts.command_line(project), lead.id, "annotator")
    with pytest.raises(InputError, match="was used"):
        invitations.offer_of(project, link.secret)


def test_a_newer_password_link_replaces_the_older_one(project: Project, lead: Account, ann: Account) -> None:
    first, second = (invitations.password_link(project, lead, ann.id) for _ in range(2))
    with pytest.raises(InputError):
        invitations.choose_password(project, first.secret, PASSWORD, VISITOR)
    old = token_of(project, ann)
    token = invitations.choose_password(project, second.secret, PASSWORD, VISITOR)
    assert sessions.find(project, old) is None
    assert sessions.find(project, token) is not None


def test_links_for_several_people_are_made_for_all_or_for_none(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    links = invitations.password_links(project, lead, [ann.id, ben.id])
    assert {name: invitations.offer_of(project, link.secret).name for name, link in links.items()} == {
        "Ann": "Ann",
        "Ben": "Ben",
    }
    with pytest.raises(InputError, match="your own account"):
        invitations.password_links(project, lead, [ann.id, lead.id])
    assert len(invitations.open_links(project, lead)) == 2
    assert invitations.offer_of(project, links["Ann"].secret).name == "Ann", "it was not replaced"


def test_neither_tokens_nor_secrets_nor_passwords_are_stored(
    project: Project, lead: Account, ann: Account
) -> None:
    link = invitations.password_link(project, lead, ann.id)
    token = invitations.choose_password(project, link.secret, PASSWORD, VISITOR)
    project.database.dispose()
    stored = b"".join(path.read_bytes() for path in project.data.iterdir() if path.is_file())
    for secret in (link.secret, token, PASSWORD):
        assert secret.encode() not in stored


def test_everything_is_recorded(project: Project, lead: Account, ann: Account) -> None:
    link = invitations.password_link(project, lead, ann.id)
    invitations.choose_password(project, link.secret, PASSWORD, VISITOR)
    entering.change_password(project, signed_in(project, ann), PASSWORD, NEW)
    members.change_role(project, lead, ann.id, "reviewer")
    members.disable(project, lead, ann.id)
    members.enable(project, lead, ann.id)
    invitations.invite(project, lead, "annotator")
    told = [action for action in actions(project) if action != "sign in"]
    assert told[-8:] == [
        "new person",
        "password link",
        "choose password",
        "change password",
        "change role",
        "disable person",
        "enable person",
        "invite",
    ]


def test_names_are_found_as_they_look(project: Project, ann: Account) -> None:
    by = accounts.command_line(project)
    assert members.find_member(project, by, "\u0410nn").id == ann.id
    with pytest.raises(InputError, match="There is no Zoe"):
        members.find_member(project, by, "Zoe")
    with pytest.raises(InputError, match="taken"):
        members.add(project, by, "\u0410nn", "annotator")


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 129, "password1234", "woaini1314520", "林静怡林静怡林静怡林静怡"]
)
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(InputError):
        hash_password(password, "林静怡")


def test_a_password_is_the_same_however_it_is_typed() -> None:
    stored = hash_password("ｆｏｕｒ wörds here", "Ann")
    assert is_password("four wo\u0308rds here", stored)
    assert not is_password("four words here", stored)
    assert not is_password("four words here", None)
    assert not is_password("four words here", "no hash")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_password_is_not_cut() -> None:
    longest = ("four words of a horse, " * 6)[:LONGEST]
    stored = hash_password(longest, "Ann")
    assert is_password(longest, stored)
    assert not is_password(longest + "!", stored)


def test_somebody_can_sign_in_once_there_is_a_password(project: Project, ann: Account) -> None:
    assert not members.can_sign_in(project)
    give_password(project, ann)
    assert members.can_sign_in(project)
    with project.database.write() as session:
        session.get_one(Person, ann.id).is_active = False
    assert not members.can_sign_in(project)
