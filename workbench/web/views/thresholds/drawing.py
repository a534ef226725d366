"""Histograms of HTML: their axis is as wide as a slider's below them, and their colours are those of the theme."""

import math

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from workbench.web.elements.markup import NOTHING


def bars(
    counts: NDArray[np.int64], name: str, *, chosen: NDArray[np.bool_] | None = None, is_rooted: bool = False
) -> Markup:
    """Equally wide bars of the counts (n,), those of `chosen` (n,) in the accent; `is_rooted`: heights are square roots."""
    heights = np.sqrt(counts) if is_rooted else counts.astype(np.float64)
    shares = heights / max(float(heights.max()), 1)
    is_chosen = np.zeros(len(counts), dtype=bool) if chosen is None else chosen
    bar = Markup('<i{} style="height:{:.1f}%"></i>')
    columns = NOTHING.join(
        bar.format(Markup(' class="chosen"') if is_one else NOTHING, 100 * share)
        for share, is_one in zip(shares, is_chosen, strict=True)
    )
    return Markup('<div class="columns" role="img" aria-label="{}">{}</div>').format(name, columns)


def zone(name: str, low: float, high: float, word: str = "") -> Markup:
    """A coloured part of the ground behind bars; `low` and `high` are shares of its width."""
    return Markup('<div class="{}" style="left:{:.2f}%;width:{:.2f}%"><span>{}</span></div>').format(
        name, 100 * low, 100 * (high - low), word
    )


def scale(first: float, last: float, step: float) -> Markup:
    """A linear axis with a number at every multiple of `step`."""
    multiples = range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)
    tick = Markup('<span class="{}" style="left:{:.2f}%">{:.1f}</span>')
    places = ((one * step, 100 * (one * step - first) / (last - first)) for one in multiples)
    return Markup('<div class="scale" aria-hidden="true">{}</div>').format(
        NOTHING.join(tick.format(_end(place), place, value) for value, place in places)
    )


def _end(place: float) -> str:
    """Numbers at the ends of an axis do not stand out over it."""
    return "first" if place < 1 else "last" if place > 99 else ""
