"""Open websockets by sign-in: those of a person end with their sign-out."""

import asyncio
from collections import defaultdict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SIGNED_OUT = 1008


class OpenSockets:
    """Used on the event loop only."""

    def __init__(self) -> None:
        self._ends: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def end(self, token: str) -> None:
        for ended in self._ends.get(token, ()):
            ended.set()

    async def run(self, app: ASGIApp, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket until it closes or `end(token)` is called."""
        ended = asyncio.Event()
        self._ends[token].add(ended)
        has_ended = asyncio.ensure_future(ended.wait())

        async def receive_until_ended() -> Message:
            message = asyncio.ensure_future(receive())
            await asyncio.wait({message, has_ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.is_set():
                return await message
            message.cancel()
            await send({"type": "websocket.close", "code": SIGNED_OUT, "reason": "signed out"})
            return {"type": "websocket.disconnect", "code": SIGNED_OUT}

        async def send_until_ended(message: Message) -> None:
            if not ended.is_set():
                await send(message)

        try:
            await app(scope, receive_until_ended, send_until_ended)
        finally:
            has_ended.cancel()
            self._forget(token, ended)

    def _forget(self, token: str, ended: asyncio.Event) -> None:
        self._ends[token].discard(ended)
        if not self._ends[token]:
            del self._ends[token]
