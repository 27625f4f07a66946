"""Slowing down whoever guesses."""

from desk.throttle import MOST_KEYS, Throttle


def test_the_first_tries_are_free_and_each_further_one_doubles_the_wait() -> None:
    throttle = Throttle(free=2, longest_s=30)
    waits = []
    for _ in range(8):
        waits.append(throttle.wait_s("dara", 100.0))
        throttle.take("dara", 100.0)
    assert waits == [0, 0, 1, 2, 4, 8, 16, 30]


def test_the_wait_passes() -> None:
    throttle = Throttle(free=0, longest_s=30)
    throttle.take("dara", 100.0)
    throttle.take("dara", 100.0)
    assert throttle.wait_s("dara", 102.0) == 2
    assert throttle.wait_s("dara", 104.5) == 0


def test_one_key_does_not_slow_another() -> None:
    throttle = Throttle(free=0, longest_s=30)
    throttle.take("dara", 0.0)
    assert throttle.wait_s("mony", 0.0) == 0


def test_the_right_password_frees_a_login_and_gives_an_address_one_try_back() -> None:
    throttle = Throttle(free=1, longest_s=30)
    for _ in range(3):
        throttle.take("a", 0.0)
    throttle.give_back("a")
    assert throttle.wait_s("a", 0.0) == 2
    throttle.clear("a")
    assert throttle.wait_s("a", 0.0) == 0


def test_tries_are_forgotten_in_time_and_never_more_than_so_many_are_kept() -> None:
    throttle = Throttle(free=0, longest_s=10_000)
    throttle.take("old", 0.0)
    for number in range(MOST_KEYS):
        throttle.take(f"login {number}", 1.0)
    assert throttle.wait_s("old", 1.0) == 0
    assert throttle.wait_s(f"login {MOST_KEYS - 1}", 1.0) == 2
    throttle.take("new", 10_000.0)
    assert throttle.wait_s("login 5", 10_000.0) == 0
