"""Posts of one kind that people have labelled differently, and a ruling on them."""

from workbench.review.rulings import Draft

WORDS = "加微信"


def draft(case_post: int, label: str = "violation", **values: object) -> Draft:
    given = {"title": "half an address", "kind": "Part of a contact address is an advert.", "words": WORDS}
    return Draft(label=label, case_post=case_post, **(given | values))  # type: ignore[arg-type]
