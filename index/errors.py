"""Every error that Limner raises on purpose.

    LimnerError                 message names the thing, hint names the fix
      SourceMissing             a folder of pictures that is not there or holds none
      PictureUnreadable         one file that cannot become a picture (a build skips and counts it)
      LibraryMissing            no library at this path
      LibraryDamaged            a library whose parts do not match its manifest
      LibraryLocked             another build is writing
      EncoderMismatch           built with other weights than asked for
      EncoderUnknown            no encoder of this name is at hand
      IndexTypeUnknown          no type of index has this name
      ListsInvalid              lists of an index that are none, do not fit the library, or cannot be learnt
      MemoryShort               an index that does not fit into the memory of this machine
      FilterInvalid             a condition on the catalogue that is none
      DeviceMissing             asked for an accelerator that this machine does not have
      WriteFailed               the disk refused (full, read-only)
      EngineMissing             asked for a way to build that is not installed, or for a cluster that does not answer
      EngineFailed              the cluster gave a build up

`composer` adds its own below the same root.
"""

from __future__ import annotations


class LimnerError(Exception):
    """The root of all our errors: `message` names the thing that is wrong, `hint` the fix."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class SourceMissing(LimnerError):
    """A folder of pictures that is not there, is not a folder, or holds no picture."""


class PictureUnreadable(LimnerError):
    """A file that cannot become a picture within the stated limits."""


class LibraryMissing(LimnerError):
    """No library at this path."""


class LibraryDamaged(LimnerError):
    """A part of the library is missing or does not match the manifest."""


class LibraryLocked(LimnerError):
    """Another process is writing to this library."""


class EncoderMismatch(LimnerError):
    """The library was built with other weights than those asked for."""


class EncoderUnknown(LimnerError):
    """No encoder of this name, or its weights are not at hand."""


class IndexTypeUnknown(LimnerError):
    """No type of index has this name."""


class ListsInvalid(LimnerError):
    """Lists that cannot be learnt from this library, or a file of them that does not fit another one."""


class MemoryShort(LimnerError):
    """An index that does not fit into the memory of this machine."""


class FilterInvalid(LimnerError):
    """A condition that cannot be read, names no column, or asks for more than the catalogue's columns."""


class DeviceMissing(LimnerError):
    """The device asked for is not on this machine."""


class WriteFailed(LimnerError):
    """The disk refused a write; what stood before still stands."""


class EngineMissing(LimnerError):
    """A way to build that is not installed here, or a cluster that cannot be reached."""


class EngineFailed(LimnerError):
    """A cluster gave up; what it had finished is kept."""
