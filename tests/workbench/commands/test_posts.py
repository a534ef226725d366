"""`workbench posts` and `workbench post` print what the Posts page shows."""

import json
from pathlib import Path

import pytest

from db.tables import Person, Round
from tests.workbench.making import different_texts, import_texts
from trainer.messages import Message
from workbench import cli
from workbench.accounts import Account
from workbench.commands import terminal
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.overview.radar import Disguise, Drift, Period, Radar, save_radar
from workbench.project import Project
from workbench.queue import swap


@pytest.fixture
def home(project: Project, lead: Account, ann: Account) -> Path:
    import_texts(project, lead, ["加微信[b]领红包", *different_texts(20)])
    prepare(project)
    swap.rebuild(project)
    card = answers.hold_posts(project, ann)[0]
    answers.submit(project, ann, card.post_id, "violation", note="[red]看")
    return project.home


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def output_of(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["workbench", *arguments, "--home", str(home)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code in {0, None}
        return capsys.readouterr().out

    return output_of


def test_posts_are_listed_as_a_table_and_as_json(run) -> None:
    assert "加微信[b]领红包" in run("posts", "微信")
    matches = json.loads(run("posts", "微 信", "--json"))
    assert [post["id"] for post in matches["posts"]] == ["p1"]
    assert (matches["has_more"], matches["hits"], matches["is_exact"]) == (False, 1, True)
    few = json.loads(run("posts", "--label", "none", "--limit", "3", "--json"))
    assert (len(few["posts"]), few["has_more"]) == (3, True)
    assert (few["hits"], few["is_exact"]) == (20, True)
    labelled = json.loads(run("posts", "--label", "violation", "--json"))["posts"]
    assert [(post["labels"], post["people"]) for post in labelled] == [(["violation"], ["Ann"])]


def test_a_posts_history_is_told_as_a_table_and_as_json(run) -> None:
    post = json.loads(run("posts", "--label", "violation", "--json"))["posts"][0]
    output = run("post", post["id"])
    assert "labelled: violation" in output
    assert "[red]看" in output
    history = json.loads(run("post", str(post["number"]), "--json"))
    assert history["external_id"] == post["id"]
    assert [event["kind"] for event in history["events"]] == ["labelled"]


@pytest.mark.parametrize("arguments", [("post", "nobody"), ("posts", "--label", "spam")])
def test_what_cannot_be_is_one_line_and_status_1(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setattr("sys.argv", ["workbench", *arguments, "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: There is no")


def test_the_radar_is_told_as_a_table_and_as_json(run, project: Project) -> None:
    assert "Nothing yet" in run("radar")
    assert json.loads(run("radar", "--json")) == {"radar": None}
    save_radar(
        project,
        Radar(
            "2026-01-12T09:00:00+00:00",
            None,
            ["微信"],
            [
                Period(
                    "week", "2026-W03", 9, 0, [], [Disguise("薇信", "微信", "sound", 3, 0, ["加[b]薇信"])], []
                )
            ],
        ),
    )
    assert "薇信 = 微信 (sound)" in run("radar")
    assert json.loads(run("radar", "--json"))["radar"]["known"] == ["微信"]


def test_a_radar_without_news_says_so_and_what_too_few_posts_cannot_tell(run, project: Project) -> None:
    drift = Drift("violation", 2.85, [0.1] * 10, [0.1] * 10, [], is_chance=True)
    save_radar(
        project, Radar("2026-01-12T09:00:00+00:00", 1, [], [Period("import", "a.tsv", 1, 9, [], [], [drift])])
    )
    told = run("radar")
    assert "nothing stands out" in told
    assert "for example" not in told
    assert "2.85, too few posts to tell" in told


STEERING, MARKUP = "\x1b]52;c;x\x07", "[/规则]"


def test_what_people_wrote_neither_steers_the_terminal_nor_is_markup(
    run, project: Project, lead: Account, ann: Account, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "width", 400)
    hostile = f"{STEERING}{MARKUP}"
    with project.database.write() as session:
        for name in (ann, ben):
            session.get_one(Person, name.id).name = f"{name.name}{hostile}"
        session.add(
            Round(
                number=1,
                state="rejected",
                is_running=False,
                is_quick=True,
                base="starter",
                created_at=project.now(),
                started_by_id=ann.id,
                decision_reason=Message.verbatim(hostile).to_dict(),
            )
        )
    import_texts(project, lead, [f"看{hostile}这里{text}" for text in different_texts(6)], start=900)
    prepare(project)
    swap.rebuild(project)
    asked = answers.hold_posts(project, ben)[0]
    answers.ask_lead(project, ben, asked.post_id, note=hostile)
    risen = Disguise(f"薇{hostile}", "微信", "sound", 3, 0, [f"加{hostile}"])
    save_radar(
        project, Radar("2026-01-12T09:00:00+00:00", None, [], [Period("week", "w", 9, 0, [], [risen], [])])
    )
    for command in (
        ("posts", "--label", "violation"),
        ("posts", "--label", "none"),
        ("post", "p900"),
        ("post", str(asked.post_id)),
        ("review",),
        ("radar",),
        ("round", "list"),
    ):
        output = run(*command)
        assert not {"\x1b", "\x07"} & set(output), command
        assert MARKUP in "".join(output.split()), command
