"""Everything this product refuses, in one tree.

    WorkbenchError            says what was wrong, where, and what to do
    ├── NotAllowedError       this person may not do this
    ├── InputError            a file or value from outside cannot be used
    ├── RoundError            a round cannot be started, decided or finished like this
    └── LabellingError        a label cannot be saved like this

A message is an English template with its values apart, so that pages can show it in Chinese:
`_(error.template).format(**error.values)`.
"""


class WorkbenchError(Exception):
    """A refusal in one sentence. `template` is a gettext message, `values` fill its braces."""

    def __init__(self, template: str, **values: object) -> None:
        self.template = template
        self.values = values
        super().__init__(template.format(**values) if values else template)


class NotAllowedError(WorkbenchError):
    pass


class InputError(WorkbenchError):
    pass


class RoundError(WorkbenchError):
    pass


class LabellingError(WorkbenchError):
    pass
