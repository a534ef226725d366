"""The card on top: the one next action, why, and the button that leads to it."""

from dataclasses import dataclass

from markupsafe import Markup

from workbench.overview.advice import Advice, Step
from workbench.web.elements.markup import html
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import label_word


@dataclass(frozen=True)
class Action:
    sentence: str
    button: str
    address: str


ACTIONS: dict[Step, Action] = {
    "import": Action(N_("There are no posts yet."), N_("Import posts"), "/posts"),
    "import more": Action(N_("Every post is labelled."), N_("Import more posts"), "/posts"),
    "label": Action(
        N_("Labels still needed for the first round, of two kinds at least: {count}."),
        N_("Label posts"),
        "/label",
    ),
    "start": Action(N_("New labels that wait for a round: {count}."), N_("Start a round"), "/rounds"),
    "decide": Action(
        N_("Round {count} is finished and waits for your decision."),
        N_("Look at the finished round"),
        "/rounds",
    ),
    "settle": Action(
        N_("Posts that wait for a lead, as people disagree or ask: {count}."),
        N_("Look at them"),
        "/review",
    ),
    "held out": Action(
        N_("Test posts to label before a round can be judged: {count}."),
        N_("Label the held-out posts"),
        "/label",
    ),
    "wait": Action(N_("Round {count} is under way."), N_("Look at its progress"), "/rounds"),
    "more of": Action(
        N_("“{label}” has only {count} labels to learn from: look for more of it."),
        N_("Find posts"),
        "/posts",
    ),
    "watch": Action(
        N_("More labels hardly change the model: {count} blind labels a day are enough to watch it."),
        N_("Label posts"),
        "/label",
    ),
    "go on": Action(N_("More labels still improve the model."), N_("Label posts"), "/label"),
}


def show_action(advice: Advice) -> None:
    action = ACTIONS[advice.step]
    values = {
        "count": f"{advice.count:,}",
        "label": "" if advice.label is None else label_word(advice.label),
    }
    card = Markup(
        '<section class="next" aria-labelledby="next"><div><h2 id="next">{}</h2><p>{}</p></div>'
        '<a class="button primary" href="{}">{}</a></section>'
    )
    html(
        card.format(
            _("Next"),
            _(action.sentence).format(**values),
            action.address,
            _(action.button).format(**values),
        )
    )
