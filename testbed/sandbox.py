"""Runs a program in namespaces of its own, so that nothing of it can be left behind.

`enter()` splits the process in three:

    outer     waits, hands signals on, ends as the program ends
    init      process 1 of a new PID namespace: collects orphans
    program   returns from `enter()`

User (where not root), network, mount and PID namespaces are new. The kernel ends
everything in a PID namespace with its process 1, and `init` is tied to `outer` by
its parent-death signal: however the outer process ends, `kill -9` included, no
process stays, and with the last process go the network namespaces and their links.

    python -m testbed.sandbox COMMAND …    runs any command this way
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x2, 0x4, 0x8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
_SI_KERNEL = 0x80
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1

_FORWARDED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}

_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """The namespaces cannot be made. The message is one line."""


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Ends this process by SIGKILL when the thread that started it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl")


def _unshare() -> None:
    """Leaves for new namespaces. Raises OSError."""
    flags = _CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET
    if os.geteuid() == 0:
        try:
            _check(_libc.unshare(flags), "unshare")
            return
        except OSError as error:
            # Root of a container without CAP_SYS_ADMIN: as any other user.
            if error.errno != errno.EPERM:
                raise
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(flags | _CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _mount_proc() -> None:
    """Shows the new PID namespace in /proc. Raises OSError."""
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount /")
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    if _libc.mount(b"proc", b"/proc", b"proc", flags, None) != 0:
        # A container may forbid it; the old /proc serves all but process lists.
        number = ctypes.get_errno()
        if number != errno.EPERM:
            raise OSError(number, f"mount /proc: {os.strerror(number)}")


def _bring_up_loopback() -> None:
    """Makes 127.0.0.1 of the new network namespace usable. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _exit_like(status: int) -> int:
    """The exit code of a shell for a wait status."""
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _supervise(child: int) -> int:
    """Hands signals on to `child` and collects processes until it ends; its exit code."""
    while True:
        info = signal.sigwaitinfo(_FORWARDED | {signal.SIGCHLD})
        if info.si_signo != signal.SIGCHLD:
            if info.si_code != _SI_KERNEL:  # a terminal tells the whole group by itself
                os.kill(child, info.si_signo)
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 1
            if pid == 0:
                break
            if pid == child:
                return _exit_like(status)


def _run_init(parent_alive: int, ready: int) -> None:
    """The life of `init`; returns in the program only."""
    die_with_parent()
    try:
        _mount_proc()
        _bring_up_loopback()
    except OSError as error:
        os.write(ready, str(error).encode())
        os._exit(1)
    os.close(ready)
    if os.read(parent_alive, 1) != b"!":  # the parent ended before the death signal was set
        os._exit(1)
    os.close(parent_alive)
    program = os.fork()
    if program == 0:
        return
    os._exit(_supervise(program))


def enter() -> None:
    """Returns in a new process inside new namespaces; the calling one waits for its end.

    The process must still be single-threaded. Raises SandboxError where the system
    does not allow the namespaces.
    """
    try:
        _unshare()
    except OSError as error:
        raise SandboxError(
            f"no namespaces of one's own ({error.strerror}): run as root, or allow user "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1, "
            "user.max_user_namespaces>0, kernel.apparmor_restrict_unprivileged_userns=0)"
        ) from error
    sys.stdout.flush()
    sys.stderr.flush()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED | {signal.SIGCHLD})
    alive_read, alive_write = os.pipe()
    ready_read, ready_write = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(alive_write)
        os.close(ready_read)
        _run_init(alive_read, ready_write)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return
    os.close(alive_read)
    os.close(ready_write)
    refusal = os.read(ready_read, 512).decode()
    if refusal:
        os.waitpid(init, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise SandboxError(f"namespaces are allowed here in part only: {refusal}")
    os.write(alive_write, b"!")
    os._exit(_supervise(init))


def main() -> None:
    """Runs the command of the arguments in a sandbox."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m testbed.sandbox COMMAND …")
    try:
        enter()
        os.execvp(sys.argv[1], sys.argv[1:])
    except SandboxError as error:
        sys.exit(f"sandbox: {error}")
    except OSError as error:
        sys.exit(f"sandbox: {sys.argv[1]}: {error.strerror}")


if __name__ == "__main__":
    main()
