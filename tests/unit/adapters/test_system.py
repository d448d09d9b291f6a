"""The machine's clock and generator, and ids made from any clock and generator."""

from __future__ import annotations

from millrace.adapters.memory import ManualClock, SeededRandom
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.base.ids import region_code
from tests.conformance.world.ids import id_time


def test_the_clock_answers_milliseconds_of_this_century() -> None:
    assert 1_700_000_000_000 < SystemClock().now() < 4_102_444_800_000


def test_uniform_numbers_lie_in_the_half_open_interval() -> None:
    numbers = [SystemRandom().uniform() for _ in range(200)]
    assert all(0 <= number < 1 for number in numbers)
    assert 200 == len(set(numbers))


def test_bits_are_as_many_as_asked() -> None:
    drawn = [SystemRandom().bits(3) for _ in range(300)]
    assert set(range(8)) == set(drawn)


def test_ids_carry_time_and_region_sort_by_time_and_repeat_from_a_seed() -> None:
    def made() -> list[str]:
        clock = ManualClock(1_000_000)
        ids = WorldIds(clock, SeededRandom(1), region="eu-central-1")
        out = []
        for _ in range(4):
            clock.advance(1)
            out.append(ids.new())
        return out

    one = made()
    assert one == made() == sorted(one)
    assert [1_000_001, 1_000_002, 1_000_003, 1_000_004] == [id_time(identifier) for identifier in one]
    assert {region_code("eu-central-1")} == {identifier[10:12] for identifier in one}
