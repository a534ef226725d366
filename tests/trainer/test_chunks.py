from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as some

from trainer.chunks import in_chunks


@given(values=some.lists(some.integers(), max_size=30), size=some.integers(1, 12))
def test_the_chunks_together_are_the_values(values: list[int], size: int) -> None:
    chunks = list(in_chunks(iter(values), size))
    assert [value for chunk in chunks for value in chunk] == values
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(chunks)


def test_no_value_is_read_before_its_chunk_is_asked_for() -> None:
    read: list[int] = []

    def values() -> Iterator[int]:
        for value in range(5):
            read.append(value)
            yield value

    assert next(in_chunks(values(), 2)) == [0, 1]
    assert read == [0, 1]
