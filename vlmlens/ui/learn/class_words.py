"""What the class and the teacher's view say in more than a line."""

IN_CLASS = (
    "Your predictions are counted in the class, without a name. The address of this page carries a random id, so that "
    "you stay the same learner when you load the page anew. When the teacher ends the class all of it is gone."
)
HELD = (
    "Your prediction stands. Your teacher opens the reveal for the whole class; this page then goes on by itself. "
    "Until then you can go back and read again."
)
PREDICTIONS = (
    "What the class predicted",
    "A learner counts once at a step: the first prediction stands. The axis ends at the number of learners who joined, "
    "so the room that is left has not predicted. These are counts of who is here, not an estimate of anything, so they "
    "have no interval. They cannot tell whether a learner guessed.",
)
TEACH = "The teacher's view: open a class, see its predictions as they come in, read the notes of each lesson."
INVITE = (
    "Open a class and give its code to your learners. They join on this page, predict at each step of a lesson, and "
    "their predictions come in here as bars, without names. You may hold the reveal until everybody has predicted. "
    "Everything lives in this server's memory: nothing is written to a disk, and when you end the class (or nobody "
    "does anything in it for three hours, or the server stops) all of it is gone."
)
YOURS = (
    "The address of this page carries your key: whoever opens it can run the class. Load it anew and you are still the "
    "teacher. Give out the join link instead."
)
LOCAL_ONLY = (
    "This server listens to this machine only, so that others cannot open the link. To teach a class, start it with "
    "`vlmlens app --network` (or `make app NETWORK=1`); then everybody on the same network can open and use the app."
)
HOLD = (
    "Learners who have predicted wait at the reveal until you open it, prediction by prediction. Without it everybody "
    "goes on alone."
)
COUNT_ONLY = (
    "Who sees what others chose before predicting follows them. Show the count alone while this page is on the wall."
)


def over(code: str) -> str:
    """For a learner whose class has ended."""
    return f"Class **{code}** is over and nothing of it is kept. You go on alone, from where you are."
