"""To be written."""


def draw() -> None:
    raise NotImplementedError
