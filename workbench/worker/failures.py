"""Records a failed step: the message in the round or import, the traceback in the log."""

import logging
import traceback
from contextlib import suppress

from sqlalchemy import update

from db.tables import Import, Round
from trainer.messages import Message, MessageError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.worker.attempts import Step, SupersededError
from workbench.worker.child import open_log


def guarded(project: Project, number: int, name: str, step: Step) -> str:
    """Run a step; any error in it fails the round with one message, and the traceback goes to the log."""
    with project.database.read() as session:
        if not session.get_one(Round, number).is_running:
            return "superseded"  # checked before the step loads torch
    try:
        return step(project, number)
    except SupersededError:
        return "superseded"
    except Exception as error:
        is_expected = isinstance(error, MessageError)
        failure = _failure(error)
        if not is_expected:
            failure = Message("{step} failed: {reason}", step=name, reason=failure)
        with project.database.write() as session:
            row = session.get_one(Round, number)
            lifecycle.fail(session, project, number, row.attempt, failure)
        # Last, and allowed to fail: a full disk may be the cause.
        with suppress(OSError), open_log(lifecycle.log_folder(project, number), "errors") as log:
            log.write(f"{failure}\n" if is_expected else traceback.format_exc())
        return "failed"


def prepare_guarded(project: Project, number: int, prepare: Step) -> str:
    try:
        return prepare(project, number)
    except Exception as error:
        logging.exception("preparing failed")
        with project.database.write() as session:
            # The next worker tries again.
            waiting = update(Import).where(Import.state == "stored")
            session.execute(waiting.values(failure=_failure(error).to_dict()))
        return "failed"


def _failure(error: Exception) -> Message:
    if isinstance(error, MessageError):
        return error.message
    return Message.verbatim(f"{type(error).__name__}: {error}")
