"""A real OpenAI-compatible server (`transformers serve`) serves the teacher's folder, and answers as the folder does."""

from __future__ import annotations

import base64
from pathlib import Path

import openai
import pytest

from demo.pictures import encoded
from demo.teacher.generation import Asked, answers, load
from demo.teacher.lessons import School, draw_lessons
from demo.teacher.serve import main, serving
from tests.demo.teacher.conftest import Trained


def test_the_server_answers_as_the_folder_does_with_pictures_and_without(
    trained: Trained, school: School
) -> None:
    lessons = list(draw_lessons(school, 0))
    asked = []
    for has_picture in (True, False):
        lesson = next(each for each in lessons if (each.picture >= 0) == has_picture)
        asked.append(Asked(lesson.prompt, school.picture(lesson.picture) if has_picture else None))
    local = answers(load(trained.folder), asked, max_new_tokens=8)
    with serving(trained.folder) as address, openai.OpenAI(base_url=address, api_key="none") as client:
        for one, ours in zip(asked, local, strict=True):
            reply = client.chat.completions.create(
                model=str(trained.folder),
                messages=_messages(one),
                max_tokens=8,  # type: ignore[arg-type]
            )
            assert reply.choices[0].message.content == ours.text
            assert reply.choices[0].finish_reason == ("length" if ours.is_truncated else "stop")
            assert reply.usage is not None
            assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
                ours.tokens_in,
                ours.tokens_out,
            )


def _messages(asked: Asked) -> list[dict[str, object]]:
    """The chat as the API takes it: the picture is a data URL."""
    user: list[dict[str, object]] = [{"type": "text", "text": asked.prompt.user}]
    if asked.picture is not None:
        data = base64.b64encode(encoded(asked.picture, "picture.png")).decode()
        user.insert(0, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})
    return [{"role": "system", "content": asked.prompt.system}, {"role": "user", "content": user}]


def test_a_folder_without_a_model_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no config\.json"), serving(tmp_path):
        pass


def test_the_command_says_what_is_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model", str(tmp_path)])
    assert "has no config.json" in capsys.readouterr().err
