"""The board between Ray's workers and who waits: pickled news, an error, and whether to stop.

Nothing is unpickled here, and nothing imported: the process of such an actor stands in a second, without torch.
"""


class Board:
    """An actor on which workers leave their news, and who waits what it wants."""

    def __init__(self) -> None:
        self._news, self._is_stopped = list[bytes](), False
        self._error: bytes | None = None

    def tell(self, news: bytes) -> bool:
        """Leave news; whether the training is to stop."""
        self._news.append(news)
        return self._is_stopped

    def fail(self, error: bytes) -> None:
        """Leave an error that no other worker would mend."""
        self._error = self._error or error

    def has_failed(self) -> bool:
        """Whether somebody left an error."""
        return self._error is not None

    def stop(self) -> None:
        """Let workers stop after their step."""
        self._is_stopped = True

    def heard(self) -> tuple[list[bytes], bytes | None]:
        """What was left since the last time."""
        news, self._news = self._news, []
        return news, self._error
