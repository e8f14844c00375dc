"""How long to wait before a child that ended is started again. Pure."""

FIRST_S = 0.1
LONGEST_S = 5.0
# A child that lived this long was well: its next end is a new story.
HEALTHY_S = 10.0


def next_delay_s(previous_s: float | None, lived_s: float) -> float:
    """The pause before the next start; `previous_s` was the one before the last, None at first."""
    if previous_s is None or lived_s >= HEALTHY_S:
        return FIRST_S
    return min(previous_s * 2, LONGEST_S)
