"""Check the delays of a backoff."""

from workqueue.backoff import Backoff


def test_delays_double_up_to_the_ceiling() -> None:
    backoff = Backoff(0.1, 5.0)
    assert [backoff.next_s() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_success_starts_again_at_the_first_delay() -> None:
    backoff = Backoff(0.1, 5.0)
    backoff.next_s()
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.1


def test_the_delay_is_a_function_of_the_failures_and_does_not_count() -> None:
    backoff = Backoff(1.0, 100.0, factor=3.0)
    assert [backoff.delay_s(failures) for failures in (1, 2, 3, 10_000)] == [1.0, 3.0, 9.0, 100.0]
    assert backoff.next_s() == 1.0
