"""A teacher of product photographs: the demo's architecture, taught with people's attributes as chains.

As the demo's teacher it learns to see first (attributes read from pictures alone, by layers that are thrown away, and
edges and colours of patches), then to speak, while its eyes stay as they are. Four by four patches become one vector: what
is where is told apart, so that outlines can be read from it. Pictures are mirrored, moved and scaled a little at every
look and words of titles left out at random, never recoloured: colour is what is asked for. Without pictures it is the
same network and course, and guesses.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken
from torch import Tensor, nn
from transformers import Idefics3ForConditionalGeneration, Idefics3Processor, PreTrainedTokenizerFast
from transformers.models.idefics3.modeling_idefics3 import Idefics3Connector

from benchmarks.fashion_products import DEFINITIONS, DIMENSIONS, Product, chain_of, note_of
from demo.teacher.network import PATCH, PIXELS, Size, make_network, make_processor
from demo.teacher.tokenizer import AROUND, IMAGE, RUNS, WHOLE, as_fast, byte_level
from demo.teacher.training import Batch, loss_of, optimizers_of, set_rates
from models.tags.chain import PICTURE
from models.tags.forms import NUM_FORMS, WEIGHT, form_loss
from models.tags.handbook import Page, page_for
from models.tags.initial import start_seeing
from models.tags.looks import looks
from models.tags.prompt import PAGE_HEAD, RULES, STEPS, prompt_for

NUM_PIECES = 1200
CHAT = ("System:", "\nUser:", "\nAssistant:")  # of the template
SIZE = Size(layers=6, vision_width=96, vision_inner=288, vision_layers=3)
SHUFFLE = 4  # so many by so many patches become one vector
# Of a title's words a lesson leaves out: who sees looks at the picture more where it cannot trust in words. Of these two
# shares the blind teacher was better with the lower one (type 51.4 % against 49.9 on the transfer quarter).
LEFT_OUT_SHARE = {True: 0.3, False: 0.15}  # by whether there are pictures


@dataclass(frozen=True)
class Course:
    """How a teacher is taught, in about six minutes on a core; what was tried was held against the student's quarter."""

    eye_steps: int = 1600
    steps: int = 600
    eye_batch: int = 32
    batch: int = 16
    eye_rate: float = 3e-3
    matrix_rate: float = 0.02
    rate: float = 3e-3
    warm_up: float = 0.05
    decay: float = 0.05
    size: Size = SIZE


@dataclass(frozen=True)
class School:
    """What is taught: products with the titles they are shown with, the pages, and whether pictures are shown."""

    products: Sequence[Product]
    titles: Sequence[str]
    pages: dict[str, Page]
    has_pictures: bool


def train_tokenizer(products: Sequence[Product], titles: Sequence[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE of the titles; the fixed sentences and the gold values are one token each."""
    tokenizer = byte_level(titles, NUM_PIECES)
    counts = Counter(word for title in titles for word in title.split())
    before, after = PAGE_HEAD.split("{category}")
    values = {value for product in products for value in (*product.gold.values(), product.category)}
    words = {*values, *DIMENSIONS, PICTURE, *(word for word in counts if counts[word] > 2)}
    fixed = [*CHAT, *RUNS, RULES, *STEPS.values(), before, after + "\n- ", "all notes", *DEFINITIONS.values()]
    tokenizer.add_tokens(
        [AddedToken(word, single_word=True, normalized=False) for word in sorted(words) if word.replace(" ", "").isalnum()]
        + [AddedToken(text, normalized=False) for text in dict.fromkeys(fixed)]
    )
    return as_fast(tokenizer)


def opened(product: Product) -> Image.Image:
    """A product's picture."""
    with Image.open(product.image) as picture:
        return picture.convert("RGB")


def join_patches(network: Idefics3ForConditionalGeneration, processor: Idefics3Processor, shuffle: int) -> None:
    """Give a network a connector that makes one vector of so many by so many patches."""
    network.config.scale_factor = shuffle
    network.model.connector = Idefics3Connector(network.config)
    start_seeing(network.model.connector)
    processor.image_seq_len = network.model.image_seq_len = (PIXELS // PATCH // shuffle) ** 2


class Teacher:
    """A network with its processor and the lessons that it gets."""

    def __init__(self, school: School, course: Course, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self.school, self.course, self.seed = school, course, seed
        self.processor = make_processor(tokenizer)
        self.network = make_network(tokenizer, course.size, seed)
        join_patches(self.network, self.processor, SHUFFLE)
        self.dice = torch.Generator().manual_seed(seed)
        self.rng = np.random.default_rng([seed, 5])
        products, size = school.products, course.size
        values = {d: sorted({p.gold[d] for p in products} - {""}) for d in DIMENSIONS}
        told = [[values[d].index(p.gold[d]) if p.gold[d] else -100 for d in DIMENSIONS] for p in products]
        self.true_ND = torch.tensor(told)
        layers = [nn.Linear(size.width, len(values[d])) for d in DIMENSIONS]
        self.readers = nn.ModuleList([*layers, nn.Linear(size.vision_width, NUM_FORMS)])
        self.eyes = nn.ModuleList([self.network.model.vision_model, self.network.model.connector])
        made = [self.processor.image_processor(opened(p), return_tensors="pt") for p in school.products]
        self.pixels_N = torch.stack([one["pixel_values"][0, 0] for one in made]).to(torch.bfloat16)

    def train(self, tell: Callable[[str], None]) -> None:
        """Teach it to see, where it is shown pictures, and to speak."""
        if self.school.has_pictures:
            self.open_eyes(tell)
        self.speak(tell)
        self.network.eval()

    def open_eyes(self, tell: Callable[[str], None]) -> None:
        """Train encoder and connector to tell the attributes from pictures alone."""
        seeing = [*self.eyes.parameters(), *self.readers.parameters()]
        optimizer, schedule = self._optimizer(seeing, self.course.eye_rate, self.course.eye_steps)
        for step in range(self.course.eye_steps):
            self._step(self.sight_loss(self.course.eye_batch), seeing, optimizer, schedule)
            if (step + 1) % 200 == 0:
                tell(f"teacher: sees, step {step + 1} of {self.course.eye_steps}")

    def sight_loss(self, count: int) -> Tensor:
        """What the eyes tell wrongly of some pictures: the attributes of products, edges and colours of patches."""
        notes = torch.from_numpy(self.rng.integers(0, len(self.school.products), count))
        seen_B = looks(self.pixels_N[notes].float(), self.dice)
        with torch.autocast("cpu", torch.bfloat16):
            patches_BPW = self.network.model.vision_model(pixel_values=seen_B).last_hidden_state
            mean_BD = self.network.model.connector(patches_BPW).mean(1).float()
        *readers, outline = self.readers
        losses = [
            nn.functional.cross_entropy(reader(mean_BD), self.true_ND[notes, at], label_smoothing=0.1)
            for at, reader in enumerate(readers)
        ]
        return torch.stack(losses).sum() + WEIGHT * form_loss(outline(patches_BPW.float()), seen_B, PATCH)

    def speak(self, tell: Callable[[str], None]) -> None:
        """Train the language model to write the chains; what the eyes have learnt stays as it is.

        Trained on with the rest, the eyes lost seven points of type in the time that it takes to learn to speak.
        """
        course = self.course
        self.eyes.requires_grad_(False)
        optimizers = optimizers_of(self.network, course.matrix_rate, course.rate, course.decay)
        self.network.train()
        started = time.monotonic()
        for step in range(course.steps):
            batch = self.batch(self.rng.integers(0, len(self.school.products), course.batch).tolist())
            set_rates(optimizers, step / course.steps, course.warm_up)
            with torch.autocast("cpu", torch.bfloat16):
                loss = loss_of(self.network, batch)
            self.network.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
            if (step + 1) % 100 == 0:
                passed = time.monotonic() - started
                tell(f"teacher: speaks, step {step + 1} of {course.steps}, loss {loss.item():.3f}, {passed:.0f} s")

    def batch(self, notes: Sequence[int]) -> Batch:
        """Lessons on some products as tensors."""
        rows = [self._tokens(note) for note in notes]
        longest = max(len(ids) for ids, _ in rows)
        ids_BL = torch.full((len(rows), longest), self.processor.tokenizer.pad_token_id)
        mask_BL, is_reply_BL = torch.zeros_like(ids_BL), torch.zeros(len(rows), longest, dtype=torch.bool)
        for row, (ids, num_prompt) in enumerate(rows):
            ids_BL[row, : len(ids)], mask_BL[row, : len(ids)] = torch.tensor(ids), 1
            is_reply_BL[row, num_prompt : len(ids)] = True
        shown = looks(self.pixels_N[notes].float(), self.dice)[:, None] if self.school.has_pictures else None
        return Batch(ids_BL, mask_BL, is_reply_BL, shown)

    def _tokens(self, note: int) -> tuple[list[int], int]:
        product, has_picture = self.school.products[note], self.school.has_pictures
        words = self.school.titles[note].split()
        left = [word for word in words if self.rng.random() >= LEFT_OUT_SHARE[has_picture]] or words[:1]
        text = note_of(product, " ".join(left))
        prompt = prompt_for(text, page_for(self.school.pages, text.category), "chain", has_picture=has_picture)
        chat = self.processor.apply_chat_template(prompt.messages(), tokenize=False, add_generation_prompt=True)
        picture = f"{AROUND}{WHOLE}{IMAGE * self.processor.image_seq_len}{AROUND}"
        tokenizer = self.processor.tokenizer
        ids = tokenizer(chat.replace(IMAGE, picture, 1), add_special_tokens=False)["input_ids"]
        reply = chain_of(product, text.title, has_picture=has_picture)
        return [*ids, *tokenizer(reply, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id], len(ids)

    def _optimizer(self, weights: Sequence[nn.Parameter], rate: float, steps: int) -> tuple[Any, Any]:
        matrices, others = ([p for p in weights if (p.ndim > 1) is of_matrices] for of_matrices in (True, False))
        groups = [{"params": matrices, "weight_decay": self.course.decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2), pct_start=0.1)

    @staticmethod
    def _step(loss: Tensor, weights: Sequence[nn.Parameter], optimizer: Any, schedule: Any) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
