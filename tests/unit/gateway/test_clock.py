from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import Clock, ScaledClock


class Fake:
    def __init__(self, wall_ms: int) -> None:
        self.wall_ms = wall_ms
        self.steady_ms = 0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_ms, lambda: self.steady_ms)

    def pass_ms(self, elapsed_ms: int, step_ms: int = 0) -> None:
        self.steady_ms += elapsed_ms
        self.wall_ms += elapsed_ms + step_ms


def test_it_follows_the_wall():
    fake = Fake(1_000)
    clock = fake.clock()
    fake.pass_ms(500)
    assert clock.now_ms() == 1_500
    assert clock.ahead_ms() == 0


def test_a_step_back_halves_its_pace_until_the_wall_caught_up():
    fake = Fake(100_000)
    clock = fake.clock()
    fake.pass_ms(0, step_ms=-10_000)
    assert clock.now_ms() == 100_000
    assert clock.ahead_ms() == 10_000
    fake.pass_ms(4_000)
    assert clock.now_ms() == 102_000
    fake.pass_ms(16_000)
    assert clock.now_ms() == 110_000 == fake.wall_ms
    assert clock.ahead_ms() == 0
    fake.pass_ms(1_000)
    assert clock.now_ms() == 111_000


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(-7_200_000, 7_200_000)), max_size=30))
def test_it_never_steps_back_and_ends_no_earlier_than_the_wall(steps):
    fake = Fake(10_000_000)
    clock = fake.clock()
    last_ms = clock.now_ms()
    for elapsed_ms, step_ms in steps:
        fake.pass_ms(elapsed_ms, step_ms)
        now_ms = clock.now_ms()
        assert now_ms >= last_ms
        assert now_ms >= fake.wall_ms
        last_ms = now_ms


def test_a_scaled_clock_starts_where_it_is_told_and_runs_ahead():
    clock = ScaledClock(5_000_000, 1_000)
    first_ms = clock.now_ms()
    assert first_ms >= 5_000_000
    while clock.now_ms() == first_ms:
        pass
    assert clock.now_ms() > first_ms
