"""Comments reach the annotator who asked and the leads, wait until they are read, and are shown to no one else."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from db.tables import Annotation, Comment, CommentReader
from tests.workbench.making import add_label, different_texts, import_texts, posts_of, ready_queue
from tests.workbench.review.test_resolutions import serve_blind
from tests.workbench.team import member
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.exports.jsonl import labelled_posts
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.people import members
from workbench.project import Project
from workbench.review import comments, resolutions
from workbench.review.comments import Discussion


@pytest.fixture
def asked(project: Project, lead: Account, ann: Account) -> int:
    """A post of the pool that Ann has asked about."""
    ready_queue(project, lead)
    post = posts_of(project, "pool")[0]
    add_label(project, ann, post, "normal", is_flagged=True)
    return post


@pytest.fixture
def reviewer(project: Project) -> Account:
    return member(project, "Zhou", "reviewer")


def said(one: Discussion) -> list[tuple[str, str | None, str]]:
    return [(remark.role, remark.name, remark.text) for remark in one.remarks]


def waiting(project: Project, account: Account) -> list[int]:
    posts = [one.post_id for one in comments.waiting_discussions(project, account)]
    with project.database.read() as session:
        assert comments.count_waiting(session, account) == len(posts)
    return posts


def test_a_reply_waits_for_the_annotator_until_it_is_read(
    project: Project, lead: Account, ann: Account, asked: int
) -> None:
    assert waiting(project, ann) == []
    comments.say(project, lead, asked, "Which of the two numbers do you mean?")
    (shown,) = comments.waiting_discussions(project, ann)
    assert said(shown) == [("lead", "林", "Which of the two numbers do you mean?")]
    comments.mark_read(project, ann, asked, shown.waits_from)
    assert waiting(project, ann) == []
    assert said(comments.discussions(project, ann)[0]) == said(shown)


def test_a_comment_that_came_after_the_page_was_drawn_still_waits(
    project: Project, lead: Account, ann: Account, asked: int
) -> None:
    comments.say(project, lead, asked, "first")
    (shown,) = comments.waiting_discussions(project, ann)
    comments.say(project, lead, asked, "second")
    comments.mark_read(project, ann, asked, shown.waits_from)
    assert waiting(project, ann) == [asked]


def test_an_annotators_comment_waits_for_every_lead_until_one_answers(
    project: Project, lead: Account, reviewer: Account, ann: Account, asked: int
) -> None:
    comments.say(project, ann, asked, "Is a half address an advert?")
    assert waiting(project, lead) == waiting(project, reviewer) == [asked]
    comments.mark_read(project, lead, asked, comments.waiting_discussions(project, lead)[0].waits_from)
    assert (waiting(project, lead), waiting(project, reviewer)) == ([], [asked])
    comments.say(project, lead, asked, "Yes.")
    assert waiting(project, reviewer) == []
    assert waiting(project, ann) == [asked]


def test_another_annotator_neither_reads_nor_writes(
    project: Project, lead: Account, ann: Account, ben: Account, asked: int
) -> None:
    comments.say(project, lead, asked, "for Ann")
    for act in (
        lambda: comments.say(project, ben, asked, "me too"),
        lambda: comments.discussion_of(project, ben, asked),
        lambda: comments.mark_read(project, ben, asked, 1),
    ):
        with pytest.raises(NotAllowedError, match="Only the annotator who asked"):
            act()
    assert comments.discussions(project, ben) == []


def test_a_reviewer_who_became_an_annotator_sees_what_they_wrote_in_and_no_more(
    project: Project, lead: Account, reviewer: Account, ann: Account, asked: int
) -> None:
    second = posts_of(project, "pool")[1]
    add_label(project, ann, second, "normal", is_flagged=True)
    for post in (asked, second):
        comments.say(project, ann, post, "why?")
    comments.say(project, reviewer, asked, "because")
    comments.mark_read(project, reviewer, second, 2)
    members.change_role(project, lead, reviewer.id, "annotator")
    annotator = member(project, "Zhou", "annotator")
    assert [one.post_id for one in comments.discussions(project, annotator)] == [asked]
    with pytest.raises(NotAllowedError):
        comments.discussions(project, reviewer)  # with the rights of the role that the person had


def test_annotators_stay_unnamed_among_themselves_and_to_leads_until_the_decision(
    project: Project, lead: Account, ann: Account, ben: Account, asked: int
) -> None:
    add_label(project, ben, asked, "violation", slot=1, is_flagged=True)
    comments.say(project, ann, asked, "mine")
    assert said(comments.discussion_of(project, ben, asked)) == [("annotator", None, "mine")]
    assert said(comments.discussion_of(project, lead, asked)) == [("annotator", None, "mine")]
    resolutions.resolve(project, lead, asked, "normal")
    assert said(comments.discussion_of(project, lead, asked)) == [("annotator", "Ann", "mine")]
    assert said(comments.discussion_of(project, ben, asked)) == [("annotator", None, "mine")]


def test_a_held_out_post_without_a_decision_names_nobody(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    post = posts_of(project, "test")[0]
    serve_blind(project, ann, post)
    comments.say(project, ann, post, "which rule?")
    assert said(comments.discussion_of(project, lead, post)) == [("annotator", None, "which rule?")]


def test_a_question_that_was_taken_back_keeps_its_comments(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead)
    post = answers.hold_posts(project, ann)[0].post_id
    answers.ask_lead(project, ann, post)
    comments.say(project, lead, post, "see rule 3")
    answers.undo(project, ann)
    assert waiting(project, ann) == [post]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2_001])
def test_an_empty_or_overlong_comment_is_refused(
    project: Project, ann: Account, asked: int, text: str
) -> None:
    with pytest.raises(InputError, match="1 to 2000 characters"):
        comments.say(project, ann, asked, text)


def test_a_comment_sent_twice_is_stored_once(project: Project, ann: Account, asked: int) -> None:
    for text in ("why?", "why?", "and why?", "why?"):
        comments.say(project, ann, asked, text)
    with project.database.read() as session:
        assert session.scalars(select(Comment.text).order_by(Comment.id)).all() == [
            "why?",
            "and why?",
            "why?",
        ]


def test_a_post_that_was_never_asked_about_has_no_comments(
    project: Project, lead: Account, asked: int
) -> None:
    for post in (asked + 1, 9_999):
        with pytest.raises(InputError, match="an annotator has asked about"):
            comments.say(project, lead, post, "hello")


def test_an_export_carries_no_comment(project: Project, lead: Account, ann: Account, asked: int) -> None:
    comments.say(project, lead, asked, "between us")
    with project.database.read() as session:
        lines = [post.line for post in labelled_posts(session, 1)]
    assert lines
    assert "between us" not in str(lines)


def ask_anew(project: Project, people: dict[str, Account], askers: dict[int, set[str]]) -> None:
    """Without the comments and answers of the example before."""
    with project.database.write() as session:
        for table in ("comment", "annotation"):
            session.connection().exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_delete")
        for row in (Comment, CommentReader, Annotation):
            session.execute(delete(row))
    for post, names in askers.items():
        for name in names:
            add_label(project, people[name], post, "normal", is_flagged=True)


def waits_for(name: str, authors: list[str], seen: int) -> bool:
    """`authors` of a post's comments in order, the first `seen` of them seen by the person."""
    if name == LEAD and LEAD in authors:
        seen = max(seen, len(authors) - authors[::-1].index(LEAD))
    return any(author != name for author in authors[seen:])


LEAD = "林"
ACTS = st.lists(
    st.tuples(st.sampled_from(["Ann", "Ben", LEAD]), st.sampled_from([0, 1]), st.booleans()), max_size=12
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_a_discussion_waits_exactly_for_those_who_have_not_seen_its_end(
    project: Project, lead: Account, ann: Account, ben: Account, acts: list[tuple[str, int, bool]]
) -> None:
    """Ann has asked about the first post, Ann and Ben about the second."""
    people = {account.name: account for account in (lead, ann, ben)}
    if not posts_of(project, "pool"):
        import_texts(project, lead, different_texts(12))
        prepare(project)
    posts = posts_of(project, "pool")[:2]
    askers = {posts[0]: {"Ann"}, posts[1]: {"Ann", "Ben"}}
    ask_anew(project, people, askers)
    seen: dict[tuple[str, int], int] = {}
    authors: dict[int, list[str]] = {post: [] for post in posts}
    for number, (name, at, is_writing) in enumerate(acts):
        post = posts[at]
        if name not in askers[post] | {LEAD}:
            continue
        if is_writing:
            comments.say(project, people[name], post, f"comment {number}")
            authors[post].append(name)
        else:
            shown = comments.discussion_of(project, people[name], post)
            comments.mark_read(project, people[name], post, shown.waits_from)
        seen[name, post] = len(authors[post])
    for name, account in people.items():
        expected = {
            post
            for post in posts
            if name in askers[post] | {LEAD} and waits_for(name, authors[post], seen.get((name, post), 0))
        }
        assert set(waiting(project, account)) == expected
