from bench.digital_link import gtin, in_memory
from registry.schemes.gs1_keys import Key


def test_every_kind_of_question_is_answered_and_measured():
    costs = in_memory(1)
    assert set(costs) >= {"handle", "product", "item, by its product"}
    assert all(cost > 0 for cost in costs.values())


def test_the_products_are_such_as_are_sold():
    assert Key.of("01", gtin(7)).path == f"/01/{gtin(7)}"
