"""Sentences that other rooms of the house wrote down in English, in the reader's language.

A verdict's reasons and a row's rejection are stored as text. Each is recognised by its shape and said
again; one that is not recognised is shown as it was written.
"""

import re
from functools import cache

from workbench.web.i18n import N_, _

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
            return _(message).format(**found.groupdict())
    return sentence


@cache
def _pattern(shape: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", shape)  # literal, name, literal, name, ...
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = (f"(?P<{name}>.+?)" for name in parts[1::2])
    return re.compile("".join(parts), re.DOTALL)
