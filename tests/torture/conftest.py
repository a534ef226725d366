"""The labelled project of the worker's tests."""

from tests.workbench.conftest import boss, labelled, labelled_home

__all__ = ["boss", "labelled", "labelled_home"]
