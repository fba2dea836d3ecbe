"""What the peers need is installed by `make bench` into places of their own, where it can be."""

import shutil

from tests.servers import ROOT

BIN = ROOT / ".bench" / "bin"
"""Of the virtual environment that the peers have for themselves."""
NODE = ROOT / "benchmarks" / "node"


def missing_packages(program: str) -> str:
    """What to say if a program of the peers' virtual environment is not there; else empty."""
    return "" if (BIN / program).exists() else f"{program} is not installed in .bench"


def missing_program(*programs: str) -> str:
    """What to say if one of these programs of the system is not there; else empty."""
    found = [program for program in programs if not shutil.which(program)]
    return f"{' and '.join(found)} not installed" if found else ""
