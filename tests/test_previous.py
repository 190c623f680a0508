"""The program before the newest migration works with the present schema: so processes are replaced one by one."""

import pytest

from tests.previous import WRITES_AND_READS, NoHistory, before_the_newest_migration, run


@pytest.mark.timeout(400)  # a second test program, with a Postgres of its own
def test_the_previous_programs_tests_of_writing_and_reading_pass_over_the_present_schema():
    try:
        done = run(before_the_newest_migration(), WRITES_AND_READS)
    except NoHistory as error:
        pytest.skip(f"no history to take it from: {error}")
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout
