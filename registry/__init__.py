"""What an identifier is, and the book that identifiers are written in (RFC 3651 and Postgres).

Reading order: errors, handle, value, record (the model); packing, store, changes (the book);
authentication, registration, bulk, api (who may write in it, and how).
"""
