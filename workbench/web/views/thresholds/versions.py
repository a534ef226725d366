"""All versions of the thresholds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from trainer.statistics.thresholds import NEVER
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, spread, table
from workbench.web.elements.widgets import clock
from workbench.web.wording.i18n import _
from workbench.web.wording.words import person_word


def show(listed: list[dict[str, Any]]) -> None:
    if not listed:
        return
    headings = (
        _("version"),
        _("passes below"),
        _("is flagged from"),
        _("model unsure"),
        _("missed / false alarm / look"),
        _("round"),
        _("who"),
        _("when"),
    )
    with st.expander(_("All versions"), key="versions"):
        html(spread(table(map(_row, listed), headings)))


def _row(row: dict[str, Any]) -> Sequence[Cell]:
    return (
        str(row["version"]),
        _threshold(row["pass_below"]),
        _threshold(row["flag_from"]),
        f"{row['band'][0]:.2f} – {row['band'][1]:.2f}",
        " / ".join(f"{row['prices'].get(name, 0):g}" for name in ("missed", "false_alarm", "look")),
        str(row["round"] or "–"),
        person_word(row["by"]),
        clock(datetime.fromisoformat(row["created_at"])),
    )


def _threshold(value: float) -> str:
    return _("never") if value >= NEVER else f"{value:.3f}"
