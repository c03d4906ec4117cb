# SPDX-License-Identifier: MIT
"""tests/consumer/install.py: programs build and run against the installed tree.

usage: install.py BUILD PREFIX LIBDIR INCLUDE [PATTERN...]

Installs the build into a scratch folder, moves its prefix there, and builds
consumer.c as C and as C++, shared and static, by pkg-config and by CMake. The
Python package is imported from there too. Files of the patterns must be there.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "consumer.c")
SKIP = 77
failures = []


def run(command, **options):
    out = subprocess.run(command, capture_output=True, text=True, **options)
    if out.returncode != 0:
        failures.append("{}\n{}{}".format(" ".join(command), out.stdout,
                                          out.stderr))
    return out


def install(build, prefix):
    """A tree whose prefix is where it lies."""
    scratch = tempfile.mkdtemp(prefix="consumer-")
    out = run(["meson", "install", "-C", build, "--no-rebuild", "--quiet",
               "--destdir", scratch])
    if out.returncode != 0:
        return scratch, scratch
    root = scratch + prefix
    for path in glob.glob(root + "/**/*.pc", recursive=True):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = re.sub("^prefix=.*$", "prefix=" + root, text, flags=re.M)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return scratch, root


def start(program, libdir, expected):
    """Run a consumer; expected tells whether it needs the shared library."""
    out = run([program], env={**os.environ, "LD_LIBRARY_PATH": libdir})
    if out.returncode == 0 and "modelopt 0." not in out.stdout:
        failures.append(f"{program} said {out.stdout!r}")
    if shutil.which("readelf"):
        needed = run(["readelf", "-d", program]).stdout
        if ("libmodelopt.so" in needed) != expected:
            failures.append(f"{program}: is it shared or static?\n{needed}")


def by_pkg_config(scratch, libdir):
    environment = {**os.environ,
                   "PKG_CONFIG_PATH": os.path.join(libdir, "pkgconfig")}
    compilers = {"c": ["cc", "-std=c99", "-x", "c"],
                 "c++": ["c++", "-std=c++11", "-x", "c++"]}
    for static in (False, True):
        ask = ["pkg-config", "--cflags", "--libs"] + ["--static"] * static
        flags = run(ask + ["modelopt"], env=environment).stdout.split()
        for name, compiler in compilers.items():
            program = os.path.join(scratch, f"{name}-{static}")
            run(compiler + ["-Wall", "-Wextra", "-Werror", "-o", program,
                            SOURCE, "-x", "none"] + flags)
            if os.path.exists(program):
                start(program, libdir, not static)
        # From here on only the archive is there to be found.
        for path in glob.glob(os.path.join(libdir, "libmodelopt.so*")):
            os.rename(path, os.path.join(scratch, os.path.basename(path)))
    for path in glob.glob(os.path.join(scratch, "libmodelopt.so*")):
        os.rename(path, os.path.join(libdir, os.path.basename(path)))


def by_cmake(scratch, root, libdir):
    build = os.path.join(scratch, "cmake")
    run(["cmake", "-S", HERE, "-B", build, "-DCMAKE_PREFIX_PATH=" + root])
    run(["cmake", "--build", build])
    for name in ("c_shared", "cpp_shared", "c_static", "cpp_static"):
        program = os.path.join(build, name)
        if os.path.exists(program):
            start(program, libdir, name.endswith("shared"))


def by_python(root):
    found = glob.glob(root + "/**/modelopt/__init__.py", recursive=True)
    if not found:
        failures.append("the Python package was not installed")
        return
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(
        os.path.dirname(found[0]))}
    environment.pop("MODELOPT_LIBRARY", None)
    out = run([sys.executable, "-c",
               "import modelopt; print(modelopt.library_path)"],
              env=environment)
    if out.returncode == 0 and not out.stdout.startswith(root):
        failures.append(f"Python loaded {out.stdout.strip()}, not the "
                        "library that was installed with it")


def main(build, prefix, libdir, include, *patterns):
    if not shutil.which("meson") or not shutil.which("pkg-config"):
        print("meson and pkg-config are needed")
        return SKIP
    scratch, root = install(build, prefix)
    libdir = os.path.join(root, libdir)
    try:
        for name in os.listdir(include):
            if name.endswith(".h") and not os.path.exists(
                    os.path.join(root, "include", "modelopt", name)):
                failures.append(f"{name} was not installed")
        for pattern in patterns:
            if not glob.glob(os.path.join(root, pattern)):
                failures.append(f"{pattern} was not installed")
        by_pkg_config(scratch, libdir)
        if shutil.which("cmake"):
            by_cmake(scratch, root, libdir)
        by_python(root)
    finally:
        shutil.rmtree(scratch)
    print("\n".join(failures) or "the installed tree serves its consumers")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
