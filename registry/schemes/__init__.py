"""Codes of other systems, read as handles: which system a text belongs to, and its one canonical form there.

The code of a system that is not Handle is kept as a handle whose prefix is the system's name and whose suffix is the
canonical text (`oid/1.2.156.10001`), so storage, caches, counts and history are those of any handle. Read in the order
`systems`, `recognition`, then one module for each system.
"""
