from proxy.clock import monotonic
from proxy.events import ExtraRequest
from proxy.policy.budget import Budget
from proxy.upstream.extras import counted
from tests.unit.upstream.scripted import Scripted, Told, answer, end_of, extras, request


def test_who_is_told_hears_what_the_budget_says() -> None:
    told = Told()
    mine = extras(told, share=0.0)
    asked = request(extra=[])
    while mine.take("retry", asked):
        pass
    assert asked.extra == ["retry"] * 10
    assert told[0] == ExtraRequest("u", "retry", "sent")
    assert told[-1] == ExtraRequest("u", "retry", "denied")


async def test_requests_that_are_counted_earn_extra_ones() -> None:
    budget = Budget(1.0)
    while budget.take(monotonic()):
        pass
    way = Scripted((0, answer()), (0, answer()))
    await end_of(counted(way.begin, budget), request())
    assert budget.take(monotonic())
