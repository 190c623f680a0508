"""Sockets. One module for each way in; none knows another."""
