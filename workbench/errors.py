"""Everything this product refuses, in one tree.

MessageError                  of the trainer: an English template and its values, so that pages can translate it
└── WorkbenchError            says what was wrong, where, and what to do
    ├── NotAllowedError       this person may not do this
    ├── InputError            a file or value from outside cannot be used
    ├── RoundError            a round cannot be started, decided or finished like this
    └── LabellingError        a label cannot be saved like this
"""

from trainer.messages import MessageError


class WorkbenchError(MessageError):
    """Base of every refusal."""


class NotAllowedError(WorkbenchError):
    pass


class InputError(WorkbenchError):
    pass


class RoundError(WorkbenchError):
    pass


class LabellingError(WorkbenchError):
    pass
