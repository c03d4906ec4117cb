# SPDX-License-Identifier: MIT
"""Contexts, configs, tokens, errors, and finding the library."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import modelopt
from modelopt import _bindings, _library, c, errors


class Errors(unittest.TestCase):

    def test_a_class_for_each_status(self):
        for code, name in c.STATUS.items():
            if code:
                self.assertEqual(errors.CLASSES[code].code, code, name)
                self.assertIn(errors.CLASSES[code].__name__,
                              modelopt.__all__)
        self.assertEqual(len(errors.CLASSES), len(c.STATUS) - 1)

    def test_each_comes_from_its_base(self):
        for code, kind in errors.CLASSES.items():
            base = modelopt.Error if code < 0 else modelopt.Outcome
            self.assertTrue(issubclass(kind, base))
            error = errors.make(code, "why")
            self.assertEqual((type(error), str(error), error.code),
                             (kind, "why", code))

    def test_codes_of_a_newer_library(self):
        self.assertIsInstance(errors.make(-999, ""), modelopt.Error)
        self.assertIsInstance(errors.make(999, ""), modelopt.Outcome)
        self.assertEqual(errors.make(-999, "").code, -999)

    def test_the_message_is_the_library_s(self):
        with self.assertRaisesRegex(modelopt.UnknownKeyError, "'threads'"):
            modelopt.Config("context", thread=2)
        with self.assertRaises(LookupError):
            modelopt.Config("no such kind")
        with self.assertRaises(ValueError):
            modelopt.Config("context", threads=-1)

    def test_messages_belong_to_their_thread(self):
        seen = []

        def work():
            try:
                modelopt.Config("context", nonsense=1)
            except modelopt.Error as error:
                seen.append(str(error))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertIn("nonsense", seen[0])


class Configs(unittest.TestCase):

    def test_values(self):
        config = modelopt.Config("context", {"threads": 2}, log_level="info")
        self.assertEqual((config["threads"], config["log_level"]),
                         ("2", "info"))
        config["threads"] = 3
        self.assertEqual(config["threads"], "3")
        self.assertEqual(config["backend"], "openblas")

    def test_wrong_values(self):
        config = modelopt.Config("context")
        for value in (float("nan"), 1.5, "x", [1], 2 ** 64, -2 ** 64):
            with self.assertRaises((ValueError, OverflowError)):
                config["threads"] = value
        self.assertEqual(config["threads"], "0")

    def test_scalars_of_numpy(self):
        class Scalar:
            def item(self):
                return 4
        config = modelopt.Config("context", threads=Scalar())
        self.assertEqual(config["threads"], "4")

    def test_what_there_is(self):
        self.assertIn("context", modelopt.kinds())
        names = [key["key"] for key in modelopt.keys("context")]
        self.assertIn("threads", names)


class Contexts(unittest.TestCase):

    def test_settings(self):
        with modelopt.Context(threads=1, backend="reference") as context:
            info = context.info()
        self.assertEqual((info["threads"], info["backend"]),
                         (1, "reference"))

    def test_the_default_is_one(self):
        self.assertIs(modelopt.default_context(), modelopt.default_context())

    def test_version(self):
        self.assertEqual(modelopt.version(), c.VERSION)
        self.assertEqual(modelopt.__version__,
                         ".".join(map(str, c.VERSION)))

    def test_closed_objects_say_so(self):
        token = modelopt.Cancel()
        token.close()
        token.close()
        with self.assertRaisesRegex(modelopt.StateError, "closed"):
            token.request()

    def test_objects_outlive_their_context(self):
        context = modelopt.Context()
        token = modelopt.Cancel(context)
        del context
        gc.collect()
        token.request()
        self.assertTrue(token.requested)
        token.reset()
        self.assertFalse(token.requested)


class Finding(unittest.TestCase):
    """Which library a new interpreter loads."""

    def load(self, **environment):
        package = os.path.dirname(os.path.dirname(_library.__file__))
        out = subprocess.run(
            [sys.executable, "-c",
             "import modelopt; print(modelopt.library_path)"],
            env={**os.environ, "PYTHONPATH": package, **environment},
            capture_output=True, text=True)
        return out.returncode, out.stdout.strip(), out.stderr

    def test_named(self):
        code, path, _ = self.load(MODELOPT_LIBRARY=_library.PATH)
        self.assertEqual((code, path), (0, _library.PATH))

    def test_named_wrongly(self):
        code, _, text = self.load(MODELOPT_LIBRARY="/no/such/file.so")
        self.assertEqual(code, 1)
        self.assertIn("/no/such/file.so: no such file", text)
        self.assertIn("ImportError", text)

    def test_another_library(self):
        for name in ("libm.so.6", "libc.so.6"):
            code, _, text = self.load(MODELOPT_LIBRARY=name)
            self.assertEqual(code, 1)
            self.assertIn("has no function mopt_version", text)

    def test_beside_the_package(self):
        with tempfile.TemporaryDirectory() as folder:
            package = os.path.dirname(_library.__file__)
            shutil.copytree(package, os.path.join(folder, "modelopt"),
                            ignore=shutil.ignore_patterns("__pycache__"))
            path = os.path.join(folder, "modelopt", "libmodelopt.so.0")
            os.symlink(os.path.abspath(_library.PATH), path)
            environment = {**os.environ, "PYTHONPATH": folder}
            environment.pop("MODELOPT_LIBRARY")
            out = subprocess.run(
                [sys.executable, "-c",
                 "import modelopt; print(modelopt.library_path)"],
                env=environment, capture_output=True, text=True)
            self.assertEqual(out.stdout.strip(), path, out.stderr)

    def test_another_version(self):
        major, minor, patch = c.VERSION
        for wrong in ((major + 1, 0, 0), (major, minor + 1, 0)):
            with self.assertRaisesRegex(ImportError, "this package needs"):
                _library.verify(wrong, {})
        with self.assertRaisesRegex(ImportError, "MOPT_EINVAL"):
            _library.verify(c.VERSION, {-1: "MOPT_OTHER"})
        with self.assertRaisesRegex(ImportError, "older than this package"):
            _library.bind("mopt_of_the_future", None)


class Raw(unittest.TestCase):
    """The C interface is there, name for name."""

    def test_all_functions_have_types(self):
        names = [name for name in dir(_bindings) if name.startswith("mopt_")
                 and not isinstance(getattr(_bindings, name), type)]
        self.assertGreater(len(names), 100)
        for name in names:
            self.assertIsNotNone(getattr(_bindings, name).argtypes, name)

    def test_a_call(self):
        context = c.POINTER(c.mopt_context)()
        self.assertEqual(c.mopt_context_create(
            c.mopt_alloc_fn(), None, context), c.MOPT_OK)
        c.mopt_context_free(context)

    def test_a_handle_of_another_type_is_refused(self):
        import ctypes
        token = modelopt.Cancel()
        with self.assertRaises(ctypes.ArgumentError):
            c.mopt_context_free(token.pointer)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
