"""Headings of files for people: the names of the columns in English, words in other languages."""

from collections.abc import Sequence

from workbench.web.wording.i18n import N_, catalogue

HEADING_WORDS = {
    "text": N_("text"),
    "label": N_("label"),
    "id": N_("post id"),
    "group": N_("group of near-copies"),
    "weight": N_("weight"),
    "labels": N_("votes by label"),
    "annotators": N_("annotators"),
    "resolved_by": N_("settled by"),
    "lane": N_("why it was served"),
    "source": N_("source"),
    "labelled_at": N_("labelled at"),
    "inclusion_probability": N_("probability of being drawn"),
    "split": N_("split"),
    "person": N_("person"),
    "day": N_("day"),
    "labelled": N_("posts labelled"),
    "skipped": N_("posts skipped"),
    "asked": N_("questions to a lead"),
    "changed": N_("answers changed"),
    "undone": N_("answers taken back"),
    "propagated": N_("near-copies labelled with them"),
    "checked": N_("check posts answered"),
    "minutes": N_("minutes"),
    "number": N_("no."),
    "time": N_("time"),
    "action": N_("action"),
    "subject": N_("subject"),
    "detail": N_("detail"),
    "digest": N_("digest"),
    "line": N_("line"),
    "reason": N_("reason"),
    "content": N_("content"),
    "board": N_("board"),
}


def headings_in(columns: Sequence[str], language: str) -> tuple[str, ...]:
    if language == "en":
        return tuple(columns)
    return tuple(catalogue(language).gettext(HEADING_WORDS[column]) for column in columns)
