"""The Learn page. To be written."""


def show() -> None:
    raise NotImplementedError
