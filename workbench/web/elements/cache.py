"""Results cached for some seconds, for pages that many sessions load repeatedly."""

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import streamlit as st

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
MOST_ENTRIES = 20


def cached(seconds: float) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Cache what a function returns, by its arguments. Exceptions are not cached.

    Streamlit's cache is created at the first call: created at import, before the app runs, it warns on standard
    error.
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
