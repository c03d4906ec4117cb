# SPDX-License-Identifier: MIT
"""Finds and loads the shared library.

Looked for, in this order: the file that the environment variable
MODELOPT_LIBRARY names; beside this package (a wheel); in a build folder, when
the package lies in a source tree; where `meson install` put it; where the
system's loader looks.
"""

import ctypes
import ctypes.util
import glob
import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_NAME = "libmodelopt.0.dylib" if sys.platform == "darwin" \
    else "libmodelopt.so.0"


def _candidates():
    """Yield (path, how it was found)."""
    named = os.environ.get("MODELOPT_LIBRARY")
    if named:
        yield named, "MODELOPT_LIBRARY"
        return
    yield os.path.join(_FOLDER, _NAME), "package"
    root = os.path.dirname(os.path.dirname(os.path.dirname(_FOLDER)))
    if os.path.exists(os.path.join(root, "include", "modelopt")):
        builds = [path for depth in ("build*", os.path.join("build*", "*"))
                  for path in glob.glob(os.path.join(root, depth, "lib",
                                                     _NAME))]
        for path in sorted(builds, key=os.path.getmtime, reverse=True):
            yield path, "build folder"
    # PREFIX/lib/python3/dist-packages/modelopt -> PREFIX/lib
    above = _FOLDER
    for _ in range(4):
        above = os.path.dirname(above)
        if os.path.basename(above) in ("lib", "lib64"):
            yield os.path.join(above, _NAME), "installation"
            for path in glob.glob(os.path.join(above, "*", _NAME)):
                yield path, "installation"
    yield _NAME, "system"
    found = ctypes.util.find_library("modelopt")
    if found:
        yield found, "system"


def _load():
    reasons = []
    for path, how in _candidates():
        if os.sep in path and not os.path.exists(path):
            reasons.append(f"{path}: no such file ({how})")
            continue
        try:
            return ctypes.CDLL(path), path
        except OSError as error:
            reasons.append(f"{error} ({how})")
    raise ImportError(
        "modelopt: the shared library was not found. Build it (meson setup "
        "build && ninja -C build), install it, or name its file in the "
        "environment variable MODELOPT_LIBRARY. Tried:\n  "
        + "\n  ".join(reasons))


LIBRARY, PATH = _load()

_POSTGRESQL = _NAME.replace("modelopt", "modelopt-postgresql")
_postgresql = None


def postgresql():
    """The library that knows PostgreSQL: beside the library, in its build
    folder, or where the system's loader looks."""
    global _postgresql
    if _postgresql is not None:
        return _postgresql
    folder = os.path.dirname(os.path.realpath(PATH))
    reasons = []
    for path in (os.path.join(folder, _POSTGRESQL),
                 os.path.join(os.path.dirname(folder), "src", "postgresql",
                              _POSTGRESQL), _POSTGRESQL):
        if os.sep in path and not os.path.exists(path):
            continue
        try:
            _postgresql = ctypes.CDLL(path)
            return _postgresql
        except OSError as error:
            reasons.append(str(error))
    raise ImportError(
        "modelopt: studies in PostgreSQL need the library "
        f"{_POSTGRESQL}, which was not found; install "
        "libmodelopt-postgresql, or build modelopt with libpq. "
        + "; ".join(reasons))


def bind(name, restype, *argtypes):
    """A function of the library with its types."""
    try:
        function = getattr(LIBRARY, name)
    except AttributeError:
        raise ImportError(
            f"modelopt: {PATH} has no function {name}: the library is older "
            "than this package") from None
    function.restype = restype
    function.argtypes = argtypes
    return function


def verify(version, status):
    """Refuse a library whose version or constants are not the package's.

    Before 1.0 every minor version may break the interface, so that major and
    minor must be equal; afterwards the library may be newer.
    """
    numbers = [ctypes.c_int32() for _ in range(3)]
    out = ctypes.POINTER(ctypes.c_int32)
    bind("mopt_version", None, out, out, out)(*numbers)
    found = tuple(number.value for number in numbers)
    if found[0] != version[0] or found[1] < version[1] or (
            version[0] == 0 and found[1] != version[1]):
        raise ImportError(
            "modelopt: {} is version {}, this package needs {}".format(
                PATH, ".".join(map(str, found)), ".".join(map(str, version))))
    status_name = bind("mopt_status_name", ctypes.c_char_p, ctypes.c_int32)
    for code, name in status.items():
        real = status_name(code).decode()
        if real != name:
            raise ImportError(f"modelopt: status {code} is {real} in {PATH}, "
                              f"this package knows it as {name}")
