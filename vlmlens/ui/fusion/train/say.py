"""Numbers as the sentences of the Train view have them."""


def percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"


def between(ends: tuple[float, float] | list[float], digits: int = 0) -> str:
    """An interval behind its number, in the same unit: "46 to 58"."""
    low, high = ends
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f}"


def counted(count: int, what: str) -> str:
    """A number with its noun."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """About how long."""
    if seconds < 50:
        return f"about {max(5, 5 * round(seconds / 5))} seconds"
    minutes = seconds / 60
    if minutes < 1.5:
        return "about a minute"
    return f"about {minutes:.0f} minutes" if minutes < 90 else f"about {minutes / 60:.1f} hours"
