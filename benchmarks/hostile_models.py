"""Every hostile kind of model file by every door: status, seconds, memory of all processes, and what appeared on disk.

Each door has to end with status 2 and one sentence, in 60 seconds and 1.5 GB, and to leave nothing behind. With
`--trace`, which needs strace, the calls to the system are looked at instead, of predict.py alone: no program may be
executed, no connection opened, and nothing written outside the folder.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import harness
import numpy as np

from digits import paths

# The tests make such files, too.
sys.path.insert(0, str(paths.ROOT))
from tests.checkpoints import onnx_files
from tests.untrusted import keras_files as keras

MOST_SECONDS, MOST_MEGABYTES = 60, 1500
TRACED = (
    *("execve", "connect", "open", "openat", "creat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "chmod"),
    *("mkdirat", "unlinkat", "renameat", "renameat2", "linkat", "symlinkat", "fchmodat", "truncate"),
)
ANSWER = keras.layer("Dense", units=10, activation="softmax")
GALLERY = {"module": "keras.visualization", "class_name": "function", "config": "plot_image_gallery"}
WRITES = keras.layer("Lambda", function=GALLERY | {"registered_name": None}, arguments={"path": "written.png"})
CODE = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None, "closure": None}}


def keras_model(*layers: dict, shape: tuple = (28, 28, 1)) -> bytes:
    return keras.with_config(keras.sequential(*layers, shape=shape))


def older(config: dict) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in keras.members_of().items():
            with file.open(name, "w") as target:
                for _ in range(700 if name == "config.json" else 0):
                    target.write(bytes(1_000_000))
                target.write(content)
    return buffer.getvalue()


def forest(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def skops_process() -> bytes:
    import skops.io

    return skops.io.dumps(subprocess.Popen)


def graph(name: str) -> Callable[[], bytes]:
    return lambda: onnx_files.HOSTILE[name][0]().SerializeToString()


KINDS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "Lambda that writes a file": (".keras", lambda: keras_model(WRITES, keras.FLATTEN, ANSWER)),
    "Lambda with bytecode": (
        ".keras",
        lambda: keras_model(keras.layer("Lambda", function=CODE), keras.FLATTEN, ANSWER),
    ),
    "vocabulary from a file": (".keras", lambda: keras_model(keras.layer("StringLookup", vocabulary="/etc/passwd"))),
    "50 million units": (".keras", lambda: keras_model(keras.FLATTEN, keras.layer("Dense", units=50_000_000), ANSWER)),
    "upsampling": (
        ".keras",
        lambda: keras_model(*[keras.layer("UpSampling2D", size=[60, 60])] * 3, keras.FLATTEN, ANSWER),
    ),
    "9,000 layers": (".keras", lambda: keras_model(*[keras.layer("Identity")] * 9_000, keras.FLATTEN, ANSWER)),
    "config of 700 MB": (".keras", bomb),
    "weights in another file": (".keras", lambda: keras.with_weights(keras.external)),
    "weights of another size": (".keras", lambda: keras_model(keras.FLATTEN, keras.layer("Dense", units=100), ANSWER)),
    "h5 with a Lambda": (".h5", lambda: older(keras.sequential(WRITES, keras.FLATTEN, ANSWER))),
    "h5 without weights": (".h5", lambda: older(keras.sequential(keras.FLATTEN, ANSWER))),
    "damaged h5": (".h5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(1000)),
    **{f"onnx: {name}": (".onnx", graph(name)) for name in onnx_files.HOSTILE},
    "damaged onnx": (".onnx", lambda: b"\x08\x07" + b"abc" * 1000),
    "skops of a process": (".skops", skops_process),
    "npz of objects": (".npz", lambda: forest(features=np.array([print]))),
    "npz of 2 GB": (".npz", lambda: forest(features=np.zeros(2 * 10**9, np.int8))),
    "empty": (".keras", lambda: b""),
    "31 MB": (".keras", lambda: bytes(31_000_000)),
    "tflite": (".tflite", lambda: b"TFL3" * 100),
    "PyTorch": (".pth", lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR."),
}
LIBRARY = "from digits import errors\nwith errors.one_line_errors():\n    "
UPLOAD = "from digits.checkpoints import recognizer; recognizer.load_upload(open({0!r}, 'rb').read(), {0!r})"
DOORS: dict[str, list[str]] = {
    "predict": ["--model", "{}", "--samples", "1", "--output-dir", "out"],
    "evaluate": ["--models", "{}", "--output-dir", "out"],
    "evaluate_robustness": ["--models", "{}", "--quick", "--output-dir", "out"],
    "visualize_features": ["--models", "{}", "--output-dir", "out"],
    "finetune_on_custom": ["--base", "{}", "--output-dir", "out", "--report-dir", "out"],
    "collect_digits": ["--import", "pictures", "--model", "{}", "--output-dir", "out"],
    "digits.load": ["-c", LIBRARY + "import digits; digits.load({0!r})"],
    "upload": ["-c", LIBRARY + UPLOAD],
}


def commands(file: str) -> Iterator[tuple[str, list[str]]]:
    for door, arguments in DOORS.items():
        filled = [each.format(file) for each in arguments]
        yield door, filled if arguments[0] == "-c" else [str(paths.ROOT / "src" / f"{door}.py"), *filled]


def run(arguments: list[str], folder: Path) -> dict:
    """Run Python in a folder with a cache of its own, and measure it with all that it starts."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(paths.ROOT / "src")}
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        # The peak of memory is sampled.
        time.sleep(0.03)
    assert process.stderr
    said = [line for line in process.stderr.read().splitlines() if line.strip()]
    seconds = time.perf_counter() - began
    return {"status": process.returncode, "seconds": seconds, "megabytes": peak / 1e6, "said": said}


def resident(parent: int) -> int:
    """Bytes in memory of a process and all that it started."""
    parents, sizes = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        pid = int(status.parent.name)
        parents[pid], sizes[pid] = int(fields["PPid"]), int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
    family = {parent}
    while more := {pid for pid, above in parents.items() if above in family} - family:
        family |= more
    return sum(sizes.get(pid, 0) for pid in family)


def strays(kind: str) -> list[str]:
    """The calls to the system by which predict.py executes, connects or writes what it shouldn't."""
    suffix, make = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"hostile{suffix}").write_bytes(make())
        command = ["strace", "-f", "-o", "calls", "-e", f"trace={','.join(TRACED)}", sys.executable]
        places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), folder) | {"PYTHONPATH": str(paths.ROOT / "src")}
        subprocess.run(
            [*command, *dict(commands(f"hostile{suffix}"))["predict"]],
            cwd=folder,
            env=os.environ | places,
            capture_output=True,
            check=False,
        )
        calls = [
            line for line in Path(folder, "calls").read_text(errors="replace").splitlines() if " = -1 " not in line
        ]
    assert any("convert" in call for call in calls) or suffix not in (".keras", ".onnx", ".skops"), calls
    return [call for call in calls if is_stray(call, folder)]


def is_stray(call: str, folder: str) -> bool:
    name, _, rest = call.partition(" ")[2].strip().partition("(")
    if name == "connect":
        return "AF_UNIX" not in rest
    if name == "execve":
        # h5py asks for the processor's name.
        return not rest.startswith((f'"{sys.executable}"', '"/usr/bin/uname"'))
    writes = not name.startswith("open") or any(flag in rest for flag in ("O_WRONLY", "O_RDWR", "O_CREAT"))
    # Relative paths are those of the folder, or of one in it. joblib makes a semaphore, Python caches bytecode.
    expected = (folder, "/dev/null", "/dev/shm/sem.", "/proc/self/", str(paths.ROOT / "src"))
    absolute = [path for path in rest.split('"')[1::2] if path.startswith("/")]
    return writes and any(not path.startswith(expected) or ".." in path for path in absolute)


def measure(kind: str, doors: int) -> dict:
    suffix, make = KINDS[kind]
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures" / "0").mkdir(parents=True)
        (folder / "pictures" / "0" / "0.png").write_bytes(
            next((paths.MY_DIGITS / "sample").rglob("*.png")).read_bytes()
        )
        (folder / f"hostile{suffix}").write_bytes(make())
        before = {file for file in folder.rglob("*") if file.is_file()}
        for door, arguments in list(commands(f"hostile{suffix}"))[:doors]:
            found[door] = run(arguments, folder)
        after = {file for file in folder.rglob("*") if file.is_file()} - before
        left = [
            str(file.relative_to(folder)) for file in sorted(after) if file.name != ".lock" and file.suffix != ".lock"
        ]
    sentences = {each["said"][-1] if each["said"] else "" for each in found.values()}
    return {
        "statuses": sorted({each["status"] for each in found.values()}),
        "lines": max(len(each["said"]) for each in found.values()),
        "seconds": round(max(each["seconds"] for each in found.values()), 1),
        "megabytes": round(max(each["megabytes"] for each in found.values())),
        "left": [each for each in left if not each.startswith("cache/")],
        "sentence": max(sentences, key=len),
        "kept": (
            all(each["status"] == 2 and len(each["said"]) == 1 for each in found.values())
            and all(each["seconds"] <= MOST_SECONDS and each["megabytes"] <= MOST_MEGABYTES for each in found.values())
            and not [each for each in left if not each.startswith("cache/")]
        ),
    }


if __name__ == "__main__":
    chosen = [each for each in sys.argv[1:] if each != "--trace"] or list(KINDS)
    if "--trace" in sys.argv:
        found = {kind: strays(kind) for kind in chosen}
        print(*(f"{kind}: {calls or 'nothing'}" for kind, calls in found.items()), sep="\n")
        sys.exit(any(found.values()))
    table = {}
    for kind in chosen:
        table[kind] = measure(kind, len(DOORS))
        print(kind, table[kind], file=sys.stderr, flush=True)
    harness.keep("hostile_models", {"doors": list(DOORS), "kinds": table})
    sys.exit(not all(row["kept"] for row in table.values()))
