"""Octets to messages and back, with no socket, no clock and no task (RFC 3652, section 2).

Read in this order: codes, envelope, digest, message, query, administration, challenge, session_setup, refusal,
credential, session_cipher, key_exchange, stream, datagram.
"""
