"""Runs the integration tests that a Handle client ships, in that client's own environment; told by JSON on stdin.

Prints one JSON object: the outcome of each test by its name.
"""

import importlib
import json
import sys
import unittest
from pathlib import Path

READ_TESTS = "handleclient_read_integration_test"


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.by_name = {}

    def addSuccess(self, test):  # noqa: N802  # unittest's name
        self.by_name[test._testMethodName] = "passed"

    def addFailure(self, test, err):  # noqa: N802  # unittest's name
        self.by_name[test._testMethodName] = f"{err[0].__name__}: {err[1]}"[:400]

    addError = addFailure  # noqa: N815  # unittest's name


def main():
    order = json.load(sys.stdin)
    package = order["package"]
    resources = Path(importlib.import_module(package).__file__).parent / "tests" / "resources"
    (resources / "testvalues_for_integration_tests_IGNORE.json").write_text(json.dumps(order["values"]))
    sys.argv = ["tests"]  # The tests take the arguments of whoever imports them for their own.
    importlib.import_module(f"{package}.clientcredentials")  # Used by the tests, which forget to import it.
    suite = unittest.TestSuite()
    for name in order["modules"]:
        module = importlib.import_module(f"{package}.tests.testcases.{name}")
        case = next(value for value in vars(module).values() if is_case(value, module))
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
        if name == READ_TESTS:
            first = case(case.__dict__["test_retrieve_handle_record_json"].__name__)
            first.setUp()
            first.create_required_test_handles()
    outcomes = Outcomes()
    suite.run(outcomes)
    print(json.dumps(outcomes.by_name))


def is_case(value, module):
    return isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == module.__name__


if __name__ == "__main__":
    main()
