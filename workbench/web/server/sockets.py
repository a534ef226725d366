"""Open websockets by session: they end with it, whoever ended it and in whichever process."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger(__name__)
SIGNED_OUT = 1008
LOOK_SECONDS = 2.0
"""Between two looks at which sessions have ended: by a lead's hand, the command line, or time."""

Ended = Callable[[Collection[int]], set[int]]
"""Which of these sessions have ended."""


class OpenSockets:
    """Used on the event loop only."""

    def __init__(self, ended: Ended, seconds: float = LOOK_SECONDS) -> None:
        self._ended, self._seconds = ended, seconds
        self._ends: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None

    def end(self, session_id: int) -> None:
        for ended in self._ends.get(session_id, ()):
            ended.set()

    async def run(self, app: ASGIApp, session_id: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket until it closes or its session ends."""
        ended = asyncio.Event()
        self._ends[session_id].add(ended)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
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
            self._forget(session_id, ended)

    async def _look(self) -> None:
        """For as long as a websocket is open."""
        while self._ends:
            await asyncio.sleep(self._seconds)
            try:
                ended = await run_in_threadpool(self._ended, list(self._ends))
            except Exception:  # a database that is busy now: the next look asks again
                LOG.exception("Which sessions have ended could not be read")
                continue
            for session_id in ended:
                self.end(session_id)

    def _forget(self, session_id: int, ended: asyncio.Event) -> None:
        self._ends[session_id].discard(ended)
        if not self._ends[session_id]:
            del self._ends[session_id]
