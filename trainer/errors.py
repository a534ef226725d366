"""The exceptions of the trainer.

TrainerError              message for the user: what is wrong, where, what to do
├── DatasetError          a file of posts cannot be read; names file and line
├── EncoderError          a base encoder is missing or cannot be loaded
└── AdapterError          an adapter folder is refused; its weights were not used
"""


class TrainerError(Exception):
    """Base of every error that the trainer raises deliberately."""


class DatasetError(TrainerError):
    """A file of posts cannot be read."""


class EncoderError(TrainerError):
    """A base encoder is missing or cannot be loaded."""


class AdapterError(TrainerError):
    """An adapter folder is refused."""
