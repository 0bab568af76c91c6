"""Messages to what XComposer 1.0 reads: the frame of its demos, and a picture's places in it.

A prompt is cut into tokens whole, but for its pictures, as in the official training and composing; the official chat
cuts what the user says by itself, so that a point before the frame's new line is one token there and half of one here.
"""

from __future__ import annotations

from typing import Any

from transformers import BatchFeature, ProcessorMixin

END_OF_HUMAN = "<TOKENS_UNUSED_0>"
END_OF_ANSWER = "<TOKENS_UNUSED_1>"
IMAGE = "<TOKENS_UNUSED_140>"  # the official code has no token for pictures: it cuts the text there
USER, BOT = " <|User|>:", " <|Bot|>:"
# The names of the speakers are ordinary text: words from outside must not read as if another one spoke.
_HARMLESS = "| replace('<|User|>', '<\u200b|User|>') | replace('<|Bot|>', '<\u200b|Bot|>')"
_CONTENT = (
    "{% if message['content'] is string %}{{ message['content'] " + _HARMLESS + " }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    + IMAGE
    + "{% else %}{{ part['text'] "
    + _HARMLESS
    + " }}{% endif %}{% endfor %}{% endif %}"
)
_NEW_LINE = "{{ '\\n' }}"  # one right after a tag is taken for the template's own
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}meta instruction\n" + _CONTENT + _NEW_LINE + "conversation\n"
    "{% elif message['role'] == 'user' %}" + USER + _CONTENT + _NEW_LINE + END_OF_HUMAN
    + "{% else %}" + BOT + _CONTENT + END_OF_ANSWER
    + "{% endif %}{% endfor %}{% if add_generation_prompt %}" + BOT + "{% endif %}"
)  # fmt: skip


class XComposer1Processor(ProcessorMixin):
    """What LocalModel asks of a processor."""

    def __init__(
        self, image_processor: Any, tokenizer: Any, tokens_a_picture: int, chat_template: str = CHAT_TEMPLATE, **_: Any
    ) -> None:
        """Args: tokens_a_picture: as the configuration has it; IMAGE is one of the tokenizer's."""
        self.tokens_a_picture = tokens_a_picture
        self.image_token = IMAGE
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: BatchFeature | dict[str, Any], image_idx: int, **_: Any) -> str:
        """As many places in the prompt as a picture has."""
        return self.image_token * self.tokens_a_picture
