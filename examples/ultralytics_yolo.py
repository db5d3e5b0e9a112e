"""Ultralytics: one line has model.train find its power mode.

    pip install ultralytics

On a Jetson:        python examples/ultralytics_yolo.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/ultralytics_yolo.py --budget "30 W" --device simulated:orin-agx-64gb:yolov8n

--task segment and --task classify train the models for these tasks. The model has random weights and the images are
drawn here, so that nothing has to be downloaded.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from PIL import Image, ImageDraw
from ultralytics import YOLO

from lightning_powertrain.ultralytics import powertrain

MODELS = {"detect": "yolov8n.yaml", "segment": "yolov8n-seg.yaml", "classify": "yolov8n-cls.yaml"}
SIDE = 64


def draw(folder: Path, task: str, images: int) -> str:
    """Draw squares and discs with their labels; returns what model.train takes as data."""
    for split in ("train", "val"):
        for number in range(images if split == "train" else 4):
            kind, side = number % 2, random.randint(16, 32)
            left, top = random.randint(0, SIDE - side), random.randint(0, SIDE - side)
            image = Image.new("RGB", (SIDE, SIDE), "gray")
            shape = ImageDraw.Draw(image).rectangle if kind else ImageDraw.Draw(image).ellipse
            shape([left, top, left + side, top + side], fill="orange")
            name = ("square" if kind else "disc") if task == "classify" else "images"
            path = folder / (f"{split}/{name}" if task == "classify" else f"{name}/{split}") / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            if task != "classify":
                write_label(folder / "labels" / split / f"{number}.txt", task, kind, left, top, side)
    if task == "classify":
        return str(folder)
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [disc, square]\n")
    return str(data)


def write_label(path: Path, task: str, kind: int, left: int, top: int, side: int) -> None:
    right, bottom = left + side, top + side
    if task == "segment":
        values = [left, top, right, top, right, bottom, left, bottom]
    else:
        values = [left + side / 2, top + side / 2, side, side]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{kind} " + " ".join(f"{value / SIDE:.4f}" for value in values) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(MODELS), default="detect")
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=5)
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()

    random.seed(0)
    folder = Path("ultralytics-job").resolve()
    data = draw(folder / "data", arguments.task, arguments.images)
    model = YOLO(MODELS[arguments.task])
    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    tuning = powertrain(model, arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0)
    model.train(data=data, epochs=arguments.epochs, imgsz=SIDE, batch=4, project=str(folder), plots=False, amp=False)
    if tuning.outcome is not None:
        print(f"Trained in: {tuning.outcome.selection.mode}")


if __name__ == "__main__":
    main()
