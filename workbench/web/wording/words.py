"""Displayed words for values of the code. `_` translates them where they are shown."""

from collections.abc import Mapping

from markupsafe import Markup

from workbench.accounts import COMMAND_LINE
from workbench.imports.facts import Meaning, meaning_of
from workbench.web.wording.i18n import N_, _

LABEL_WORDS = {"normal": N_("normal"), "suspicious": N_("borderline"), "violation": N_("violation")}

STATE_WORDS = {
    "queued": N_("waiting for the worker"),
    "exporting": N_("exporting"),
    "training": N_("training"),
    "evaluating": N_("evaluating"),
    "gating": N_("being checked"),
    "awaiting": N_("waiting for a decision"),
    "scoring": N_("scoring"),
    "promoted": N_("was in use"),
    "rejected": N_("not used"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
}
STEP_WORDS = {
    "exporting": N_("export"),
    "training": N_("train"),
    "evaluating": N_("evaluate"),
    "gating": N_("check"),
    "scoring": N_("score"),
    "promoted": N_("put in use"),
}
RIGHT_WORDS = {
    "label": N_("label posts"),
    "import": N_("import"),
    "run rounds": N_("run rounds"),
    "export": N_("export"),
    "review": N_("review what others labelled"),
    "set the guidelines": N_("set the guidelines"),
    "set thresholds": N_("set thresholds"),
    "set the watch list": N_("set the watch list"),
    "purge": N_("remove posts for good"),
    "manage people": N_("manage people"),
    "read the audit": N_("read the audit"),
}
SPLIT_WORDS = {"validation": N_("validation"), "test": N_("test")}
ROLE_WORDS = {
    "annotator": N_("annotator"),
    "reviewer": N_("reviewer"),
    "lead": N_("lead"),
    "admin": N_("administrator"),
}
OUTCOME_WORDS = {
    "better": N_("better"),
    "worse": N_("worse"),
    "undecided": N_("can't tell yet"),
}
ORDER_WORDS = {
    "typical and random posts": N_(
        "No round is in use yet: typical and random posts are served; after some labels, those a simple model is unsure about."
    ),
    "a simple model of the labels": N_(
        "Ordered by a simple model learned from {count} labels until a round is good enough."
    ),
}
"""By what orders the queue while no round does (`workbench.queue.status`)."""
LANE_WORDS = {
    "uncertain": N_("model unsure"),
    "random": N_("drawn at random"),
    "violation": N_("likely violation"),
    "second_opinion": N_("a second opinion"),
    "held_out": N_("kept for checking the model"),
    "typical": N_("typical of many posts"),
}
REASON_WORDS = {
    "引流广告": N_("advert"),
    "辱骂": N_("abuse"),
    "色情": N_("pornography"),
    "欺诈": N_("fraud"),
    "涉未成年": N_("harms minors"),
    "其他": N_("other"),
    "缺少上下文": N_("context missing"),
    "看不懂": N_("cannot make it out"),
    "拿不准": N_("not sure"),
}
"""Reasons of the default settings. A team's own reasons are shown as written."""
NO_WORKER = N_("No worker is running, so nothing moves. Start one with: workbench worker")

NAME_WORDS = {COMMAND_LINE: N_("command line")}
"""Accounts that are not persons: the commands have one too."""

FACT_WORDS: Mapping[Meaning, str] = {
    "board": N_("board"),
    "thread": N_("thread"),
    "author": N_("author"),
    "time": N_("time"),
}
"""The forum's columns that are shown beside a post."""


def label_word(label: str) -> str:
    return _(LABEL_WORDS[label])


def lane_word(lane: str) -> str:
    return _(LANE_WORDS[lane])


def reason_word(reason: str) -> str:
    return _(REASON_WORDS[reason]) if reason in REASON_WORDS else reason


def person_word(name: str) -> str:
    return _(NAME_WORDS[name]) if name in NAME_WORDS else name


def author_word(name: str, *, is_automatic: bool) -> str:
    """Who started a round: a person, or the rule that the person set."""
    return _("the rule of {name}").format(name=person_word(name)) if is_automatic else person_word(name)


def label_html(label: str) -> Markup:
    return Markup('<span class="label {}">{}</span>').format(label, label_word(label))


def facts_word(column: str) -> str | None:
    meaning = meaning_of(column)
    word = FACT_WORDS.get(meaning) if meaning else None
    return _(word) if word else None
