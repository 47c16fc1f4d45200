"""The link that a class is given leads to this server from another machine, or says that it cannot."""

import socket

import pytest

from vlmlens.ui import launch, network


@pytest.fixture
def at(monkeypatch):
    monkeypatch.setattr(network, "here", lambda: "192.168.1.23")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"])
def test_a_browser_on_the_servers_machine_gives_out_the_machines_address(at, host):
    found = network.shared(f"http://{host}:8501/learn?teacher=1&key=secret#x", "0.0.0.0")
    assert found == "http://192.168.1.23:8501/learn"
    assert not network.is_local(found)


def test_a_server_that_listens_to_its_own_machine_promises_nothing_else(at):
    found = network.shared("http://localhost:8501/learn", "127.0.0.1")
    assert found == "http://localhost:8501/learn"
    assert network.is_local(found)


@pytest.mark.parametrize("listens", ["127.0.0.1", "0.0.0.0"])
def test_an_address_that_others_gave_is_kept(at, listens):
    assert network.shared("https://class.school.org/learn?key=x", listens) == "https://class.school.org/learn"


def test_the_key_is_never_in_the_link(at):
    for listens in ("127.0.0.1", "0.0.0.0", None, ""):
        assert "secret" not in network.shared("http://localhost:8501/learn?key=secret", listens)


def test_this_machine_has_an_address():
    socket.inet_aton(network.here())


@pytest.mark.parametrize("wide", [False, True])
def test_the_server_listens_as_wide_as_it_is_told(monkeypatch, wide):
    from streamlit import config, net_util
    from streamlit.web import bootstrap

    said = {}
    monkeypatch.setattr(launch.pool, "warm", lambda: None)
    monkeypatch.setattr(bootstrap, "run", lambda *arguments: said.update(address=config.get_option("server.address")))
    monkeypatch.setattr(net_util, "get_external_ip", lambda: pytest.fail("asked somebody outside"))
    monkeypatch.chdir(launch.ROOT)
    kept = config.get_config_options(force_reparse=True)
    try:
        launch.launch(0, True, wide)
        bootstrap._print_url(False)  # what Streamlit prints when it is ready; it looks for addresses then
        assert said["address"] == ("0.0.0.0" if wide else "127.0.0.1")
        assert not wide or config.get_option("browser.serverAddress") == network.here()
    finally:
        assert kept is not None
        config.get_config_options(force_reparse=True)
