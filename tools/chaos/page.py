"""Sessions on the page without a browser: what it sends to each, over the WebSocket that Streamlit's own page uses."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tornado.websocket import WebSocketClientConnection, websocket_connect

from digits import paths

# The server's start, or one view of the page; with all sessions on two cores it takes a few seconds.
SECONDS = 60


class Session:
    """A session on the page, and its widgets' values by their keys."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._elements: list = []
        self._values: dict[str, list[str]] = {}

    async def show(self, digit: int) -> str:
        """Choose the first test digit of a class; return what the page says of it, as HTML."""
        if not self._values:
            await self._run()
            self._values["source"] = ["Samples"]
            await self._run()
        self._values["sample_digit"] = [str(digit)]
        await self._run()
        pages = [element.html.body for element in self._elements if element.WhichOneof("type") == "html"]
        (verdict,) = [page for page in pages if page.startswith('<div class="verdict')]
        assert f"The true digit is {digit}" in verdict, verdict
        return verdict

    async def _run(self) -> None:
        """Let the page be made with the widgets' values, and keep its elements."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        for key, value in self._values.items():
            (element,) = [each for each in self._elements if each.button_group.id.endswith(f"-{key}")]
            message.rerun_script.widget_states.widgets.add(id=element.button_group.id).string_array_value.data.extend(
                value
            )
        await self._connection.write_message(message.SerializeToString(), binary=True)
        self._elements = []
        while True:
            content = await asyncio.wait_for(self._connection.read_message(), SECONDS)
            assert isinstance(content, bytes), "the page ended the session"
            sent = ForwardMsg.FromString(content)
            if sent.delta.HasField("new_element"):
                self._elements.append(sent.delta.new_element)
            if sent.WhichOneof("type") == "script_finished" and sent.script_finished == sent.FINISHED_SUCCESSFULLY:
                break
        problems = [each.exception.message for each in self._elements if each.HasField("exception")]
        assert not problems, problems


def show_samples(count: int) -> list[str]:
    """Let sessions look at the ten digits at once, each in another order.

    Returns:
        For each view of the page, what is wrong with it: empty if it shows what it shows to a session alone.
    """
    with server() as address:
        return asyncio.run(_show_samples(address, count))


async def _show_samples(address: str, count: int) -> list[str]:
    async def looks(first: int) -> dict[int, str]:
        session = Session(await websocket_connect(f"ws://{address}/_stcore/stream", max_message_size=2**28))
        return {digit % 10: await session.show(digit % 10) for digit in range(first, first + 10)}

    alone = await looks(0)
    found = await asyncio.gather(*map(looks, range(count)), return_exceptions=True)
    problems = []
    for seen in found:
        if isinstance(seen, BaseException):
            problems.append(f"{type(seen).__name__}: {seen}")
        else:
            problems += ["" if seen[digit] == alone[digit] else seen[digit] for digit in range(10)]
    return problems


@contextmanager
def server() -> Iterator[str]:
    """The page on a free port of this machine; its address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, paths.ROOT / "src" / "app.py", "--server.port", str(port), "--server.headless", "true"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            asyncio.run(_answers(port))
            yield f"localhost:{port}"
        finally:
            process.terminate()


async def _answers(port: int) -> None:
    for _ in range(SECONDS * 10):
        await asyncio.sleep(0.1)
        try:
            _, writer = await asyncio.open_connection("localhost", port)
        except OSError:
            continue
        writer.close()
        return
    raise TimeoutError(f"the page doesn't answer within {SECONDS} s")
