"""Every error that the composer raises on purpose, below the root that all of Limner shares.

LimnerError               message names the thing, hint names the fix (index/errors.py)
  BriefInvalid            an instruction or an option that cannot be followed
    FieldInvalid          one key of a brief, named
  DraftUnreadable         a draft that is missing, empty or not text
  ReplyInvalid            a model's reply that does not parse, or says what cannot be
  ModelUnknown            no model of this name is at hand
    ModelIncomplete       some of a model's files are missing or cut off
    ModelUnfit            a model that cannot do what it is asked for, or not as the options say
    ModelTooLarge         a model that does not fit into the memory that is free
  OutputInUse             a folder to write into that holds something already
  PullFailed              a download that was refused or cut
  ArticleInvalid          an article.json that is not one, or an article without its pictures
  RunMismatch             a run folder that belongs to another brief, draft or model
  ServerFailed            a served model's server that does not answer as it should
    ServerUnreachable     nobody answers at its address, or not in time
    ServerRefused         it wants another key, or not what it was asked for
      ContentRefused      its filter does not let the content through
    ContextExceeded       a prompt that is longer than the server takes
  BatchUnreadable         a list of briefs that is missing, damaged or empty
  BatchBusy               another process composes into the same folder
  MessageTooLong          a message of a conversation that does not fit into the model's context
"""

from __future__ import annotations

from ..index.errors import LimnerError


class BriefInvalid(LimnerError):
    """An instruction or an option that cannot be followed."""


class FieldInvalid(BriefInvalid):
    """A key of a brief that is unknown, or whose value cannot be."""

    def __init__(self, key: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.key = key


class DraftUnreadable(LimnerError):
    """A draft that is missing, empty or not text."""


class ReplyInvalid(LimnerError):
    """A model's reply that does not parse, or says what cannot be."""


class ModelUnknown(LimnerError):
    """No model of this name is at hand."""


class ModelIncomplete(ModelUnknown):
    """Some of a model's files are missing or cut off."""


class ModelUnfit(ModelUnknown):
    """A model that cannot do what it is asked for, or not as the options say."""


class ModelTooLarge(ModelUnknown):
    """A model that does not fit into the memory that is free."""


class OutputInUse(LimnerError):
    """A folder to write into that holds something already, or that another process writes."""


class PullFailed(LimnerError):
    """A download that was refused or cut; what came of it is kept."""


class ArticleInvalid(LimnerError):
    """An article.json that is not one, or an article whose pictures are not beside it."""


class RunMismatch(LimnerError):
    """A run folder that belongs to another brief, draft or model."""


class ServerFailed(LimnerError):
    """A served model's server did not answer as it should."""


class ServerUnreachable(ServerFailed):
    """Nobody answers at a server's address, not in time, or not to the end."""


class ServerRefused(ServerFailed):
    """A server wants another key, or does not take what it was asked for."""


class ContentRefused(ServerRefused):
    """A server's filter does not let through what it was sent; another content may pass."""


class ContextExceeded(ServerFailed):
    """A prompt that is longer than a server takes."""


class BatchUnreadable(LimnerError):
    """A list of briefs that is missing, damaged as a whole, or empty."""


class BatchBusy(LimnerError):
    """Another process composes into the same folder."""


class MessageTooLong(LimnerError):
    """A message of a conversation that alone does not fit into the model's context."""
