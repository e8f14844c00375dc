"""The pauses before a child that ended is started again."""

from infra.supervisor.backoff import HEALTHY_S, next_delay_s


def test_pauses_double_up_to_five_seconds() -> None:
    delays = [next_delay_s(None, 0)]
    for _ in range(7):
        delays.append(next_delay_s(delays[-1], 0))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_child_that_lived_for_a_while_begins_anew() -> None:
    assert next_delay_s(5.0, HEALTHY_S) == 0.1
