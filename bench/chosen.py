"""Names of a registry of any size, chosen by lot: so many from every consignment that the lot falls on."""

from random import Random

from bench.identifiers import SEED
from bench.schedule import consignment, cut


def chosen(registered: int, count: int, *, seed: int = SEED, each: int = 0) -> list[str]:
    """Different names in any order. `each` from a consignment, whose rows lie together; 0: as few as give `count`."""
    whole, _ = cut(registered)
    chance = Random(seed)
    each = each or -(-count // whole)
    names: list[str] = []
    for number in chance.sample(range(whole), min(whole, -(-count // each) * 2)):
        if len(names) >= count:
            break
        handles = [record.handle for record in consignment(number, SEED)]
        names += chance.sample(handles, min(each, len(handles)))
    chance.shuffle(names)
    return names[:count]
