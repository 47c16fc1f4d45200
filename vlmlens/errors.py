"""What can go wrong that a person can mend. Messages are one or two plain sentences: what happened, why, what to do."""

import traceback


class UserError(Exception):
    """Base of all of these. The app shows the message; the command line prints it and exits with code 2."""


class PictureError(UserError):
    """A picture cannot be read."""


class QuestionError(UserError):
    """A question cannot be asked of this model."""


class ModelError(UserError):
    """A model cannot be found, loaded or trusted to be captured rightly."""


class NoRoom(ModelError):
    """A model needs more memory than is free."""


class TraceError(UserError):
    """A trace file cannot be opened."""


class TrayError(UserError):
    """A tray of runs cannot be opened, or holds no such run."""


class NotWatched(UserError, LookupError):
    """A trace did not record what is asked of it; the message names the watch that would."""


class NotApplicable(UserError):
    """A method or an intervention has no meaning on this model; the message says why."""


class OutOfMemory(UserError):
    """Memory ran out in the middle of work; the message says what to lower."""


def first_line(error: BaseException) -> str:
    """What a library said, short enough to stand in one of these messages."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def forget_frames(error: BaseException | None) -> None:
    """Let go of what the frames of an error and of its causes hold, a half-loaded model above all."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whichever device; torch says so in several ways."""
    told = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in told or "not enough memory" in told)
    )
