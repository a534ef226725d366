"""Answers kept for a while, for pages that many sessions look at again and again."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import streamlit as st

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")
MOST = 20


def kept(seconds: float) -> Callable[[Callable[Asked, Answer]], Callable[Asked, Answer]]:
    """Keep what a function answers, by its arguments; a refusal is not kept.

    Streamlit's cache is made at the first call: made at import, before the app runs, it warns on standard error.
    """

    def decorate(function: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
        @cache
        def caching() -> Callable[Asked, Answer]:
            return st.cache_data(ttl=seconds, max_entries=MOST, show_spinner=False)(function)

        @wraps(function)
        def ask(*args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
            return caching()(*args, **kwargs)

        return ask

    return decorate
