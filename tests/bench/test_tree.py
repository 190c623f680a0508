from bench.tree import CAKES, PALLETS, measure, rows


def test_a_truck_is_what_the_figures_say_that_it_is():
    assert len([*rows(2)]) == 2 * (1 + PALLETS * (1 + CAKES))


async def test_trees_are_measured_when_they_are_first_asked_for_and_when_they_are_kept():
    answers = (await measure(2, 1))["answers"]
    assert {"pallet, first asked for", "pallet, kept", "truck, kept", "handle, kept"} <= answers.keys()
    assert all(one["answers"] and one["cpu_ms"] > 0 for one in answers.values())
