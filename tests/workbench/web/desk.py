"""The Label page, run by AppTest, and the messages that its component would send."""

import json
from typing import Any

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest


def screen() -> None:
    from workbench.web.views.label import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


def open_screen() -> AppTest:
    app = AppTest.from_function(screen, default_timeout=10).run()
    assert not app.exception
    return app


def on_desk(app: AppTest) -> dict[str, Any]:
    (desk,) = app.get("bidi_component")
    data: dict[str, Any] = json.loads(desk.proto.json)
    return data


def press(app: AppTest, action: str, *, place: int = 0, **changes: Any) -> None:
    """As the desk's script sends a press; `place` is that of the answer that it is about."""
    data = on_desk(app)
    answered = data["answers"][place]["post"] if data["answers"] else None
    value = {
        "post": (data["current"] or {}).get("post"),
        "turn": data["turn"],
        "action": action,
        "note": "",
        "answer": place,
        "of": answered,
    }
    states = app._tree.get_widget_states()
    (desk,) = app.get("bidi_component")
    states.widgets.add(
        id=_make_trigger_id(desk.proto.id, "events"),
        json_trigger_value=json.dumps([{"event": "pressed", "value": value | changes}]),
    )
    app._run(states)
    assert not app.exception
