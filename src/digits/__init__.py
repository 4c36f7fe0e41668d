"""The library behind the scripts and the app; see CONTRIBUTING.md for its floors."""

import os

# Since its release 1.29, ONNX Runtime keeps an identifier and a database in the user's cache and reports to its maker,
# unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
