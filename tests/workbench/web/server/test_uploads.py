"""Files in Streamlit's memory are limited by file, session and person, and only they count that are there."""

from contextlib import ExitStack

from workbench.web.server.uploads import (
    MOST_PERSON_BYTES,
    MOST_SESSION_BYTES,
    MOST_UPLOAD_BYTES,
    UPLOADS,
    Uploads,
)


def path(session: str, file: str) -> str:
    return f"{UPLOADS}{session}/{file}"


class Memory(list[str]):
    """The addresses of the files that are kept."""


def put(uploads: Uploads, memory: Memory, session: str, file: str, *, person: int = 1) -> bool:
    with uploads.arriving(person, path(session, file), MOST_UPLOAD_BYTES) as is_admitted:
        if is_admitted:
            memory.append(path(session, file))
        return is_admitted


def test_a_session_and_a_person_keep_few_large_files() -> None:
    memory = Memory()
    uploads = Uploads(lambda: memory)
    of_session, of_person = MOST_SESSION_BYTES // MOST_UPLOAD_BYTES, MOST_PERSON_BYTES // MOST_UPLOAD_BYTES
    assert [put(uploads, memory, "one", str(at)) for at in range(of_session + 1)] == [True] * of_session + [
        False
    ]
    rest = [put(uploads, memory, f"session {at}", "x") for at in range(of_person)]
    assert rest == [True] * (of_person - of_session) + [False] * of_session
    assert put(uploads, memory, "another", "x", person=2)


def test_a_removed_file_makes_room_and_one_sent_again_counts_once() -> None:
    memory = Memory()
    uploads = Uploads(lambda: memory)
    for _ in range(MOST_SESSION_BYTES // MOST_UPLOAD_BYTES + 3):
        assert put(uploads, memory, "one", "same")
    assert put(uploads, memory, "one", "other")
    assert not put(uploads, memory, "one", "third")
    memory.remove(path("one", "other"))
    assert put(uploads, memory, "one", "third")


def test_files_that_are_still_arriving_count() -> None:
    uploads = Uploads(list)
    with ExitStack() as under_way:
        admitted = [
            under_way.enter_context(uploads.arriving(1, path(str(at), "x"), MOST_UPLOAD_BYTES))
            for at in range(5)
        ]
        assert sum(admitted) == MOST_PERSON_BYTES // MOST_UPLOAD_BYTES
    with uploads.arriving(1, path("0", "x"), MOST_UPLOAD_BYTES) as is_admitted:
        assert is_admitted


def test_the_same_file_does_not_arrive_twice_at_once() -> None:
    uploads = Uploads(list)
    with (
        uploads.arriving(1, path("one", "x"), 1) as first,
        uploads.arriving(1, path("one", "x"), 1) as second,
    ):
        assert (first, second) == (True, False)
