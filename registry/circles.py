"""Circles in a directed graph: the keys from which a chain leads back to them (Kosaraju's two passes)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping


def circular_keys(links: Mapping[str, set[str]], keys: Iterable[str]) -> set[str]:
    """Those of a graph that lie on a circle."""
    backward: defaultdict[str, set[str]] = defaultdict(set)
    for origin, others in links.items():
        for to in others:
            backward[to].add(origin)
    circular: set[str] = set()
    assigned: set[str] = set()
    for root in reversed(_finished(links, keys)):
        together = _reachable(backward, root, assigned)
        assigned |= together
        if len(together) > 1 or root in links.get(root, ()):
            circular |= together
    return circular


def _finished(links: Mapping[str, set[str]], keys: Iterable[str]) -> list[str]:
    """Keys in the order in which everything behind them was visited."""
    visited: set[str] = set()
    order: list[str] = []
    for root in keys:
        if root in visited:
            continue
        visited.add(root)
        stack = [(root, iter(links.get(root, ())))]
        while stack:
            key, others = stack[-1]
            ahead = next((other for other in others if other not in visited), None)
            if ahead is None:
                order.append(key)
                stack.pop()
            else:
                visited.add(ahead)
                stack.append((ahead, iter(links.get(ahead, ()))))
    return order


def _reachable(links: Mapping[str, set[str]], root: str, without: set[str]) -> set[str]:
    found, ahead = {root} - without, [root]
    if not found:
        return found
    while ahead:
        new = links.get(ahead.pop(), set()) - found - without
        found |= new
        ahead.extend(new)
    return found
