"""HTTP: the Handle.Net JSON API, the web proxy and the documentation, all from one table of routes."""
