"""Messages to what XComposer 2 reads: the chat frame of its demos, and pictures as its eyes take them."""

from __future__ import annotations

from typing import Any

from transformers import BatchFeature, ProcessorMixin
from transformers.image_utils import PILImageResampling
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .tiles import split_sizes, tokens_of

TURN = "[UNUSED_TOKEN_146]"
END_OF_TURN = "[UNUSED_TOKEN_145]"
IMAGE = "[UNUSED_TOKEN_0]"  # the official code has no token for pictures: it cuts the text there
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    + TURN
    + "{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    + "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    + IMAGE
    + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    + END_OF_TURN
    + "\n{% endfor %}{% if add_generation_prompt %}"
    + TURN
    + "assistant\n{% endif %}"
)


def image_processor(side_px: int) -> CLIPImageProcessorPil:
    """The whole picture in a square, out of proportion as the official code has it, by Pillow's own bicubic filter."""
    return CLIPImageProcessorPil(
        size={"height": side_px, "width": side_px},  # pyright: ignore[reportCallIssue]
        do_center_crop=False,  # pyright: ignore[reportCallIssue]
        resample=PILImageResampling.BICUBIC,  # pyright: ignore[reportCallIssue]
    )


class XComposer2Processor(ProcessorMixin):
    """What LocalModel asks of a processor."""

    def __init__(
        self, image_processor: Any, tokenizer: Any, side_tokens: int, chat_template: str = CHAT_TEMPLATE, **_: Any
    ) -> None:
        """Args: side_tokens: how many tokens of a picture stand beside each other; IMAGE is one of the tokenizer's."""
        self.side_tokens = side_tokens
        self.image_token = IMAGE
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: BatchFeature | dict[str, Any], image_idx: int, **_: Any) -> str:
        """As many places in the prompt as the picture has tokens."""
        sizes = image_inputs.get("image_sizes")
        if sizes is None:
            return self.image_token * self.side_tokens**2
        [(rows, columns)] = split_sizes(sizes[image_idx : image_idx + 1], image_inputs["pixel_values"].shape[-1])
        return self.image_token * tokens_of(rows, columns, self.side_tokens)
