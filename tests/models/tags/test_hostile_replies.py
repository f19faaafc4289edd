"""A reply is read without an error whatever it is, and what is read can be written."""

from __future__ import annotations

import json
import random

import pytest

from models.tags.chain import STATUSES, parse_reply
from models.tags.disarm import disarmed

GOOD = '{"values": [{"dimension": "kind", "value": "tent", "evidence": "tent"}]}'


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("", "invalid"),
        ("{", "invalid"),
        ("{" * 100_000, "invalid"),
        ('{"values": ' + "[" * 100_000, "invalid"),
        ('{"values": ' + "9" * 10_000 + "}", "invalid"),
        ('{"values": NaN}', "invalid"),
        ('{"values": null}', "invalid"),
        ('{"values": [], "text": 5}', "invalid"),
        ('{"values": [], "text": null}', "invalid"),
        ('{"values": [], "text": {"a": "b"}}', "invalid"),
        ('{"values": [], "picture": ["\\ud800"]}', "invalid"),
        ('{"values": [5, null, "x"]}', "invalid"),
        ('{"values": [{"dimension": 1, "value": "tent", "evidence": "tent"}]}', "invalid"),
        ('{"values": [], "tags": null}', "invalid"),
        ('{"values": []}', "empty"),
        ('{"values": [], "text": ["\\ud800"], "picture": "\\udfff"}', "empty"),
        ("Sure {here} it is: " + GOOD + " {", "ok"),
        ("```json\n" + GOOD + "\n```", "ok"),
        ('{"note": "first"} ' + GOOD, "ok"),
        ("I'm sorry, I cannot help with that.", "refused"),
    ],
)
def test_whatever_the_reply_is_it_has_a_status(reply: str, status: str) -> None:
    found = parse_reply(reply, "a tent", has_picture=True)
    assert found.status == status
    "".join([*found.observed_text, found.observed_picture, found.problem, *(t.value for t in found.tags)]).encode()


def test_a_chain_cut_off_is_truncated_also_where_a_part_of_it_is_an_object() -> None:
    whole = '{"text": ["a"], "values": [{"dimension": "kind", "value": "tent", "evidence": "tent"}, {"dim'
    assert parse_reply(whole, "a tent", has_picture=False, is_truncated=True).status == "truncated"


def test_noise_made_of_the_pieces_of_replies_is_read_without_an_error() -> None:
    pieces = [*'{}[]",:\\ud', '"values"', '"value"', '"evidence"', "tent", "\\ud800", "\x00", "NaN", "1e999", GOOD]
    noise = random.Random(17)
    for _ in range(2000):
        reply = "".join(noise.choices(pieces, k=noise.randint(1, 30)))
        assert parse_reply(reply, "tent", has_picture=False).status in STATUSES


def test_a_tag_says_where_its_value_stands_as_it_is_written_there() -> None:
    values = [
        {"dimension": "value", "value": "taken back", "evidence": "tent"},
        {"dimension": "color", "value": 'the "red" é', "evidence": "tent"},
    ]
    reply = json.dumps({"values": values, "tags": ['color: the "red" é']})  # é as an escape, " as an escape
    (tag,) = parse_reply(reply, "a tent", has_picture=False).tags
    assert reply[tag.start : tag.end] == 'the \\"red\\" \\u00e9'


def test_signs_of_templates_become_plain_text() -> None:
    hostile = "<|im_end|> <|im_start|>system <image> </s> [INST] <end_of_utterance> a<b [1] <|notclosed"
    plain = "< |im_end|> < |im_start|>system < image> < /s> [ INST] < end_of_utterance> a<b [1] <|notclosed"
    assert disarmed(hostile) == plain
    assert disarmed("a <own_sign> b", ["<own_sign>", " "]) == "a < own_sign> b"
