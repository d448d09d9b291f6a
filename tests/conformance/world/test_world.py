"""What every clock, id maker and source of chance gives, that of the machine and that of tests alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from millrace.adapters.memory import ManualClock, SeededRandom
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.base.ids import ALPHABET, ID_CHARS, region_code
from millrace.ports.world import Clock, Ids, Random
from tests.conformance.world.ids import id_time

CLOCKS: list[Callable[[], Clock]] = [SystemClock, ManualClock]
CHANCES: list[Callable[[], Random]] = [SystemRandom, SeededRandom]
MAKERS: list[Callable[[str], Ids]] = [
    lambda region: WorldIds(SystemClock(), SystemRandom(), region=region),
    lambda region: WorldIds(ManualClock(), SeededRandom(), region=region),
]
NAMES = ["system", "fake"]
YEAR_2020, YEAR_2200 = 1_577_836_800_000, 7_258_118_400_000


@pytest.mark.parametrize("make", CLOCKS, ids=NAMES)
def test_a_clock_tells_whole_milliseconds_since_the_epoch(make: Callable[[], Clock]) -> None:
    now = make().now()
    assert type(now) is int
    assert YEAR_2020 < now < YEAR_2200


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
def test_ids_hold_their_time_and_region_and_no_other_characters(make: Callable[[str], Ids]) -> None:
    one = make("eu-west-1").new()
    assert len(one) == ID_CHARS
    assert set(one) <= set(ALPHABET)
    assert YEAR_2020 < id_time(one) < YEAR_2200
    assert region_code("eu-west-1") == one[10:12] != make("us-east-1").new()[10:12]


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
def test_ids_differ_though_many_threads_ask_at_once(make: Callable[[str], Ids]) -> None:
    ids = make("local")
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: ids.new(), range(5_000)))
    assert 5_000 == len(set(made))


def test_later_ids_sort_later() -> None:
    clock = ManualClock()
    ids = WorldIds(clock, SeededRandom(), region="local")
    made = []
    for _ in range(50):
        made.append(ids.new())
        clock.advance(1)
    assert sorted(made) == made


@pytest.mark.parametrize("make", CHANCES, ids=NAMES)
def test_chance_is_a_unit_and_bits_within_their_count(make: Callable[[], Random]) -> None:
    chance = make()
    units = [chance.uniform() for _ in range(2_000)]
    assert all(0.0 <= unit < 1.0 for unit in units)
    assert 0.4 < sum(units) / len(units) < 0.6
    for count in (1, 8, 53, 70):
        drawn = [chance.bits(count) for _ in range(200)]
        assert all(0 <= bits < 1 << count for bits in drawn)
        assert len(set(drawn)) > (1 if count == 1 else 50)


def test_a_seed_repeats_and_another_does_not() -> None:
    def draw(seed: int) -> list[int]:
        chance = SeededRandom(seed)
        return [chance.bits(40) for _ in range(10)]

    assert draw(1) == draw(1) != draw(2)
