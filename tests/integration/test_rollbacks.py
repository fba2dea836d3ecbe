"""Nothing of what was rolled back is ever published, and everything that was committed is."""

import pytest

from tests.oracle import rollbacks


@pytest.mark.django_db(transaction=True)
def test_random_transactions_are_published_exactly_as_they_were_committed():
    done = rollbacks.check(sequences=40)
    assert done["rollbacks"] > 40
    assert done["events"] > 100
