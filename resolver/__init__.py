"""Answers: the public side of the node (RFC 3652 and HTTP).

Reading order: answer, cache, misses, resolution (the path of an answer); invalidation (how it stays true);
listeners (the ways in); node (everything put together).
"""
