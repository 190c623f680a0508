"""`filament reload`: what changes takes effect without a restart, and a file with a fault changes nothing."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.certificate import make_certificate, node_key
from registry.start_errors import CertificateRefused
from resolver import control
from resolver.reloading import LIVE, compare, flat, merged
from resolver.settings import ResolverSettings, Settings
from tests.resolver.running_node import RunningNode, arguments, ask, until
from tests.resolver.test_cli import filament


def issued(directory, name: str, made: timedelta = timedelta(0)):
    certificate = directory / name
    certificate.write_bytes(make_certificate(node_key(directory), (), datetime.now(UTC) + made))
    return certificate


async def test_what_is_changed_in_the_file_takes_effect_and_no_process_ends(database_dsn, tmp_path):
    data, file = tmp_path / "data", tmp_path / "node.toml"
    first, second = issued(data_made(data), "first.pem"), issued(data, "second.pem")

    def write(certificate, more: str, port: int = 0) -> None:
        file.write_text(
            f'[resolver]\ncertificate = "{certificate}"\nprivate_key = "{data / "node-key.pem"}"\n{more}\n'
            f'[status]\nport = {port}\nlog_level = "info"\n'
        )

    write(first, "")
    line = [word for word in arguments(database_dsn, data, workers=1) if word != "up"]
    place_of_port = line.index("status.port=0")
    del line[place_of_port - 1 : place_of_port + 1]  # with the option before it
    given = ["--config", str(file), *line]
    with RunningNode("up", *given) as node:
        url, status = node.ready()
        worker = node.pid_of("worker 1")
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        former = ssl.get_server_certificate(place)
        write(second, "http_connections = 500\nreaders = 3")
        done = filament("reload", *given, "--lang", "zh")
        assert "已生效：resolver.certificate, resolver.http_connections" in done.stderr
        assert "filament upgrade）：resolver.readers" in done.stderr
        until(lambda: ssl.get_server_certificate(place) != former, "the new certificate")

        write(issued(data, "old.pem", timedelta(days=-2000)), "http_connections = 5")
        refused = filament("reload", *given, code=1)
        assert "Nothing is changed: the certificate" in refused.stderr
        file.write_text("[resolver]\nhttp_connections = 0\nnonsense = 1\n")
        assert "2 faults" in filament("reload", *given, code=2).stderr
        assert ssl.get_server_certificate(place) != former
        assert ask(f"{status}/readyz")[0] == 200
        assert node.pid_of("worker 1") == worker


async def test_limits_of_the_registrys_interface_are_read_again(database_dsn, tmp_path):
    file = tmp_path / "node.toml"
    file.write_text("")
    line = [word for word in arguments(database_dsn, tmp_path / "data", workers=1) if word != "up"]
    with RunningNode("up", "--config", str(file), *line) as node:
        node.ready()
        port = node.hear(r"the registry listens on 127\.0\.0\.1:(\d+)")[1]
        url = f"http://127.0.0.1:{port}/api/enterprises"
        assert {ask(url)[0] for _ in range(10)} == {403}
        file.write_text("[registry]\nclient_rate = 1\nunlimited_clients = []\n")
        assert "registry.client_rate" in filament("reload", "--config", str(file), *line).stderr
        until(lambda: ask(url)[0] == 429, "the limit")
        file.write_text("")
        filament("reload", "--config", str(file), *line)
        until(lambda: {ask(url)[0] for _ in range(10)} == {403}, "the end of the limit")


def data_made(data):
    data.mkdir()
    return data


def test_where_no_node_runs_there_is_nothing_to_reload(tmp_path):
    assert "no node runs" in filament("reload", "--data-directory", str(tmp_path), code=1).stderr
    with pytest.raises(control.NoNode):
        control.order(tmp_path, "reload")


def test_every_setting_that_takes_effect_at_once_exists():
    assert set(flat(Settings())) >= LIVE


def test_a_port_that_the_system_chose_stays_when_others_change():
    asked = Settings(resolver=ResolverSettings(port=0, keepalive=9.0))
    running = Settings(resolver=replace(asked.resolver, port=4711, keepalive=75.0))
    ours = merged(running, asked, ("resolver.keepalive",)).resolver
    assert (ours.port, ours.keepalive) == (4711, 9.0)


def test_a_certificate_of_no_use_is_refused_before_anything_is_told(tmp_path):
    old = issued(tmp_path, "old.pem", timedelta(days=-2000))
    asked = Settings(resolver=ResolverSettings(certificate=str(old), private_key=str(tmp_path / "node-key.pem")))
    with pytest.raises(CertificateRefused):
        compare(Settings(), asked)
    (tmp_path / "nobody.pem").write_text("no certificate")
    with pytest.raises(CertificateRefused):
        compare(Settings(), Settings(resolver=ResolverSettings(client_ca=str(tmp_path / "nobody.pem"))))
