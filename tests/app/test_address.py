"""The real server, started in every way that there is: on which addresses of this machine it answers."""

import os
import subprocess
import sys
from ipaddress import ip_address
from urllib.request import urlopen

import psutil
import pytest

from digits import paths
from tests.support import wait_until

STREAMLIT = [sys.executable, "-P", "-m", "streamlit", "run"]


def listening(process: subprocess.Popen) -> list:
    """The addresses, with their ports, at which a process waits for connections."""
    connections = psutil.Process(process.pid).net_connections(kind="tcp")
    return [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]


@pytest.mark.parametrize(
    ("command", "folder", "variables", "is_local"),
    [
        ([sys.executable, paths.ROOT / "src" / "app.py"], None, {}, True),
        ([*STREAMLIT, paths.ROOT / "src" / "app.py"], None, {}, True),
        ([*STREAMLIT, "src/app.py"], paths.ROOT, {}, True),
        ([sys.executable, paths.ROOT / "src" / "app.py", "--server.address", "0.0.0.0"], None, {}, False),
        ([*STREAMLIT, "src/app.py"], paths.ROOT, {"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, False),
    ],
    ids=["script", "streamlit elsewhere", "streamlit in the checkout", "option", "variable"],
)
def test_server_listens_on_this_machine_only_unless_it_is_told(command, folder, variables, is_local, tmp_path):
    # What a developer has set for Streamlit must not decide.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    process = subprocess.Popen(
        [*command, "--server.headless", "true", "--server.port", "0"],
        cwd=folder or tmp_path,
        env=inherited | variables | {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: process.poll() is not None or listening(process), seconds=60)
        addresses = listening(process)
        with urlopen(f"http://localhost:{addresses[0].port}/_stcore/health", timeout=10) as answer:
            assert answer.read() == b"ok"
    finally:
        process.terminate()
        process.wait()
    assert {ip_address(each.ip).is_loopback for each in addresses} == {is_local}
