"""Both ways to the UUID of a name agree with the standard library."""

from uuid import NAMESPACE_DNS, uuid5

from hypothesis import given
from hypothesis import strategies as st

from dhafnck_db.legacy.uuids import expected_uuid, name_uuid

NAMES = st.text(st.characters(exclude_categories=["Cs"])) | st.integers().map(str)


@given(NAMES)
def test_both_make_the_uuid_that_the_standard_library_makes(name: str) -> None:
    assert name_uuid(name) == expected_uuid(name) == str(uuid5(NAMESPACE_DNS, name))
