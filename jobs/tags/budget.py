"""What asking may cost: an estimate before anything is asked, and a purse that no call can overdraw."""

from __future__ import annotations

from dataclasses import dataclass

from models.tags.prompt import Prompt

PICTURE_TOKENS = 1000  # of one picture of pictures.MAX_SIDE; Qwen-VL takes 753 (patches of 28 pixels), others less
BYTES_A_TOKEN = 3  # of UTF-8: English has about 4, a Chinese character is 3 and seldom more than one token
CHAT_TOKENS = 60  # what a chat template adds


def estimated_tokens_in(prompt: Prompt) -> int:
    """Tokens that a prompt will have, on the high side: no tokenizer is asked, a server's is not known."""
    written = len(prompt.system.encode("utf-8", "replace")) + len(prompt.user.encode("utf-8", "replace"))
    return -(-written // BYTES_A_TOKEN) + CHAT_TOKENS + PICTURE_TOKENS * prompt.has_picture


@dataclass
class Purse:
    """Calls and money that are left. A call is paid for in advance, at the most it can cost, and settled afterwards."""

    calls: float
    cost: float
    price_in: float = 0.0  # of a million tokens
    price_out: float = 0.0

    def price(self, tokens_in: int, tokens_out: int) -> float:
        """What these tokens cost."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6

    def fill(self, calls: float, cost: float) -> None:
        """Put more in."""
        self.calls, self.cost = self.calls + calls, self.cost + cost

    def take(self, tokens_in: int, tokens_out: int) -> bool:
        """Pay for one call of at most so many tokens; False, and nothing is paid, where not enough is left."""
        price = self.price(tokens_in, tokens_out)
        if self.calls < 1 - 1e-9 or self.cost < price - 1e-12:
            return False
        self.fill(-1, -price)
        return True

    def give_back(self, tokens_in: int, tokens_out: int) -> None:
        """Settle a call: these tokens were paid for and not used (negative: the other way round)."""
        self.cost += self.price(tokens_in, tokens_out)


NO_BUDGET = "the budget of this run is spent: tags.max_calls or tags.max_cost; the next run asks it"
