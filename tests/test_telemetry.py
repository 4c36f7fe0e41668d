"""Recognising a digit leaves no files in the user's folders but its own cache, and contacts nobody."""

import os
import socket
import subprocess
import sys
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


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A user's first day. ONNX Runtime is silent under CI, so nothing else is inherited."""
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **variables}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's folders elsewhere")
def test_predicting_leaves_no_files_at_home_but_its_own_cache(tmp_path):
    command = [sys.executable, paths.ROOT / "src" / "predict.py", PICTURE]
    process = subprocess.run(command, env=environment(tmp_path / "home"), capture_output=True, text=True, check=True)
    assert f"{PICTURE}: 7" in process.stdout
    (file,) = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert file.parent == tmp_path / "home" / ".cache" / "digit-workbench"
    assert file.name.endswith(".familiarity.npy")


@pytest.mark.skipif(sys.platform != "linux", reason="only there is it known that ONNX Runtime would use the proxy")
def test_predicting_contacts_nobody(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        # What would go out goes here, and not to the network.
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"), address)
        command = [sys.executable, "-c", PREDICT_AND_WAIT, paths.ROOT / "src" / "predict.py", PICTURE, "12"]
        subprocess.run(
            command,
            env=environment(tmp_path / "home", PYTHONPATH=str(paths.ROOT / "src"), **proxies),
            stdout=subprocess.DEVNULL,
            check=True,
        )
        proxy.settimeout(0)
        # A connection would wait to be accepted.
        with pytest.raises(BlockingIOError):
            proxy.accept()
