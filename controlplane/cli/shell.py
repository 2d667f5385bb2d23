"""p4runtime-shell on the running switch, from an environment of its own.

It pins a protobuf that the controller cannot use, hence `.venv-shell`, made on first
use. It connects with election id 1, below the controller's, so that it is a backup: it
reads all, and its writes are refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from controlplane.cli.errors import CommandError

_REQUIREMENTS = Path(__file__).with_name("shell-requirements.txt")
_ENVIRONMENT = Path(".venv-shell")
_ELECTION_ID = "0,1"


def environment(root: Path) -> Path:
    """The Python of the shell's environment under `root`, made if it is not there.

    Raises CommandError.
    """
    home = root / _ENVIRONMENT
    python = home / "bin" / "python"
    stamp = home / "installed"
    wanted = _REQUIREMENTS.read_text()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    print(f"controlplane: making {home} for p4runtime-shell", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run(
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                str(_REQUIREMENTS),
            ],
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise CommandError(f"{home} cannot be made: {error}") from None
    stamp.write_text(wanted)
    return python


def command(python: Path, address: str, device_id: int) -> list[str]:
    """How the shell is started."""
    return [
        str(python),
        "-m",
        "p4runtime_sh",
        "--grpc-addr",
        address,
        "--device-id",
        str(device_id),
        "--election-id",
        _ELECTION_ID,
    ]


def open_shell(address: str, device_id: int) -> None:
    """Becomes the shell; does not return. Raises CommandError."""
    arguments = command(environment(Path.cwd()), address, device_id)
    os.execv(arguments[0], arguments)
