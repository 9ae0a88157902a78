from __future__ import annotations

import random
from collections import Counter

import pytest

from beatline.errors import InvalidSetting
from beatline.queue_turns import QueueTurns, queue_weights


def test_turns_when_no_weight_is_said_then_the_order_is_strict() -> None:
    turns = QueueTurns(["mail", "default"])

    assert {"mail,default"} == {turns.next() for _ in range(100)}


def test_turns_when_weighted_then_each_comes_first_by_its_share() -> None:
    turns = QueueTurns(["high=6", "middle=3", "low"], random.Random(1).random)

    first = Counter(turns.next().split(",")[0] for _ in range(10_000))

    assert [0.6, 0.3, 0.1] == [round(first[name] / 10_000, 1) for name in ("high", "middle", "low")]


def test_turns_when_the_first_is_empty_then_the_others_share_by_their_weights() -> None:
    turns = QueueTurns(["empty=100", "b=3", "c=1"], random.Random(1).random)

    orders = [turns.next().split(",") for _ in range(10_000)]

    ahead = sum(order.index("b") < order.index("c") for order in orders)
    assert 0.73 < ahead / 10_000 < 0.77


def test_turns_when_drawn_then_every_queue_is_named_once() -> None:
    turns = QueueTurns(["a=2", "b=3", "c=1"])

    assert {("a", "b", "c")} == {tuple(sorted(turns.next().split(","))) for _ in range(100)}


@pytest.mark.parametrize("weight", ["0", "-1", "1001", "", "1.5", "\u0663", "three"])
def test_weights_when_not_a_weight_then_refused_with_a_remedy(weight: str) -> None:
    with pytest.raises(InvalidSetting, match=r"weight .* of queue 'mail' is not one") as caught:
        queue_weights([f"mail={weight}"])

    assert caught.value.remedy == "use a whole number from 1 to 1000, such as mail=3"


def test_weights_when_a_queue_is_named_twice_then_refused() -> None:
    with pytest.raises(InvalidSetting, match="queue 'mail' is named twice"):
        queue_weights(["mail=3", "mail"])
