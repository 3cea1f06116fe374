"""Machines on which nothing is installed but what the README asks for.

A minimal Debian is built once, kept in the user's cache folder, and lent to each machine as the
lower half of its file system. What this machine's pip is told (its index, certificates, folders
of wheels) is passed on; no compiler, header or library is.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from nestlfp.paths import cache_dir

SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "g++", "make", "ca-certificates")
NO_COMPILER = ("python3", "python3-venv", "ca-certificates")
USERS = {"root": (0, "/root"), "ada": (1000, "/home/ada")}
"""Number and home of each."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PREFIX = f"machine_{os.getpid()}_"
ENTER = Path(__file__).with_name("enter.sh")


def require():
    """Skip the test, or fail in CI, where such a machine cannot be made."""
    missing = [name for name in ("debootstrap", "unshare", "chroot") if not shutil.which(name)]
    if missing:
        reason = f"no {', '.join(missing)} here: apt-get install debootstrap util-linux coreutils"
    elif os.geteuid() != 0:
        reason = "a minimal system is built and entered by root"
    elif unshared("mount -t tmpfs none /mnt").returncode != 0:
        reason = "root may not mount here, as in most containers"
    else:
        return
    if os.environ.get("NESTLFP_REQUIRE_BARE"):
        pytest.fail(reason)
    pytest.skip(reason)


def unshared(command, **environment):
    """Run a shell command in namespaces of its own, which end with it, and so do its mounts."""
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def image(packages=PACKAGES):
    """Folder of the minimal system with these packages, built if there is none."""
    folder = cache_dir() / "bare" / "-".join((SUITE, *packages))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            part = Path(f"{folder}.part")
            shutil.rmtree(part, ignore_errors=True)
            included = f"--include={','.join(packages)}"
            command = ["debootstrap", "--variant=minbase", included, SUITE, str(part), *mirror()]
            built = unshared(shlex.join(command))
            assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
            for name, (number, home) in USERS.items():
                if number:
                    subprocess.run(["chroot", part, "useradd", "-m", "-d", home, name], check=True)
            part.rename(folder)
    return folder


def mirror():
    """This machine's own source of the suite, or nothing: debootstrap knows one."""
    if not shutil.which("apt-get"):
        return []
    asked = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    found = [line.split() for line in told.stdout.splitlines()]
    return [address for release, address in found if release == SUITE][:1]


def pip_settings():
    """What pip is told here, as environment variables, and the files and folders it names."""
    listed = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(listed, capture_output=True, text=True, check=True)
    settings = {}
    # Variables of the environment come first, and win.
    for name, value in re.findall(r"^\S*?([\w-]+)=(?:'|\")(.*)(?:'|\")$", told.stdout, re.M):
        settings.setdefault(f"PIP_{name.upper().replace('-', '_')}", value.replace("\\n", " "))
    named = [word.removeprefix("file://") for value in settings.values() for word in value.split()]
    shared = [Path(word) for word in named if word.startswith("/") and Path(word).exists()]
    # The pages of an index on disk refer to files beside them.
    return settings, [path.parent if path.name == "simple" else path for path in shared]


class Machine:
    """A copy of the minimal system, with an account of `user` and an empty home."""

    def __init__(self, user, folder, packages):
        self.number, self.home = USERS[user]
        self._image, self._folder = image(packages), folder
        # Pip wants the cache to belong to who uses it. It holds wheels only.
        self._cache = cache_dir() / "bare" / f"pip-{user}"
        self._cache.mkdir(exist_ok=True)
        os.chown(self._cache, self.number, self.number)
        self.files = folder / "upper" / self.home.lstrip("/")
        self.files.mkdir(parents=True)
        self._own()

    def put(self, source):
        """Copy a file or folder into the home."""
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, self.files / source.name)
        self._own()

    def run(self, command):
        """What a shell command in the home prints; both streams."""
        settings, shared = pip_settings()
        environment = {
            "HOME": self.home,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "OMP_WAIT_POLICY": "passive",
            **{name: value for name, value in os.environ.items() if name.endswith("_proxy")},
            **settings,
            "PIP_NO_COMPILE": "0",  # no .pyc files, quicker: pip takes the value for --compile's
            "PIP_CACHE_DIR": "/var/cache/pip",
        }
        inside = f"cd {shlex.quote(self.home)}; {command}"
        words = [ENTER, self._image, self._folder, f"{self.number}:{self.number}", inside]
        done = unshared(
            shlex.join(map(str, [*words, CERTIFICATES, *shared])) + " 2>&1",
            PIP_CACHE=str(self._cache),
            **{f"BARE_{name}": value for name, value in environment.items()},
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}{done.stderr}"
        return done.stdout

    def _own(self):
        command = ["chown", "-R", f"{self.number}:{self.number}", str(self.files)]
        subprocess.run(command, check=True)


@contextmanager
def machine(user, packages=PACKAGES):
    """A new machine; nothing is left of it afterwards."""
    images = image(packages).parent
    for path in images.glob("machine_*"):  # of a test that was killed
        if not Path("/proc", path.name.split("_")[1]).exists():
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=images) as folder:
        yield Machine(user, Path(folder), packages)
