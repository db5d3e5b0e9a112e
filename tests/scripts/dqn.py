"""Deep Q-learning: acts and remembers, trains on what it remembers, and copies its network now and then."""

from __future__ import annotations

import random
import sys
from collections import deque

import torch
from torch import nn
from torch.nn import functional


def main() -> None:
    torch.manual_seed(4)
    random.seed(4)
    policy, target = nn.Linear(2, 2), nn.Linear(2, 2)
    target.load_state_dict(policy.state_dict())
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-2, amsgrad=True)
    memory: deque[tuple[float, float, int, float, float, float]] = deque(maxlen=200)
    position, speed = 0.0, 0.0
    for step in range(700):
        with torch.no_grad():
            best = int(policy(torch.tensor([position, speed])).argmax())
        action = random.randrange(2) if random.random() < 0.2 else best
        before = position, speed
        speed = max(-1.0, min(1.0, speed + (0.1 if action else -0.1)))
        position = max(-2.0, min(2.0, position + speed))
        memory.append((*before, action, -abs(position), position, speed))
        if len(memory) < 8:
            continue
        batch = torch.tensor(random.sample(memory, 8))
        value = policy(batch[:, :2]).gather(1, batch[:, 2:3].long())
        with torch.no_grad():
            wanted = batch[:, 3:4] + 0.9 * target(batch[:, 4:]).max(1, keepdim=True).values
        optimizer.zero_grad()
        functional.smooth_l1_loss(value, wanted).backward()
        optimizer.step()
        if step % 50 == 0:
            target.load_state_dict(policy.state_dict())
    torch.save([policy.state_dict(), random.random()], sys.argv[1])


if __name__ == "__main__":
    main()
