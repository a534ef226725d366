"""The exceptions of the workbench.

MessageError                  of the trainer: an English template and its values, which pages translate
└── WorkbenchError            states the problem, its place and the remedy
    ├── NotAllowedError       the person lacks the right
    ├── InputError            a file or value from outside cannot be used
    ├── RoundError            a round cannot be started, decided or finished
    └── LabellingError        a label cannot be saved
"""

from trainer.messages import MessageError


class WorkbenchError(MessageError):
    pass


class NotAllowedError(WorkbenchError):
    pass


class InputError(WorkbenchError):
    pass


class RoundError(WorkbenchError):
    pass


class LabellingError(WorkbenchError):
    pass
