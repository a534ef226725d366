"""What can go wrong in the trainer.

TrainerError              a message for the person at the keyboard: what is wrong, where, what to do
├── DatasetError          a file of posts cannot be read; names file and line
├── EncoderError          a base encoder cannot be found or loaded
└── AdapterError          an adapter folder is refused; its weights were not used
"""


class TrainerError(Exception):
    """Base of every error the trainer raises on purpose."""


class DatasetError(TrainerError):
    """A file of posts cannot be read."""


class EncoderError(TrainerError):
    """A base encoder cannot be found or loaded."""


class AdapterError(TrainerError):
    """An adapter folder is refused."""
