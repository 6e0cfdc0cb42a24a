"""Just enough protocol buffers to read the review that newer kubectls send.

Kubernetes puts the magic `k8s\\0` and a runtime.Unknown (its field 2 holds the message) around a
message. Field numbers are those of k8s.io/api/authorization/v1/generated.proto.
"""

from __future__ import annotations

from collections.abc import Iterator

MAGIC = b"k8s\x00"
_RAW, _SPEC, _RESOURCE_ATTRIBUTES, _VERB = 2, 2, 1, 2


def review_verb(body: bytes) -> str:
    """The verb that a SelfSubjectAccessReview asks about; empty for a path's.

    Raises:
        ValueError: not a message of that kind.
    """
    if not body.startswith(MAGIC):
        raise ValueError("no Kubernetes protocol buffer")
    message = body[len(MAGIC) :]
    for number in (_RAW, _SPEC, _RESOURCE_ATTRIBUTES, _VERB):
        message = dict(_fields(message)).get(number, b"")
    return message.decode()


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message: number and content."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag & 7 == 0:
            _, position = _varint(message, position)
        elif tag & 7 == 2:
            length, position = _varint(message, position)
            yield tag >> 3, message[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {tag & 7} is not expected")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message):
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise ValueError("the message is cut short")
