"""Results kept for a while, for pages that many sessions open again and again."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import streamlit as st

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
MOST_ENTRIES = 20


def cached(seconds: float) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Keep what a function returns, by its arguments; an exception is not kept.

    Streamlit's cache is made at the first call: made at import, before the app runs, it warns on standard error.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @cache
        def streamlit_cache() -> Callable[Arguments, Result]:
            return st.cache_data(ttl=seconds, max_entries=MOST_ENTRIES, show_spinner=False)(function)

        @wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            return streamlit_cache()(*args, **kwargs)

        return call

    return decorate
