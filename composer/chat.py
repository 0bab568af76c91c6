"""Talking about pictures: the turns of a conversation, and what of them a model still has room for. Prints nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from ..index.atomic import write_whole
from ..index.decode import ANY_SIZE, decode
from ..index.errors import PictureUnreadable
from .errors import MessageTooLong
from .markdown import escape_markdown, parse_reply_article
from .protocols import Message, Model, Picture, Sampling

MAX_NEW_TOKENS = 1024
GONE = "[a picture that is no longer there]"
_REPLY_SHARE = 4  # at least a fourth of a small context is kept for the reply
_LOOKED_AT_EVERY = 32  # pieces of a reply
_CIRCLE = re.compile(r"(.{1,40}?)\1{19}$", re.DOTALL)  # the same again, twenty times
_CIRCLE_CHARACTERS = 800


@dataclass(slots=True)
class Conversation:
    """Turns by turns of the user and the model, and the pictures that the next message brings along."""

    model: Model
    seed: int = 0
    turns: list[Message] = field(default_factory=list)  # user and assistant by turns
    pictures: list[Path] = field(default_factory=list)  # of the next message
    forgotten: int = 0  # messages at the beginning that the model no longer reads
    circled: bool = False  # the last reply was stopped because it said the same over and over

    def add_picture(self, path: Path) -> Path:
        """Bring a picture along with the next message; its absolute path.

        Raises:
            PictureUnreadable: it is not there, or no picture; the conversation stays as it is.
        """
        whole = path.expanduser().absolute()
        decode(whole, target_px=32, max_pixels=ANY_SIZE, max_bytes=ANY_SIZE)
        self.pictures.append(whole)
        return whole

    def say(self, text: str) -> Generator[str]:
        """Yield the reply piece by piece; it is a turn once it has begun, also where it is stopped.

        The oldest messages are left out, `forgotten` of them, where all would not fit into the model's context. A
        reply that says the same over and over is stopped, and `circled` is true until the next message.

        Raises:
            MessageTooLong: not even this message alone fits.
            PictureUnreadable: a picture that it was to bring along is gone; it no longer does.
        """
        if gone := [path for path in self.pictures if not path.is_file()]:
            self.pictures = [path for path in self.pictures if path not in gone]
            raise PictureUnreadable(str(gone[0]), "the file is not there any more; say the message again without it")
        # On a line of its own below the pictures, as in every prompt that asks about one.
        message = Message("user", (*map(Picture, self.pictures), f"\n{text}" if self.pictures else text))
        room = min(MAX_NEW_TOKENS, self.model.context_tokens // _REPLY_SHARE)
        messages = self._fitting([_without_gone(turn) for turn in (*self.turns, message)], room)
        pieces: list[str] = []
        broken = True
        self.circled = False
        reply = self.model.generate(messages, sampling=Sampling(room, seed=self.seed))
        try:
            for piece in reply:
                pieces.append(piece)
                yield piece
                if len(pieces) % _LOOKED_AT_EVERY == 0 and _goes_round(pieces):
                    self.circled = True
                    break
            broken = False
        except (GeneratorExit, KeyboardInterrupt):
            broken = not pieces
            raise
        finally:
            if isinstance(reply, Generator):
                reply.close()  # a local model goes on in its thread until it is told
            if not broken:
                self.turns += [message, Message("assistant", ("".join(pieces),))]
                self.pictures.clear()

    def reset(self) -> None:
        """Begin anew: no turns, no pictures."""
        self.turns.clear()
        self.pictures.clear()
        self.forgotten = 0

    def save(self, path: Path) -> None:
        """Write the conversation as Markdown; pictures are links to where they lie.

        Raises:
            WriteFailed: the disk refused.
        """
        write_whole(path, self.to_markdown(path.absolute().parent).encode("utf-8", "replace"))

    def to_markdown(self, folder: Path) -> str:
        """The conversation in a file of this folder: headings say who speaks, and no word of it is live."""
        parts: list[str] = []
        for turn in self.turns:
            parts.append(f"## {'You' if turn.role == 'user' else escape_markdown(self.model.name)}")
            for part in turn.parts:
                if isinstance(part, Picture):
                    parts.append(f"![{escape_markdown(part.path.stem)}]({_address(part.path, folder)})")
                elif part.strip():
                    parts.append(parse_reply_article(_lower_headings(part), title=None).markdown.strip())
        return "\n\n".join(parts) + "\n"

    def _fitting(self, messages: list[Message], room: int) -> list[Message]:
        """The messages from the earliest turn on with which all that follow fit."""
        limit = self.model.context_tokens - room
        first = self.forgotten
        while (count := self.model.count_tokens(messages[first:])) > limit:
            if first == len(messages) - 1:
                raise MessageTooLong(
                    f"this message has {count:,} tokens with its pictures; {self.model.name} reads {limit:,} at most",
                    "say it in fewer words, or with fewer pictures",
                )
            first += 2
        self.forgotten = first
        return messages[first:]


def _goes_round(pieces: list[str]) -> bool:
    """Whether a reply has come to say the same over and over; a line of dashes says nothing."""
    found = _CIRCLE.search("".join(pieces[-_CIRCLE_CHARACTERS:])[-_CIRCLE_CHARACTERS:])
    return found is not None and any(character.isalnum() for character in found[1])


def _without_gone(turn: Message) -> Message:
    """A turn with words for pictures whose files are no longer there: the conversation goes on without them."""
    return replace(
        turn,
        parts=tuple(GONE if isinstance(part, Picture) and not part.path.is_file() else part for part in turn.parts),
    )


def _lower_headings(text: str) -> str:
    """Headings in what somebody says stand below those that say who speaks."""
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in text.splitlines())


def _address(path: Path, folder: Path) -> str:
    """A picture's address relative to the folder, where the file system knows such a way; safe inside a link."""
    try:
        relative = Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return path.as_uri()
    return quote(relative.encode("utf-8", "surrogateescape"), safe="/.-_~")
