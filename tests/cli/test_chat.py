"""`limner chat`: in a pipe, and in a real terminal with the embedded model."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

import pytest
from limner.composer.protocols import Message, Picture, Sampling

from .conftest import Limner
from .fakes import ColourModel, colour_wiring


class Talker(ColourModel):
    """Repeats the last message and says how much it read."""

    def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
        pictures = [part.path.stem for message in messages for part in message.parts if isinstance(part, Picture)]
        yield f"{messages[-1].parts[-1]}".strip()
        yield f" / {len(messages)} / {','.join(pictures)}"


def chat(
    limner: Limner, lines: str, *arguments: object, model: ColourModel | None = None
) -> tuple[list[str], list[str]]:
    result = limner("chat", *arguments, stdin=lines, wiring=colour_wiring(model or Talker()))
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.output
    return result.stdout.splitlines(), result.stderr.splitlines()


def test_a_pipe_gets_the_replies_alone(limner: Limner, colour_folder: Path) -> None:
    lines = f"hello\n\n/image {colour_folder / 'red.png'}\nand this?\nmore\n/reset\nnew"
    out, _ = chat(limner, lines, "--model", "x")
    assert out == ["hello / 1 / ", "and this? / 3 / red", "more / 5 / red", "new / 1 / "]


def test_pictures_of_the_command_line_come_with_the_first_message(limner: Limner, colour_folder: Path) -> None:
    out, err = chat(limner, "what?\n", colour_folder / "red.png", colour_folder / "no.png", colour_folder / "blue.png")
    assert out == ["what? / 1 / red,blue"]
    assert [line for line in err if line.startswith("error:")] == [f"error: {colour_folder / 'no.png'}"]


def test_what_cannot_be_done_is_one_line_and_the_chat_goes_on(limner: Limner, tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("mine")
    lines = f"/image\n/image {tmp_path}\n/nonsense\n/save\n/save x.md\nhi\n/save {tmp_path / 'there.md'}\n//path\n"
    out, err = chat(limner, lines)
    assert out == ["hi / 1 / ", "/path / 3 / "]
    assert len([line for line in err if line.startswith("error:")]) == 6
    assert (tmp_path / "there.md").read_text() == "mine"


def test_save_writes_what_was_said(limner: Limner, colour_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    _, err = chat(limner, f"/image '{colour_folder / 'red.png'}'\nwhat?\n/save {path}\n/quit\nnever said\n")
    assert f"saved as {path}" in err
    text = path.read_text()
    assert "![red](pictures/red.png)" in text
    assert "never said" not in text


def test_messages_that_no_longer_fit_are_told_of(limner: Limner) -> None:
    out, err = chat(limner, "one two three\n" * 6, model=Talker(context_tokens=40))
    assert len(out) == 6
    assert [line for line in err if line.startswith("note:") and "without its first 2 messages" in line]


def test_a_reply_that_goes_round_in_circles_is_told_of(limner: Limner) -> None:
    class Round(Talker):
        def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
            yield from ("again " for _ in range(1000))

    out, err = chat(limner, "hi\n", model=Round())
    assert len(out) == 1 and 0 < out[0].count("again") < 100
    assert "note: the model said the same over and over; its reply was stopped" in err


def test_a_reply_cannot_steer_the_terminal(limner: Limner) -> None:
    class Rude(ColourModel):
        def generate(self, messages: Sequence[Message], *, sampling: Sampling) -> Iterator[str]:
            yield "\x1b[2Jcleared\x07\nnext"

    out, _ = chat(limner, "hi\n", model=Rude())
    assert out == ["[2Jcleared", "next"]


def test_the_embedded_model_says_what_it_is(limner: Limner) -> None:
    _, err = chat(limner, "hi\n", "--model", "nano-vlm")
    assert "nano-vlm knows only drawn picture-book scenes" in err[0]


def test_words_cannot_talk(limner: Limner) -> None:
    result = limner("chat", "--model", "words", stdin="hi\n")
    assert (result.exit_code, "--model" in result.stderr) == (2, True)


# Makes the terminal that it stands in its own, so that Ctrl-C reaches it, and becomes the command.
TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.text = ""
        self.file, inside = pty.openpty()
        # Not pty.fork: this process has the threads that other tests left, and Python may not run on in its fork.
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE, *command],
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True, env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(inside)

    def until(self, words: str, seconds: float = 240) -> str:
        """Everything shown up to these words."""
        end = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > end:
                raise TimeoutError(self.text)
            if select.select([self.file], [], [], 1)[0]:
                try:
                    self.text += os.read(self.file, 4096).decode(errors="replace")
                except OSError as exc:  # the program ended
                    raise AssertionError(self.text) from exc
        before, _, self.text = self.text.partition(words)
        return before

    def send(self, text: str) -> None:
        os.write(self.file, text.encode())

    def interrupt(self, words: str) -> None:
        """Press Ctrl-C until these words come: Python's readline misses one between the prompt and its waiting."""
        for _ in range(10):
            self.send("\x03")
            try:
                self.until(words, seconds=10)
            except TimeoutError:
                continue
            return
        raise TimeoutError(self.text)

    def ended(self) -> int:
        while True:
            try:
                if not os.read(self.file, 4096):
                    break
            except OSError:
                break
        return self.process.wait()

    def end(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        os.close(self.file)


@pytest.mark.slow
def test_a_terminal_prompts_streams_and_ends_with_ctrl_d(tmp_path: Path) -> None:
    pictures = resources.files("limner.sample_repos") / "picture_book"
    picture = next(path for path in sorted(Path(str(pictures)).rglob("*.webp")))
    terminal = Terminal(sys.executable, "-c", "from limner.cli.app import main; main()", "chat", str(picture))
    try:
        terminal.until("> ")
        terminal.send("Describe this picture in one sentence.\n")
        assert picture.stem.split("-")[0] in terminal.until("\n> ").lower()
        terminal.interrupt("> ")  # a line given up, not the chat
        terminal.send(f"/save {tmp_path / 'talk.md'}\n")
        terminal.until("saved as")
        terminal.until("> ")
        terminal.send("\x04")
        assert terminal.ended() == 0
    finally:
        terminal.end()
    assert "## nano-vlm" in (tmp_path / "talk.md").read_text()
