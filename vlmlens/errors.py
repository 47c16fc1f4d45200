"""What can go wrong that a person can mend. Messages are one or two plain sentences: what happened, why, what to do."""


class UserError(Exception):
    """Base of all of these. The app shows the message; the command line prints it and exits with code 2."""


class PictureError(UserError):
    """A picture cannot be read."""


class QuestionError(UserError):
    """A question cannot be asked of this model."""


class ModelError(UserError):
    """A model cannot be found, loaded or trusted to be captured rightly."""


class TraceError(UserError):
    """A trace file cannot be opened."""


class NotWatched(UserError, LookupError):
    """A trace did not record what is asked of it; the message names the watch that would."""


class NotApplicable(UserError):
    """A method or an intervention has no meaning on this model; the message says why."""


def first_line(error: BaseException) -> str:
    """What a library said, short enough to stand in one of these messages."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
