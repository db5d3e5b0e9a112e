"""Hugging Face's Trainer: a TrainerCallback of a few lines that reports each minibatch to a Tuner.

    pip install transformers accelerate

On a Jetson:        python examples/huggingface_trainer.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/huggingface_trainer.py --budget "30 W" --device simulated:orin-agx-64gb:bert-base

The model is a tiny BERT with random weights, so that nothing has to be downloaded.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from lightning_powertrain import Tuner

TOKENS = 50


class PowerTrain(TrainerCallback):
    """Tells a tuner of one process what a Trainer does."""

    def __init__(self, tuner: Tuner) -> None:
        self.tuner = tuner

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        prefetched = args.dataloader_num_workers * (args.dataloader_prefetch_factor or 2)
        self.tuner.start(minibatches=state.max_steps * args.gradient_accumulation_steps, prefetched=prefetched)

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        self.tuner.minibatch_ended(cycle_complete=False)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.tuner.minibatch_ended()

    def on_log(self, *_: Any, **__: Any) -> None:
        self.tuner.interrupt()

    on_evaluate = on_save = on_epoch_end = on_log


def sentences(count: int) -> list[dict[str, Any]]:
    """Random tokens; the label says whether small ones are in the majority."""
    tokens = torch.randint(0, TOKENS, (count, 16))
    labels = (tokens < TOKENS // 2).float().mean(dim=1).gt(0.5).long()
    return [{"input_ids": each, "labels": label} for each, label in zip(tokens, labels)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertForSequenceClassification(BertConfig(vocab_size=TOKENS, **size))
    job = TrainingArguments("huggingface-job", num_train_epochs=arguments.epochs, save_strategy="no", report_to="none")
    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    tuner = Tuner(arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0)
    with tuner:  # Restores the board, whatever happens.
        Trainer(model, job, train_dataset=sentences(4_000), callbacks=[PowerTrain(tuner)]).train()
    if tuner.outcome is not None:
        print(f"Trained in: {tuner.outcome.selection.mode}")


if __name__ == "__main__":
    main()
