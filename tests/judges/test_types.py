"""What TypeScript is told of the client is what the client is."""

import subprocess
from pathlib import Path

import pytest

from tests.browser.how_to import write_snippet

pytestmark = pytest.mark.node
STATIC = Path(__file__).parents[2] / "entrypoints" / "http" / "static"
LIBRARIES = ["--lib", "es2023,dom,dom.iterable", "--target", "es2022"]
DECLARATIONS = ["--allowJs", "--checkJs", "--declaration", "--emitDeclarationOnly", "--strict", "--module", "esnext"]
APPLICATION = [
    "--noEmit",
    "--strict",
    "--module",
    "nodenext",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
]
MISTAKES = {
    "a reason that there is not": 'session.addEventListener("ended", (e) => { if (e.detail.reason === "tired") {} });',
    "an option that there is not": "createSession({ baseURL: '/' });",
    "a token that is still a promise": "const token: string = session.accessToken();",
    "a private part": "session.held;",
}


def _compile(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tsc = next(parent for parent in folder.parents if (parent / "node_modules").is_dir()) / "node_modules/.bin/tsc"
    command = [str(tsc), *LIBRARIES, *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, encoding="utf-8")


def test_the_types_are_those_of_the_client(sources: Path) -> None:
    """When this fails, the client has changed: the file that is compared here is to be copied over the old one."""
    client = sources / "client.js"
    client.write_bytes((STATIC / "client.js").read_bytes())
    done = _compile(sources, *DECLARATIONS, "--outDir", "made", "client.js")
    assert done.returncode == 0, done.stdout
    made = (sources / "made" / "client.d.ts").read_text(encoding="utf-8")
    assert made == (STATIC / "client.d.ts").read_text(encoding="utf-8")


@pytest.fixture
def application(sources: Path) -> Path:
    """Write the page's program, with the types beside it, and return its folder."""
    (sources / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (sources / "nuovo-client.d.ts").write_bytes((STATIC / "client.d.ts").read_bytes())
    write_snippet("orders.ts", sources)
    return sources


def test_the_program_of_the_page_compiles(application: Path) -> None:
    done = _compile(application, *APPLICATION, "orders.ts")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(application: Path, mistake: str) -> None:
    lines = 'import { createSession } from "./nuovo-client.js";\nconst session = createSession();\n'
    (application / "mistaken.ts").write_text(lines, encoding="utf-8")
    assert _compile(application, *APPLICATION, "mistaken.ts").returncode == 0
    (application / "mistaken.ts").write_text(f"{lines}{mistake}\n", encoding="utf-8")
    found = _compile(application, *APPLICATION, "mistaken.ts")
    assert found.returncode != 0
    assert "mistaken.ts(3," in found.stdout
