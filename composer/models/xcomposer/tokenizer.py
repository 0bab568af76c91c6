"""The tokenizer of InternLM2 from its SentencePiece file, without the slow class that comes with the weights.

The file says all that is needed: byte-pair pieces with their scores, no normalisation, no space put in front.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkpoint import Checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FILE = "tokenizer.model"
_NORMAL, _USER_DEFINED, _BYTE_PAIR = 1, 4, 2  # as sentencepiece_model.proto numbers them


def load_tokenizer(checkpoint: Checkpoint, special: tuple[str, ...]) -> PreTrainedTokenizerFast:
    """The tokenizer of a checkpoint; it puts no token in front of a text by itself.

    Args:
        checkpoint: the files.
        special: pieces that no text may hold and no reply shows, beside those for the beginning and the end.

    Raises:
        ModelIncomplete: its file is missing, damaged or another model's.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast
    from transformers.tokenization_utils_base import generate_merges

    model = _read(checkpoint)
    pieces = list(model.pieces)
    vocabulary = {piece.piece: number for number, piece in enumerate(pieces)}
    missing = [name for name in ("<s>", "</s>", *special) if name not in vocabulary]
    if missing or model.trainer_spec.model_type != _BYTE_PAIR:
        why = f"it has no piece {missing[0]}" if missing else "its pieces are not byte pairs"
        raise checkpoint.incomplete(f"{FILE} is that of another model: {why}")
    scores = {piece.piece: piece.score for piece in pieces if piece.type == _NORMAL}
    made = Tokenizer(
        BPE(
            vocab=vocabulary,
            merges=generate_merges(scores, scores),
            unk_token=model.trainer_spec.unk_piece,
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    made.normalizer = normalizers.Replace(" ", "▁")  # pyright: ignore[reportAttributeAccessIssue]
    made.decoder = decoders.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    # Special ones are left to the class below: what is added here first would stay an ordinary piece.
    own = [piece.piece for piece in pieces if piece.type == _USER_DEFINED and piece.piece not in special]
    made.add_tokens([AddedToken(piece, normalized=False) for piece in own])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=model.trainer_spec.unk_piece,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        padding_side="left",
        extra_special_tokens=list(special),
    )


def _read(checkpoint: Checkpoint) -> Any:
    from google.protobuf.message import DecodeError
    from transformers.convert_slow_tokenizer import import_protobuf

    path: Path = checkpoint.folder / FILE
    schema: Any = import_protobuf()
    model = schema.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as exc:
        raise checkpoint.incomplete(f"{FILE} is missing") from exc
    except DecodeError as exc:
        raise checkpoint.incomplete(f"{FILE} is damaged") from exc
    return model
