"""Prompts as notes: tokens of profile words and codes become one place a note, wherever padding stands.

Shapes: B rows, T tokens, S places (0 the profile, then the notes), L levels, V words.
"""

from __future__ import annotations

import torch
from torch import Tensor


def notes_of(token_BT: Tensor, mask_BT: Tensor, level_V: Tensor, first_L: Tensor) -> Tensor:
    """code_BSL of the notes of each row from place 1 on, -1 where there is none.

    level_V is the level that a word is a code of, -1 for others; first_L the word of code 0. A code of level 0 begins a
    note; codes before the first one, of a note cut in two, are no note.
    """
    level_BT = level_V[token_BT].masked_fill(mask_BT == 0, -1)
    num_levels = len(first_L)
    num_codes = (token_BT.shape[1] // num_levels + 1) * num_levels
    place_BT = (level_BT == 0).cumsum(1)
    at_BT = torch.where(level_BT >= 0, place_BT * num_levels + level_BT, num_codes).clamp(max=num_codes)
    code_BT = token_BT - first_L[level_BT.clamp(min=0)]
    none_BX = torch.full((len(token_BT), num_codes + 1), -1, device=token_BT.device)
    code_BSL = none_BX.scatter(1, at_BT, code_BT)[:, :-1].unflatten(1, (-1, num_levels))
    return torch.cat([torch.full_like(code_BSL[:, :1], -1), code_BSL[:, 1:]], dim=1)


def without_some(code_BSL: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """place_BS, where the last note up to each place went, and the histories, every other one without some of its notes.

    The dice are torch's: whoever seeds a step decides them.
    """
    rows, length = code_BSL.shape[:2]
    if not rate:
        return torch.arange(length, device=code_BSL.device).expand(rows, -1), code_BSL
    dice_BS = torch.rand(rows, length, device=code_BSL.device)
    is_whole_B1 = torch.rand(rows, 1, device=code_BSL.device) < 0.5
    is_kept_BS = (dice_BS >= rate) | is_whole_B1
    is_kept_BS = torch.cat([torch.ones_like(is_whole_B1), is_kept_BS[:, 1:]], dim=1)
    place_BS = is_kept_BS.long().cumsum(1) - 1
    at_BS = place_BS.masked_fill(~is_kept_BS, length)
    none_BSL = torch.full_like(torch.cat([code_BSL, code_BSL[:, :1]], dim=1), -1)
    return place_BS, none_BSL.scatter(1, at_BS[..., None].expand_as(code_BSL), code_BSL)[:, :-1]
