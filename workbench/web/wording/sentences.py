"""Sentences that other rooms of the house wrote down in English, in the reader's language.

A verdict's reasons, a row's rejection and a round's failure are stored as text. Each is recognised by its shape and
said again; one that is not recognised is shown as it was written.
"""

import re
from functools import cache

from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import STATE_WORDS

SHAPES = {
    shape: shape
    for shape in (
        N_("expected {expected} columns, found {found}"),
        N_("no text"),
        N_("no id"),
        N_("text of {length} characters; at most {most}"),
        N_("id {id} is already known with another text"),
        N_("no test post has a label yet, so candidate and adapter in use cannot be compared"),
        N_("it does not beat the linear baseline (macro-F1 {own} against {linear})"),
        N_("no test rows: nothing could be measured"),
        N_("macro-F1 changes by {change} points (95% interval {low} to {high})"),
        N_("no violations among the test rows: nothing is known about them"),
        N_("both are right and wrong about the same test rows"),
        N_("{n} test rows cannot show a difference below {smallest} points"),
        N_("about {needed} test rows would settle a difference of this size"),
        N_("rolled back"),
        # What a round may fail by.
        N_("The worker stopped {count} times while {state}. See the log."),
        N_("The worker gave up on this round. See the log."),
        N_("Training failed: {reason}"),
        N_("Evaluating failed: {reason}"),
        N_("export failed: {reason}"),
        N_("train failed: {reason}"),
        N_("admit failed: {reason}"),
        N_("evaluate failed: {reason}"),
        N_("judge failed: {reason}"),
        N_("score failed: {reason}"),
        N_("promote failed: {reason}"),
        N_("the system ended it with signal {signal} (out of memory?)"),
        N_("it ended with status {status}"),
        N_("cannot write {out}: {problem}"),
        N_("{out} already exists; name a folder that does not"),
        N_("the GPU has no room for one post; free memory or use a smaller base"),
        N_("the GPU has no room for one text; free memory or use the CPU"),
        N_("scoring stopped after {done} of {total} texts"),
        N_("scoring stopped"),
        N_("scoring failed: {reason}"),
        # What an import may fail by.
        N_(
            "{folder} holds {count} of the {brought} rows that an import left there. "
            "Put it back from a backup, or do without them: workbench store-rest {number}"
        ),
        N_(
            "Some posts of import {number} were imported again before it was stored. "
            "Store the others: workbench store-rest {number}"
        ),
        N_(
            "Import {number} was being stored without the rows it lacks. Finish it: workbench store-rest {number}"
        ),
        N_("the training rows hold fewer than two different labels: label more posts first"),
        N_(
            "the loss is not a number any more (epoch {epoch}, step {step}); lower learning_rate and train again"
        ),
        N_("{name}: no such folder; name an encoder's folder, a hub model, or {starter}"),
        N_("{name}: holds no config.json, so it is not an encoder"),
        N_(
            "{name}: holds no safetensors weights (other formats can run code and are not opened); "
            "save it as safetensors, or name a hub revision that has them, such as NAME@refs/pr/1"
        ),
        N_(
            "{name}: neither a folder, nor in the local cache, nor to be had from the hub; "
            "run `hf download {repository}` where there is a network, or name a folder"
        ),
        N_(
            "the starter encoder is not installed (looked in {folder}); reinstall the package, or name another base"
        ),
        N_("{folder}: cannot be loaded as an encoder ({error})"),
        N_("{base}: has no layer named {layer}; see target_modules"),
        N_("{folder}: does not fit its base ({error}); restore it or train again"),
        N_("{folder}: trained on another {name} than the one here; restore that encoder or train again"),
        N_(
            "{folder}: holds {name}, a format that can run code; it was not opened. "
            "An adapter of ours has safetensors only: delete the file if you know where it comes from"
        ),
        N_("{folder}: its labels are {labels}, not {ours}; train one for ours"),
        N_("{folder}: its card does not vouch for {name}; restore it or train again"),
        N_("{folder}: no such adapter folder"),
        N_("{folder}: {name} is missing, so this is not an adapter of ours; train one"),
        N_("{folder}: {name} is missing; restore it or train again"),
        N_("{path}: truncated or changed since written; restore it or train again"),
        N_("{path}: not readable ({error}); restore it or train again"),
        N_("{path}: not the LoRA that its card tells of; restore it or train again"),
        N_("{path}: not a readable card ({error}); restore it or train again"),
        N_("{path}: schema {schema}, this version reads {ours}; update or train again"),
    )
} | {
    "its confidences are further from the truth: calibration error {own}, the champion's {other}": N_(
        "its confidences are further from the truth: calibration error {own}, of the one in use {other}"
    ),
    "there is no adapter in use to compare with": N_("nothing was in use to compare with"),
    "of {n} violations it misses {lost} that the champion finds, "
    "and finds {gained} that the champion misses (p = {p})": N_(
        "of {n} violations it misses {lost} that the one in use finds, "
        "and finds {gained} that the one in use misses (p = {p})"
    ),
}


def retold(sentence: str) -> str:
    """The sentence in the reader's language, where its shape is known."""
    for shape, message in SHAPES.items():
        if found := _pattern(shape).fullmatch(sentence):
            return _(message).format(**{name: _value(name, text) for name, text in found.groupdict().items()})
    return sentence


def _value(name: str, text: str) -> str:
    """A reason is a sentence itself, a state a word of the code; all else is a name or a number."""
    if name == "reason":
        return retold(text)
    return _(STATE_WORDS[text]) if name == "state" and text in STATE_WORDS else text


@cache
def _pattern(shape: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", shape)  # literal, name, literal, name, ...
    parts[::2] = map(re.escape, parts[::2])
    names = parts[1::2]
    parts[1::2] = (
        f"(?P={name})" if name in names[:at] else f"(?P<{name}>.+?)" for at, name in enumerate(names)
    )
    return re.compile("".join(parts), re.DOTALL)
