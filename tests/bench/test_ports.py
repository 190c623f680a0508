"""Ports that are chosen now and bound later."""

import socket

import pytest

from bench.ports import CHOSEN_FROM, free_ports


@pytest.mark.parametrize("datagrams", [False, True])
def test_chosen_ports_differ_can_be_bound_and_are_none_that_the_system_gives_to_others(datagrams: bool):
    ports = free_ports(20, datagrams=datagrams)
    assert len(set(ports)) == 20
    assert set(ports) <= set(CHOSEN_FROM)
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM) as bound:
            bound.bind(("127.0.0.1", port))
