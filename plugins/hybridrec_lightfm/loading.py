"""Import of LightFM, also where its wheel was linked against an older C library.

The Linux wheels for Python 3.11 refer to `__log_finite` and `__exp_finite`, which glibc 2.31 no longer offers to new
programs, so such a wheel cannot be loaded there. The two are `log` and `exp` without the checks for infinite results;
the extension is therefore loaded from a copy in memory that refers to `log` and `exp`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import warnings
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

from hybridrec import MissingDependencyError

_EXTENSION = "lightfm._lightfm_fast_openmp"
INSTALL_HINT = (
    "pip install 'hybridrec[lightfm]' (lightfm-next has wheels for Python 3.11 to 3.13 on Linux x86-64 and macOS "
    "arm64; elsewhere LIGHTFM_NO_CFLAGS=1 pip install lightfm-next compiles it). "
    "On Python 3.11 with glibc 2.31 or later the Linux wheel loads within hybridrec alone: a plain `import lightfm` "
    "ends in `undefined symbol: __log_finite`, from Python 3.12 on it does not. "
    "Any installed package that provides `lightfm` is accepted"
)


def load_lightfm() -> ModuleType:
    """Import and return the module `lightfm`, of any package that provides it; raises MissingDependencyError."""
    spec = importlib.util.find_spec("lightfm")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(f"component 'lightfm': no installed package provides `lightfm`; {INSTALL_HINT}")
    try:
        if _EXTENSION not in sys.modules:
            _load_with_todays_names(Path(spec.submodule_search_locations[0]))
        with warnings.catch_warnings():
            # Nothing is lost: reproducible fits use one thread anyway.
            warnings.filterwarnings("ignore", "LightFM was compiled without OpenMP support")
            import lightfm
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"component 'lightfm': the installed `lightfm` cannot be loaded ({error}); {INSTALL_HINT}"
        ) from error
    return lightfm


def _load_with_todays_names(folder: Path) -> None:
    """Load the extension from memory with the old names replaced, if it has them; otherwise do nothing."""
    for extension in folder.glob("_lightfm_fast_openmp*.so"):
        content = extension.read_bytes()
        if b"\0__log_finite\0" not in content or not hasattr(os, "memfd_create"):
            return
        for name in (b"log", b"exp"):
            old = b"\0__" + name + b"_finite\0"
            content = content.replace(old, (b"\0" + name).ljust(len(old), b"\0"))
        for library in folder.parent.glob("lightfm*.libs/*.so*"):
            ctypes.CDLL(str(library))  # imports find it by name from here on
        _execute(content)


def _execute(content: bytes) -> None:
    file = os.memfd_create(_EXTENSION)
    try:
        os.write(file, content)
        loader = ExtensionFileLoader(_EXTENSION, f"/proc/self/fd/{file}")
        spec = importlib.util.spec_from_file_location(_EXTENSION, loader.path, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_EXTENSION] = module
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(_EXTENSION, None)
        raise
    finally:
        os.close(file)
