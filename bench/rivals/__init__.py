"""Other people's servers doing the node's job, for bench/peers.py: one module each, and what they share."""
