"""The committed generated code is what the .proto files say today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    sources = sorted(str(p.relative_to(PROTO)) for p in PROTO.glob("wirepb/**/*.proto"))
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "mypy", "grpc_python", "mypy_grpc")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outs, *sources],
        check=True,
        cwd=PROTO,
        env={**os.environ, "PATH": path},
        capture_output=True,
    )
    fresh = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.py*")}
    committed = {p: (PROTO / p).read_bytes() for p in fresh}

    assert sources
    assert committed == fresh, "run `make proto` and commit what it wrote"
