"""The exceptions of the trainer.

MessageError                  template and values of a message: what is wrong, where, what to do
└── TrainerError              raised deliberately, for the user
    ├── DatasetError          a file of posts cannot be read; names file and line
    ├── EncoderError          a base encoder is missing or cannot be loaded
    └── AdapterError          an adapter folder is refused; its weights were not used
"""

from trainer.messages import MessageError


class TrainerError(MessageError):
    pass


class DatasetError(TrainerError):
    pass


class EncoderError(TrainerError):
    pass


class AdapterError(TrainerError):
    pass
