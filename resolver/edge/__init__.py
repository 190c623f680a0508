"""A node without a book: it keeps answers of another node, its upstream, and hears of changes by the change feed.

Reading order: `book` takes the place of the book in Postgres, `link` asks for records, `feed` takes the place of the
change log, `resolution` says how old an answer may be. Everything else is the node's own. Whatever only the book could
say is elsewhere (`registry.errors.HandleElsewhere`): HTTP is redirected there, the native protocol referred.
"""
