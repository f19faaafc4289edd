"""Output tokens per second of `extract_tags`' local path against a plain loop over `generate` on the same cores.

    python -m benchmarks.tag_throughput [--notes 96] [--cores 2]

The plain loop is what one would write: batches of 8 in the order given, padded to the longest, each until its longest
reply ends, all cores to torch. Ours runs as Spark runs it: a process a core, one thread each, rows that end replaced by
waiting ones. The model is a LLaVA with random weights, made on the spot; some of its tokens end a reply, so that replies
differ in length as chains do. Prompts are those of a generated world's notes with their pictures. The rounds alternate,
so that both meet the same machine; one that is busy with other things punishes the threads of the plain loop, which wait
for one another, so measure on a quiet one, or with one core. Replies are compared. The second run asks the same again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import report
from demo.__main__ import main as make_world
from jobs.config import Tags
from jobs.tags.answers import Answers, asked
from jobs.tags.asking import Question
from jobs.tags.encoding import load_reader
from jobs.tags.local_model import LocalModel, find_local_model
from jobs.tags.pictures import as_png, find_picture
from models.tags.chain import REPLY_SCHEMA
from models.tags.prompt import NoteText, prompt_for
from tests.jobs.tags.tiny_models import tiny_llava

BATCH, ROUNDS, MAX_NEW = 8, 3, 192
SIZES = {
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def questions_of_world(folder: Path, count: int) -> list[Question]:
    """Questions about the first notes of a generated world."""
    out = folder / "world"
    make_world(["--notes", str(max(2 * count, 50)), "--pictures", str(2 * count), "--days", "1", "--out", str(out)])
    return [question_of(row, str(out / "images")) for row in pq.read_table(out / "notes").to_pylist()[:count]]


def question_of(row: dict[str, Any], root: str) -> Question:
    """The question about a raw note, with its picture where it has one that opens."""
    found = find_picture(row["image_uris"] or [], (root,))
    png = as_png(found.content)[0] if found.content else None
    parts = (row["title"] or "", row["body"] or "", tuple(row["category"] or ()), tuple(row["hashtags"] or ()))
    return Question(prompt_for(NoteText(*parts), None, "chain", has_picture=png is not None), png, REPLY_SCHEMA)


def make_model(folder: Path, questions: list[Question]) -> LocalModel:
    """A LLaVA whose tokenizer knows the words of the prompts, and of whose tokens one in 50 ends a reply."""
    texts = [f"{q.prompt.system} {q.prompt.user}" for q in questions]
    stop = [2, *range(300, 2000, 50)]
    tiny_llava(folder / "llava", sizes=SIZES, texts=texts, num_words=2000, stop=stop)
    return find_local_model("llava", folder, MAX_NEW, Tags().teacher_top_k)


def plain_loop(model: LocalModel, questions: list[Question], cores: int) -> list[list[int]]:
    """The tokens of every reply."""
    import torch
    from transformers import AutoModelForImageTextToText

    torch.set_num_threads(cores)
    network = AutoModelForImageTextToText.from_pretrained(model.folder).eval()  # a fraction of a second
    reader = load_reader(model.folder, reads_pictures=True)
    reader.tokenizer.padding_side = "left"
    stop = set(network.generation_config.eos_token_id)
    found = []
    with torch.inference_mode():
        for start in range(0, len(questions), BATCH):
            chats = [reader.messages(question) for question in questions[start : start + BATCH]]
            batch = reader.processor.apply_chat_template(
                chats,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
            )
            out = network.generate(**batch, do_sample=False, max_new_tokens=MAX_NEW)
            for row in out[:, batch["input_ids"].shape[1] :].tolist():
                end = next((at for at, token in enumerate(row) if token in stop), len(row))
                found.append(row[:end])
    return found


def ask(model: LocalModel, questions: list[Question], answers: Path) -> tuple[list[int], list[str], int]:
    """Of every reply the number of tokens and the text, and how many were asked for."""
    found = asked(model, questions, Answers(answers, answers.with_suffix(".top_k")))
    replies = [answered.reply for answered in found]
    num_new = sum(answered.is_new for answered in found)
    return [reply.tokens_out for reply in replies], [reply.text for reply in replies], num_new


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser("tag_throughput", description=__doc__)
    parser.add_argument("--notes", type=int, default=96)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), args.notes, args.cores)


def measure(folder: Path, count: int, cores: int) -> None:
    """Make notes and model, run both ways in turn, and write the figures."""
    questions = questions_of_world(folder, count)
    model = make_model(folder, questions)
    shares = [questions[at::cores] for at in range(cores)]
    seconds: dict[str, list[float]] = {"plain": [], "ours": [], "again": []}

    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as workers:

        def ours(part: list[list[Question]], answers: Path) -> list[tuple[list[int], list[str], int]]:
            return list(workers.map(ask, [model] * cores, part, [answers] * cores))

        ours([share[:2] for share in shares], folder / "warm")  # load the model in every worker
        plain_loop(model, questions[:BATCH], cores)
        for number in range(ROUNDS):
            answers = folder / f"answers{number}"
            plain = _timed(seconds["plain"], lambda: plain_loop(model, questions, cores))
            first = _timed(seconds["ours"], lambda at=answers: ours(shares, at))
            second = _timed(seconds["again"], lambda at=answers: ours(shares, at))
    text_of = load_reader(model.folder, reads_pictures=True).text
    texts = {at: said[at // cores] for at, (_, said, _) in ((at, first[at % cores]) for at in range(count))}
    equal = sum(texts[at] == text_of(ids) for at, ids in enumerate(plain)) / count
    tokens = {"plain": sum(map(len, plain)), "ours": sum(sum(lengths) for lengths, _, _ in first)}
    rates = {way: [tokens[way] / s for s in seconds[way]] for way in tokens}
    speedup = statistics.median(o / p for o, p in zip(rates["ours"], rates["plain"], strict=True))
    again = statistics.median(a / o for a, o in zip(seconds["again"], seconds["ours"], strict=True))
    num_again = sum(num_new for _, _, num_new in second)
    lengths = sorted(map(len, plain))
    report.write(
        "tag_throughput",
        [
            {
                "way": way,
                "tokens/s": statistics.median(rates[key]),
                "seconds": statistics.median(seconds[key]),
                "tokens": tokens[key],
            }
            for way, key in (("plain loop over generate, batch 8", "plain"), ("extract_tags, local", "ours"))
        ],
        bars={
            f"1.5 times the plain loop's tokens per second ({speedup:.2f}, median of {ROUNDS} alternating rounds)": speedup
            >= 1.5,
            f"a second run makes no call ({num_again})": num_again == 0,
            f"and takes less than 5 % of the first's time ({again:.2%})": again < 0.05,
            f"the same replies, but for ties ({equal:.1%})": equal >= 0.95,
        },
        command=f"python -m benchmarks.tag_throughput --notes {count} --cores {cores}",
        packages=["torch", "transformers"],
        notes=count,
        reply_tokens={"median": lengths[count // 2], "longest": lengths[-1], "shortest": lengths[0]},
        parameters=_num_parameters(model.folder),
    )


def _timed(seconds: list[float], run: Any) -> Any:
    started = time.perf_counter()
    found = run()
    seconds.append(time.perf_counter() - started)
    return found


def _num_parameters(folder: Path) -> int:
    from transformers import AutoModelForImageTextToText

    return sum(p.numel() for p in AutoModelForImageTextToText.from_pretrained(folder).parameters())


if __name__ == "__main__":
    main(sys.argv[1:])
