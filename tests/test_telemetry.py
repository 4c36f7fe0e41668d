"""Recognising a digit leaves no files in the user's folders but its own cache, and contacts nobody."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from digits import paths

pytestmark = pytest.mark.slow

PICTURE = next(paths.MY_DIGITS.glob("sample/7/*.png"))
# ONNX Runtime's first message comes about eight seconds after its start.
PREDICT_AND_WAIT = """
import runpy, sys, time
script, picture, seconds = sys.argv[1:]
sys.argv = [script, picture]
runpy.run_path(script, run_name="__main__")
time.sleep(float(seconds))
"""


@dataclass(frozen=True)
class FirstDay:
    """What became of a user's home, what was printed, and whether anybody was contacted."""

    home: Path
    printed: str
    is_contacted: bool


@pytest.fixture(scope="module")
def first_day(tmp_path_factory) -> FirstDay:
    home = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        # What would go out goes here, and not to the network.
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"), address)
        # ONNX Runtime is silent under CI, so nothing else is inherited.
        own = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
        process = subprocess.run(
            [sys.executable, "-c", PREDICT_AND_WAIT, paths.ROOT / "src" / "predict.py", PICTURE, "12"],
            env=own | proxies | {"PYTHONPATH": str(paths.ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        proxy.settimeout(0)
        # A connection would wait to be accepted.
        try:
            proxy.accept()
        except BlockingIOError:
            return FirstDay(home, process.stdout, is_contacted=False)
        return FirstDay(home, process.stdout, is_contacted=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's folders elsewhere")
def test_predicting_leaves_no_files_at_home_but_its_own_cache(first_day):
    assert f"{PICTURE}: 7" in first_day.printed
    (file,) = [path for path in first_day.home.rglob("*") if path.is_file()]
    assert file.parent == first_day.home / ".cache" / "digit-workbench"
    assert file.name.endswith(".familiarity.npz")


@pytest.mark.skipif(sys.platform != "linux", reason="only there is it known that ONNX Runtime would use the proxy")
def test_predicting_contacts_nobody(first_day):
    assert not first_day.is_contacted
