"""Hugging Face's Trainer: one callback finds the power mode of the job.

    pip install transformers accelerate

On a Jetson:        python examples/huggingface_trainer.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/huggingface_trainer.py --budget "30 W" --device simulated:orin-agx-64gb:bert-base

The model is a tiny BERT with random weights, so that nothing has to be downloaded.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from lightning_powertrain.huggingface import PowerTrainCallback

TOKENS = 50


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
    callback = PowerTrainCallback(
        arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0
    )
    Trainer(model, job, train_dataset=sentences(4_000), callbacks=[callback]).train()
    if callback.selection is not None:
        print(f"Trained in: {callback.selection.mode}")


if __name__ == "__main__":
    main()
