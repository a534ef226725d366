"""Displayed words for entries of the audit, which hold values of the code."""

import re
from collections.abc import Mapping
from typing import Any

from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import (
    LABEL_WORDS,
    NAME_WORDS,
    OUTCOME_WORDS,
    RIGHT_WORDS,
    ROLE_WORDS,
)

ACTION_WORDS = {
    "sign in": N_("signed in"),
    "sign in refused": N_("sign-in refused"),
    "sign in slowed": N_("sign-in slowed down: too many wrong passwords"),
    "sign out": N_("signed out"),
    "refused": N_("action refused"),
    "end session": N_("session ended"),
    "new person": N_("person added"),
    "change role": N_("role changed"),
    "disable person": N_("person disabled"),
    "enable person": N_("person enabled"),
    "assign board": N_("board assigned"),
    "make group": N_("group made"),
    "set group members": N_("members of a group set"),
    "delete group": N_("group deleted"),
    "set goal": N_("goal and share of second opinions set"),
    "link identity": N_("identity of a sign-in service linked"),
    "unlink identity": N_("identities of sign-in services unlinked"),
    "invite": N_("invitation made"),
    "password link": N_("link for a new password made"),
    "withdraw link": N_("link withdrawn"),
    "join": N_("joined by an invitation"),
    "choose password": N_("new password by a link"),
    "change password": N_("password changed"),
    "password change refused": N_("password change refused"),
    "settings in force": N_("settings in force changed"),
    "import": N_("posts imported"),
    "store the rest": N_("rest of a damaged import stored"),
    "import labels": N_("labels imported"),
    "delete unreadable rows": N_("old unreadable rows deleted"),
    "label many": N_("many posts labelled"),
    "take back many": N_("labels of many posts taken back"),
    "publish guidelines": N_("guidelines published"),
    "change answer options": N_("keys and reasons changed"),
    "make ruling": N_("ruling made"),
    "extend ruling": N_("ruling extended to more posts"),
    "withdraw ruling": N_("ruling withdrawn"),
    "set thresholds": N_("thresholds set"),
    "watch term": N_("term put on the watch list"),
    "dismiss term": N_("term dismissed from the radar"),
    "clear term": N_("term taken off the list of the radar"),
    "decide": N_("verdicts written"),
    "decide new": N_("new verdicts written"),
    "decide since": N_("verdicts since a day written"),
    "start round": N_("round started"),
    "cancel round": N_("round cancelled"),
    "judge round": N_("round judged by the gate"),
    "leave round to a lead": N_("round left to a lead"),
    "promote round": N_("decided to put a round in use"),
    "reject round": N_("decided not to use a round"),
    "put in use": N_("round put in use"),
    "round failed": N_("round failed"),
    "bundle round": N_("bundle packed"),
    "adopt round": N_("round adopted"),
    "set automatic rounds": N_("rule for automatic rounds set"),
    "skip automatic round": N_("next automatic round to be skipped"),
    "automatic round skipped": N_("automatic round skipped"),
    "start adaptation": N_("adaptation of the base encoder started"),
    "cancel adaptation": N_("adaptation of the base encoder cancelled"),
    "adaptation failed": N_("adaptation of the base encoder failed"),
    "put adaptation in use": N_("adapted base encoder put in use"),
    "turn off adaptation": N_("adapted base encoder turned off"),
    "score": N_("scoring asked for"),
    "export labels": N_("labels exported"),
    "export adapter": N_("merged model exported"),
    "export audit": N_("audit exported"),
    "download": N_("file downloaded"),
    "begin purge": N_("purge begun"),
    "purge": N_("posts purged"),
}

SUBJECT_WORDS: Mapping[str, Mapping[str, str]] = {
    "refused": RIGHT_WORDS,
    "invite": ROLE_WORDS,
    "label many": LABEL_WORDS,
    "settings in force": {"web app": N_("web app"), "worker": N_("worker")},
    "sign in": NAME_WORDS,
    "new person": NAME_WORDS,
    "sign in refused": {"unknown name": N_("unknown name")},
}
"""Words for the subjects of an action that are values of the code."""
NO_SUBJECT = frozenset(
    {"sign out", "sign in slowed", "withdraw link", "score", "set automatic rounds", "skip automatic round"}
) | {"automatic round skipped"}
"""Their subject says nothing to a reader: the number of an ended session, or always the same."""
NUMBERED = {
    "round": N_("Round {number}"),
    "version": N_("Version {number}"),
    "ruling": N_("Ruling {number}"),
    "adaptation": N_("Adaptation {number}"),
    "import": N_("Import {number}"),
}
_NUMBERED = re.compile(r"([a-z]+) ([0-9]+)")

DETAIL_WORDS = {
    "role": N_("role"),
    "was": N_("before"),
    "now": N_("now"),
    "client": N_("address"),
    "means": N_("by"),
    "issuer": N_("issuer"),
    "identity": N_("identity"),
    "why": N_("because"),
    "invited_by": N_("invited by person no."),
    "made_by": N_("link by person no."),
    "count": N_("number"),
    "posts": N_("posts"),
    "rows": N_("rows"),
    "accepted": N_("accepted"),
    "stored": N_("stored"),
    "lost": N_("lost"),
    "labelled": N_("labels saved"),
    "left_out": N_("left out"),
    "import_id": N_("import no."),
    "imports": N_("imports"),
    "source": N_("source"),
    "days": N_("days"),
    "wanted": N_("search"),
    "audit": N_("With the sealed audit set"),
    "pool": N_("with all posts"),
    "onnx": "ONNX",
    "entries": N_("entries"),
    "policy": N_("version of the thresholds"),
    "band": N_("band"),
    "base": N_("base encoder"),
    "fingerprint": N_("fingerprint"),
    "quick": N_("trial round"),
    "automatic": N_("by a rule"),
    "reason": N_("reason"),
    "previous": N_("round before"),
    "rolled_back": N_("rolled back"),
    "decision": N_("what follows"),
    "outcome": N_("comparison"),
    "doubts": N_("doubts"),
    "minutes": N_("minutes"),
    "label": N_("label"),
    "version": N_("version of the guidelines"),
    "violation_reasons": N_("reasons for a violation"),
    "skip_reasons": N_("reasons for a skip"),
    "ruling": N_("ruling"),
    "after_labels": N_("after new labels"),
    "at": N_("at"),
    "zone": N_("time zone"),
    "skips": N_("skips"),
    "labels": N_("new labels"),
    "counts": N_("removed"),
    "rounds": N_("rounds trained with them"),
    "adaptations": N_("adaptations that read them"),
    "changed": N_("changed"),
    "people": N_("people"),
    "groups": N_("groups"),
    "goal": N_("daily goal"),
    "second_opinions": N_("second opinions, %"),
}
"""Words for the keys of details; those of settings are shown as `workbench.toml` has them."""
VALUE_WORDS: Mapping[str, Mapping[str, str]] = {
    "label": LABEL_WORDS,
    "role": ROLE_WORDS,
    "was": ROLE_WORDS,
    "now": ROLE_WORDS,
    "outcome": {**OUTCOME_WORDS, "first": N_("nothing to compare with")},
    "means": {
        "password": N_("password"),
        "link": N_("link"),
        "demo": N_("demo"),
        "oidc": N_("sign-in service"),
        "proxy": N_("proxy"),
    },
    "why": {
        "disabled": N_("disabled"),
        "no group": N_("no group with a role"),
        "no name": N_("name taken or not usable"),
        "bad token": N_("token not valid"),
    },
    "decision": {"promote": N_("put in use"), "ask": N_("a lead decides"), "reject": N_("not used")},
}
NO_WORDS: Mapping[str, str] = {}


def action_word(action: str) -> str:
    return _(ACTION_WORDS[action]) if action in ACTION_WORDS else action


def subject_word(action: str, subject: str) -> str:
    if action in NO_SUBJECT:
        return ""
    numbered = _NUMBERED.fullmatch(subject)
    if numbered is not None and numbered[1] in NUMBERED:
        return _(NUMBERED[numbered[1]]).format(number=numbered[2])
    word = SUBJECT_WORDS.get(action, {}).get(subject)
    return subject if word is None else _(word)


def detail_words(action: str, detail: Mapping[str, Any]) -> str:
    """The details in one line. Of settings in force those that have changed."""
    if action == "settings in force":
        settings = detail.get("settings", {})
        changed = {name: settings.get(name) for name in detail.get("changed", ())}
        return " · ".join(_named(name, _as_written(value)) for name, value in changed.items())
    return " · ".join(
        _named(_key(name), _shown(value, VALUE_WORDS.get(name, {})))
        for name, value in detail.items()
        if value is not None
    )


def _named(name: str, value: str) -> str:
    """With the colon of the reader's language."""
    return _("{name}: {value}").format(name=name, value=value)


def _as_written(value: Any) -> str:
    """A port has no thousands."""
    return str(value) if type(value) is int else _shown(value)


def _key(name: str) -> str:
    return _(DETAIL_WORDS[name]) if name in DETAIL_WORDS else name


def _shown(value: Any, words: Mapping[str, str] = NO_WORDS) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case None:
            return "–"
        case dict():
            return ", ".join(f"{key} {_shown(part, words)}" for key, part in value.items())
        case list():
            return ", ".join(_shown(part, words) for part in value) or "–"
        case int():
            return f"{value:,}"
    text = str(value)
    return _(words[text]) if text in words else text
