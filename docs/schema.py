# SPDX-License-Identifier: MIT
"""docs/schema.py: writes docs/recipe.schema.json, the JSON Schema of recipes,
as the library makes it.

usage: PYTHONPATH=src/python python3 docs/schema.py [--check]

--check compares instead, and has every recipe of docs/examples read by the
library and, where the module jsonschema is at hand (MODELOPT_ORACLE_PYTHON may
name an interpreter that has it), validated against the schema.
"""

import glob
import json
import os
import subprocess
import sys

import modelopt

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "recipe.schema.json")

VALIDATE = """
import json, sys
try:
    from jsonschema import Draft202012Validator as Validator
except ImportError:
    print("jsonschema is missing: examples are not validated")
    sys.exit(0)
schema = json.load(open(sys.argv[1], encoding="utf-8"))
Validator.check_schema(schema)
wrong = 0
for path in sys.argv[2:]:
    recipe = json.load(open(path, encoding="utf-8"))
    for error in Validator(schema).iter_errors(recipe):
        print(f"{path}: {error.json_path}: {error.message[:200]}")
        wrong = 1
    recipe["train"] = {"epoch": 1}
    if not list(Validator(schema).iter_errors(recipe)):
        print(f"{path}: a slip in it is not found")
        wrong = 1
sys.exit(wrong)
"""


def made():
    return json.dumps(modelopt.recipe_schema(), indent=1,
                      ensure_ascii=False) + "\n"


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def check():
    wrong = 0
    if read(PATH) != made():
        print("docs/recipe.schema.json is not what the library makes: run "
              "docs/schema.py")
        wrong = 1
    recipes = sorted(glob.glob(os.path.join(HERE, "examples", "*.json")))
    for path in recipes:
        try:
            modelopt.Recipe.load(path)
        except modelopt.Error as error:
            print(f"{path}: {error}")
            wrong = 1
    python = os.environ.get("MODELOPT_ORACLE_PYTHON") or sys.executable
    validated = subprocess.run([python, "-c", VALIDATE, PATH] + recipes,
                               check=False)
    return wrong or validated.returncode


def main(arguments):
    if arguments == ["--check"]:
        return check()
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(made())
    print("wrote", PATH)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
