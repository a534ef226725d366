"""The web process: light, closed to strangers, and importing its own packages."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets import ConnectionClosed, Origin
from websockets.frames import CloseCode
from websockets.sync.client import connect

from tests.workbench.team import PASSWORD, give_password, member
from tests.workbench.working import wait_until
from workbench.project import Project
from workbench.services import web_command
from workbench.web.server import serve

ROOT = Path(__file__).parents[4]
IMPORTS = """
import sys
import workbench.web.server.serve
print(*sorted({"torch", "transformers", "peft", "datasets"} & sys.modules.keys()))
"""
SHADOWS = """
import sys
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path
from workbench.web.server.serve import SCRIPT
for name in ("db", "trainer", "workbench"):
    del sys.modules[name]
with modified_sys_path(str(SCRIPT)):
    import db, trainer, workbench
print(db.__file__, trainer.__file__, workbench.__file__, sep="\\n")
"""


def run(command: list[str], cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_web_process_never_imports_torch(tmp_path: Path) -> None:
    result = run([sys.executable, "-P", "-c", IMPORTS], tmp_path)
    assert (result.returncode, result.stdout.strip()) == (0, "")


def test_neither_the_scripts_folder_nor_the_projects_folder_shadows_a_package(tmp_path: Path) -> None:
    for name in ("db", "trainer", "data", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    result = run([sys.executable, "-P", "-c", SHADOWS], tmp_path)
    assert result.stdout.split() == [
        str(ROOT / name / "__init__.py") for name in ("db", "trainer", "workbench")
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "example.org"])
def test_no_door_stands_open_to_the_network_without_https(project: Project, host: str) -> None:
    result = run(web_command(), project.home, WORKBENCH_HOME=str(project.home), WORKBENCH_HOST=host)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: The app listens on {host} only behind a proxy with https.")


def test_a_folder_without_a_project_is_one_clear_line(tmp_path: Path) -> None:
    result = run(web_command(), tmp_path, WORKBENCH_HOME=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("error: There is no project in")
    assert result.stderr.count("\n") == 1


def test_a_cookie_key_that_cannot_be_read_is_one_clear_line(project: Project) -> None:
    """A folder in its place: permissions do not bind the superuser."""
    (project.data / "cookie.key").unlink(missing_ok=True)
    (project.data / "cookie.key").mkdir()
    result = run(web_command(), project.home, WORKBENCH_HOME=str(project.home))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_who_starts_the_app_is_told_where_it_is_and_how_somebody_comes_in(project: Project) -> None:
    command = [sys.executable, "-P", "-m", "workbench.cli", "up", "--no-worker"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command += ["--home", str(project.home), "--port", str(port)]
    printed, environment = project.home / "told.txt", os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        printed.open("w") as out,
        subprocess.Popen(command, cwd=project.home, env=environment, stdout=out) as app,
    ):
        try:
            wait_until(lambda: "Open" in printed.read_text(), "the address")
        finally:
            app.terminate()
    assert printed.read_text().startswith("Nobody can sign in yet: workbench users add NAME --role lead")
    assert f"Open http://127.0.0.1:{port} in a browser." in printed.read_text()


def test_a_running_server_believes_no_forwarded_header_and_reads_no_large_body(project: Project) -> None:
    give_password(project, member(project, "Ann", "annotator"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "WORKBENCH_HOME": str(project.home),
        "WORKBENCH_PORT": str(port),
        "FORWARDED_ALLOW_IPS": "*",
    }
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    with client, subprocess.Popen(web_command(), cwd=project.home, env=environment) as app:
        try:
            wait_until(lambda: _is_served(client), "the server")
            behind = {"origin": f"https://127.0.0.1:{port}", "x-forwarded-proto": "https"}
            form = {"name": "Ann", "password": PASSWORD}
            assert client.post("/sign-in", data=form, headers=behind).status_code == 403
            assert client.get("/", headers={"host": "evil.example"}).status_code == 400
            own = {"origin": f"http://127.0.0.1:{port}"}
            assert client.post("/sign-in", data=form, headers=own).status_code == 303
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                head = (
                    f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
                )
                stranger.sendall(f"{head}Content-Length: {150 * 2**20}\r\n\r\n".encode())
                assert stranger.recv(20).startswith(b"HTTP/1.1 413")
            _refuses_a_large_message(client, port)
        finally:
            app.terminate()


def _refuses_a_large_message(client: httpx.Client, port: int) -> None:
    """By the length that its frame states, as each message is held in memory as a whole."""
    size = serve.MOST_MESSAGE_MEGABYTES * 10**6 + 1
    frame = b"\x82\xff" + size.to_bytes(8) + bytes(4)
    cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    url, origin = f"ws://127.0.0.1:{port}/_stcore/stream", Origin(f"http://127.0.0.1:{port}")
    with connect(url, origin=origin, additional_headers=cookies) as annotator:
        annotator.socket.sendall(frame)
        with pytest.raises(ConnectionClosed) as closed:
            annotator.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.MESSAGE_TOO_BIG


def _is_served(client: httpx.Client) -> bool:
    try:
        return client.get("/_stcore/health").status_code == 200
    except httpx.TransportError:
        return False
