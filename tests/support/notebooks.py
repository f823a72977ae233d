"""This module runs a notebook by this Python and no other, whatever kernels and settings the machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

# Jupyter's own, in the process that talks to the kernel.
TOLERATED = [
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]


def run(notebook: Any, folder: Path) -> None:
    """Execute in place, by this Python and no other, whatever kernels and settings the machine has."""
    write_kernel_spec(folder / "jupyter" / "kernels" / "python3")  # names sys.executable
    own = {
        "JUPYTER_PATH": folder / "jupyter",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "JUPYTER_PLATFORM_DIRS": 1,
        "IPYTHONDIR": folder / "ipython",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, str(value))
        patch.delenv("MPLBACKEND", raising=False)
        NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
