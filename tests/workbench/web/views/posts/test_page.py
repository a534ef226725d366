"""The Posts screen: figures, imports with their receipt, exports for leads."""

from html import unescape

import pandas
import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.making import different_texts, import_texts, ready_queue, write_tsv
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import add_round
from workbench import accounts
from workbench.accounts import COMMAND_LINE, Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.posts.saved import saved_searches
from workbench.posts.search import Filter, Hits, find
from workbench.project import Project
from workbench.queue import swap
from workbench.review import bulk_labels, resolutions
from workbench.web.wording import words


def screen() -> None:
    from workbench.web.views.posts import page as posts_page  # noqa: PLC0415 - AppTest runs this function's source alone

    posts_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


def html_of(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    return unescape(html_of(app))


def test_an_annotator_sees_posts_and_labels_but_brings_nothing_in(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 5)
    card = answers.hold_posts(project, ann)[0]
    answers.submit(project, ann, card.post_id, "suspicious")
    visit_as(ann)
    app.run()
    assert not app.file_uploader
    assert shown(app).count('<div class="hit">') == 5
    assert f"{card.text}" in shown(app)
    assert '<span class="label suspicious">borderline</span>' in shown(app)
    assert "<b>5</b> posts" in shown(app)
    assert not app.slider
    assert not [button for button in app.button if button.key and button.key.startswith("history-")]
    app.query_params["post"] = str(card.post_id)
    assert "What happened" not in shown(app.run())


@pytest.fixture
def spam(project: Project, lead: Account) -> Project:
    """30 adverts, six other posts, one of them hostile."""
    adverts = [f"加微信{text}" for text in different_texts(30)]
    import_texts(
        project, lead, [*adverts, *different_texts(35)[30:], "![x](http://evil.example/a.png)<b>粗</b>"]
    )
    prepare(project)
    swap.rebuild(project)
    return project


def press(app: AppTest, key: str) -> AppTest:
    return next(button for button in app.button if button.key == key).click().run()


def hits(app: AppTest) -> int:
    return shown(app).count('<div class="hit">')


def test_two_characters_find_what_holds_them_a_page_at_a_time(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    assert hits(app.run()) == 25
    assert "Posts found: 36" in shown(app)
    app.text_input(key="search").set_value("微信").run()
    assert hits(app) == 25
    assert "Posts found: 30" in shown(app)
    assert hits(press(app, "older-1")) == 5
    assert "Page 2" in shown(app)
    assert hits(press(app, "newer-2")) == 25
    app.text_input(key="search").set_value("没有的").run()
    assert hits(app) == 0
    assert "No post fits." in shown(app)


def test_hostile_text_is_shown_as_it_was_written(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run().text_input(key="search").set_value("evil").run()
    assert hits(app) == 1
    raw = " ".join(element.proto.body for element in app.get("html"))
    assert "&lt;b&gt;粗&lt;/b&gt;" in raw
    assert "<b>粗" not in raw
    assert not [element for element in app.markdown if "evil" in element.value]


def test_the_words_found_are_highlighted_and_what_the_text_writes_stays_text(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead, language="zh")
    app.run().text_input(key="search").set_value("<b> evil").run()
    raw = " ".join(element.proto.body for element in app.get("html"))
    assert "找到 1 条帖子" in raw
    assert "http://<mark>evil</mark>.example" in raw
    assert "<mark>&lt;b&gt;</mark>粗&lt;/b&gt;" in raw


def test_more_hits_than_are_counted_are_so_many_or_more(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.posts.search.count", lambda *_: Hits(27, is_exact=False))
    visit_as(lead)
    app.run().text_input(key="search").set_value("微信").run()
    assert "Posts found: 27 or more" in shown(app)


def test_a_row_opens_the_posts_history_beside_the_list(
    app: AppTest, spam: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    card = answers.hold_posts(spam, ann)[0]
    answers.submit(spam, ann, card.post_id, "suspicious", note="*像* 广告")
    answers.undo(spam, ann)
    answers.submit(spam, ann, card.post_id, "violation")
    visit_as(lead)
    app.run().text_input(key="search").set_value(card.text).run()
    assert hits(app) == 1
    press(app, f"history-{card.post_id}")
    page = shown(app)
    assert card.text in page
    assert "took the answer back" in page
    assert "“*像* 广告”" in page
    assert "came with posts-1.tsv" in page
    assert hits(app) == 1
    assert hits(press(app, "back")) == 1
    assert "What happened" not in shown(app)
    assert app.text_input(key="search").value == card.text


def has_button(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def test_the_forums_id_of_a_post_leads_to_its_history_for_a_lead(
    app: AppTest, spam: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    post = find(spam, lead, Filter()).posts[0]
    visit_as(lead)
    app.run().text_input(key="search").set_value(f" {post.external_id} ").run()
    assert hits(app) == 0
    assert post.text in shown(press(app, "history-of-id"))
    press(app, "back").text_input(key="search").set_value("p9999").run()
    assert not has_button(app, "history-of-id")
    visit_as(ann)
    app.query_params.clear()
    app.run().text_input(key="search").set_value(post.external_id).run()
    assert not has_button(app, "history-of-id")


def test_labels_that_came_by_command_are_nobodys_in_the_list_and_in_the_history(
    project: Project, app: AppTest, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "NAME_WORDS", {COMMAND_LINE: "命令行"})
    import_texts(project, lead, different_texts(3))
    prepare(project)
    file = write_tsv(project.home / "labels.tsv", [{"id": "p1", "label": "violation"}])
    import_labels(project, accounts.command_line(project), file, mapping=parse_map(None))
    visit_as(lead)
    app.run()
    assert "命令行" in shown(app)
    assert COMMAND_LINE not in shown(app)
    press(app, "history-1")
    assert "命令行" in shown(app)
    assert COMMAND_LINE not in shown(app)


@pytest.mark.parametrize("digits", [30, 5_000])
def test_a_post_that_is_not_there_is_said(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs, digits: int
) -> None:
    visit_as(lead)
    app.query_params["post"] = "9" * digits
    assert "There is no post" in shown(app.run())


def ticks(app: AppTest) -> pandas.DataFrame:
    """The editable table of the preview."""
    return app.dataframe[0].value


@pytest.mark.parametrize(("language", "before"), [("en", "not labelled"), ("zh", "未标")])
def test_the_preview_writes_out_what_a_text_hides(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, language: str, before: str
) -> None:
    import_texts(project, lead, [f"加微\u202e信<b>**{text}" for text in different_texts(10)])
    prepare(project)
    visit_as(lead, language=language)
    app.run().text_input(key="search").set_value("微信").run()
    press(app, "tick-all")
    press(app, "look-normal")
    rows = [*ticks(app).itertuples(index=False)]
    assert rows
    assert all(row[2].startswith("加微␣U+202E信<b>**") and row[3] == before for row in rows)


def test_a_lead_labels_all_that_was_found_after_seeing_it_and_takes_it_back(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run()
    assert not [button for button in app.button if button.key == "look-violation"]
    app.text_input(key="search").set_value("微信").run()
    press(app, "tick-all")
    assert "Chosen: 30" in shown(app)
    press(app, "look-violation")
    count = len(bulk_labels.preview(spam, lead, Filter(text="微信")).post_ids)
    assert f'{count} posts would be labelled: <span class="label violation">' in shown(app)
    listed = ticks(app)
    assert (len(listed), set(listed["before"]), set(listed["after"])) == (
        count,
        {"not labelled"},
        {"violation"},
    )
    assert all(listed["include"])
    assert all("加微信" in text for text in listed["text"])
    assert find(spam, lead, Filter(label="violation")).posts == []
    press(app, "label-all-violation")
    assert f"{count} posts were labelled violation." in shown(app)
    assert len(find(spam, lead, Filter(label="violation"), most=100).posts) == count
    bulk = bulk_labels.newest(spam, lead)[0]
    press(app, f"take-back-{bulk.id}")
    assert f"{count} posts are as they were before." in shown(app)
    assert find(spam, lead, Filter(label="violation")).posts == []


def ticked(app: AppTest) -> list[bool]:
    return [bool(box.value) for box in app.checkbox if box.key and box.key.startswith("tick-")]


def test_posts_are_chosen_by_ticks_that_other_searches_and_pages_keep(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run().text_input(key="search").set_value("微信").run()
    newest, second = bulk_labels.preview(spam, lead, Filter(text="微信")).posts[:2]
    app.checkbox(key=f"tick-{newest.post_id}").check().run()
    press(app, "older-1")
    assert not any(ticked(app))
    press(app, "newer-2")
    assert sum(ticked(app)) == 1
    assert app.checkbox(key=f"tick-{newest.post_id}").value
    app.checkbox(key=f"tick-{second.post_id}").check().run()
    assert "Chosen: 2" in shown(app)
    numbers = f"post={second.post_id}&post={newest.post_id}"
    assert f"/download/posts.csv?{numbers}" in shown(app)
    press(app, "look-violation")
    assert [*ticks(app)["text"]] == [newest.text, second.text]
    press(app, "bulk-cancel")
    press(app, "tick-none")
    assert not has_button(app, "look-violation")


def test_the_posts_that_were_chosen_are_the_ones_labelled(
    app: AppTest, spam: Project, lead: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    app.run().text_input(key="search").set_value("微信").run()
    free = bulk_labels.preview(spam, lead, Filter(text="微信")).post_ids
    app.checkbox(key=f"tick-{free[0]}").check().run()
    press(press(app, "look-violation"), "label-all-violation")
    assert [post.post_id for post in find(spam, lead, Filter(label="violation")).posts] == [free[0]]
    assert "Chosen" not in shown(app)


def test_headings_sort_what_was_found(app: AppTest, spam: Project, lead: Account, visit_as: VisitAs) -> None:
    free = bulk_labels.preview(spam, lead, Filter(text="微信")).post_ids
    resolutions.resolve(spam, lead, free[-1], "violation")
    visit_as(lead)
    app.run().text_input(key="search").set_value("微信").run()
    assert 'class="label violation"' not in shown(app).partition("</div></div>")[0]
    press(app, "sort-label")
    first = shown(app).partition('<div class="hit">')[2].partition('<div class="hit">')[0]
    assert 'class="label violation"' in first
    assert "violations first" in shown(app)
    press(app, "sort-label")
    assert "normal first" in shown(app)


def test_a_search_is_saved_used_and_deleted(
    app: AppTest, spam: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    app.run().text_input(key="search").set_value("微信").run()
    app.text_input(key="saved-title").set_value(" 广告 ").run()
    press(app, "saved-save")
    press(app, "clear")
    assert app.text_input(key="search").value == ""
    press(app, "saved-use")
    assert app.text_input(key="search").value == "微信"
    assert "Posts found: 30" in shown(app)
    press(app, "saved-delete")
    assert saved_searches(spam, ann) == []


def test_exports_are_offered_to_leads_alone(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    add_round(project, lead, 1, "rejected")
    folder = project.annotations / "round-0001"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").touch()
    visit_as(lead)
    assert "/download/rounds/1/train.jsonl" in shown(app.run())
    assert "/download/rounds/1/test.jsonl" not in shown(app)
    visit_as(ann)
    assert "/download/rounds" not in shown(app.run())
