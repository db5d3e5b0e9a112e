# lightning-powertrain on NVIDIA's PyTorch for JetPack 6. NOT BUILT YET: nobody has tried this file on a Jetson.
#
# On the Jetson, from the root of the repository:
#
#   docker build -f containers/jetpack6.Dockerfile -t lightning-powertrain .
#
#   docker run --init --runtime nvidia \
#     -v /run/powertrain:/run/powertrain:ro \
#     -v /etc/nv_tegra_release:/etc/nv_tegra_release:ro \
#     lightning-powertrain powertrain doctor
#
# The board itself needs `sudo powertrain setup-helper` once, from the same version of this package.
# docs/containers.md says what each flag is for.

# NVIDIA's builds for the GPU of a Jetson end in "-igpu". Another one: --build-arg BASE=IMAGE
ARG BASE=nvcr.io/nvidia/pytorch:24.12-py3-igpu
FROM ${BASE}

# The image is the environment: where its Python counts as the system's, pip has to be told.
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_NO_CACHE_DIR=1

WORKDIR /opt/lightning-powertrain
COPY pyproject.toml README.md LICENSE ./
COPY callbacks callbacks
COPY lightning_powertrain lightning_powertrain

# With its own version as a constraint pip keeps NVIDIA's torch, or fails; numpy stays what torch was built with.
RUN python3 -c "from importlib.metadata import version; [print(f'{each}=={version(each)}') for each in ('torch', 'numpy')]" > kept.txt \
    && pip install -c kept.txt ".[plots]" \
    && python3 -c "import torch, lightning_powertrain.callbacks; assert torch.version.cuda, 'the CUDA build of torch is gone'"

WORKDIR /workspace
