"""`nuovo serve --demo`: what it prints works when it is pasted, and nothing of the operator's is touched."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.client import Client
from tests.e2e.database import Databases
from tests.e2e.server import NUOVO, USER, Nuovo, clean_environment

ADDRESS = "127.0.0.1:0"
DEMO = (NUOVO, "serve", "--demo", "--bind", ADDRESS)
HOSTILE = {
    "NUOVO_SECRET_KEY": "changeme",
    "NUOVO_ROTATION": "false",
    "NUOVO_REPLAY_GRACE": "a while",
    "NUOVO_USERS_TABLE": "people",
    "NUOVO_ISSUER": "somebody-else",
    "NUOVO_LOG_FORMAT": "poetry",
    "NUOVO_UNHEARD_OF": "1",
}
CURL = """\
import sys, urllib.error, urllib.request
headers, data, arguments = {}, None, iter(sys.argv[1:])
for argument in arguments:
    if argument == "-X": method = next(arguments)
    elif argument == "-H": headers.update([next(arguments).split(": ")])
    elif argument == "-d": data = next(arguments).encode()
    elif argument != "-s": url = argument
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode(), end="")
"""


def paste(commands: str, folder: Path) -> str:
    """Run commands as a person pastes them into a shell; where there is no curl, a few lines stand in for it."""
    environment = clean_environment()
    if shutil.which("curl") is None:
        script = folder / "curl"
        script.write_text(f"#!{sys.executable}\n{CURL}", encoding="utf-8")
        script.chmod(0o755)
        environment["PATH"] += f":{folder}"
    shell = shutil.which("bash") or "sh"
    ended = subprocess.run(
        [shell],
        input=commands,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=True,
        timeout=60,
    )
    assert ended.stderr == ""
    return ended.stdout


def test_the_printed_commands_show_what_they_promise(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with Nuovo(tmp_path, "", environment={"TMPDIR": str(temporary)}).start(command=DEMO) as nuovo:
        printed = nuovo.output
        assert printed.count(f"http://{ADDRESS}") >= 8  # the port is the only thing that is not known before it runs
        commands = "\n".join(block for block in printed.split("\n\n") if block.startswith("# "))
        pasted = paste(commands.replace(f"http://{ADDRESS}", nuovo.url), tmp_path)
        answers = [line for line in pasted.splitlines() if line.startswith("{")]

        codes = [int(code) for answer in answers for code in re.findall(r'"code":(\d+)', answer)]
        assert codes == [200, 200, 401, 401, 200, 200, 200, 401, 201]
        successors = [re.findall(r'"refresh_token":"([^"]+)"', answer) for answer in answers]
        assert successors[4] == successors[5] != []

        assert len(list(temporary.glob("nuovo-demo-*"))) == 1
        assert nuovo.stop() == 0
        assert list(temporary.iterdir()) == []


def test_the_demonstration_uses_no_setting_and_touches_no_database(tmp_path: Path, databases: Databases) -> None:
    """Neither those of the environment nor those of a `.env` in the folder, which would not even be fit for service."""
    configured = Path(databases.new("sqlite").removeprefix("sqlite:///"))
    before = configured.read_bytes(), configured.stat().st_mtime_ns
    hostile = {**HOSTILE, "NUOVO_DATABASE_URL": f"sqlite:///{configured}", "NUOVO_USERS_DATABASE_URL": "mysql://db"}
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in hostile.items()), encoding="utf-8")

    environment = {**hostile, "TMPDIR": str(tmp_path)}
    with Nuovo(tmp_path, "", environment=environment).start(command=DEMO) as nuovo, Client(nuovo.url) as client:
        token = re.findall(r"^TOKEN=(\S+)$", nuovo.output, re.MULTILINE)[0]
        credential = re.findall(r'Bearer ([\w-]{64})"', nuovo.output)[0]
        assert client.refresh(token).refresh_token != token
        assert client.sign_in(credential, USER).status == 201
        assert client.sign_in(nuovo.service_credential, USER).status == 401
    assert (configured.read_bytes(), configured.stat().st_mtime_ns) == before
    assert {path.name for path in configured.parent.glob(f"{configured.name}*")} == {configured.name}
