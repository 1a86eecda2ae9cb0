# make demo: a video upscaled on this machine, without torch and without a GPU.
# make bench: the benchmark report of this machine, reports/benchmark.html.
# make test: all tests, in an environment made for them.
# make test-webgpu: those of WebGPU, on Vulkan in software.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: bench demo test test-webgpu lint lint-tensorrt clean

demo: $(VENV)/.runtime
	$(BIN)/python examples/demo.py
	$(BIN)/framelift bench latency realtime-small-x4 --size 240x136 --seconds 3 \
		--no-fresh --no-roofline

# HR: folders of original images; VGG: weights for the distance of features (needs PyTorch);
# REPORT: where the report goes, without suffix; SIZE: of the input; DURATION: for each case.
HR ?= examples
REPORT ?= reports/benchmark
SIZE ?= 480x270
DURATION ?= 3

bench: demo/input.mp4
	mkdir -p $(dir $(REPORT))
	$(BIN)/framelift bench all $(HR:%=--hr %) $(VGG:%=--vgg %) --video demo/input.mp4 \
		--size $(SIZE) --seconds $(DURATION) \
		--json $(REPORT).json --markdown $(REPORT).md --html $(REPORT).html

demo/input.mp4: | $(VENV)/.runtime
	$(BIN)/python examples/demo.py

test: $(VENV)/.development
	$(BIN)/python -m pytest

# SwiftShader is taken from an installed Chromium, else unpacked below $(VENV) from Debian's package.
test-webgpu: $(VENV)/.development
	$(BIN)/python tests/webgpu/software.py $(VENV)/swiftshader

lint: $(VENV)/.development lint-tensorrt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests examples models

# The TensorRT code against the signatures of both majors, where stubs of their bindings lie.
STUBS ?= ../shared/typings
lint-tensorrt: $(VENV)/.development
	@for version in 10.16 11.4; do \
		stubs=$(STUBS)/tensorrt-$$version; \
		if [ ! -f $$stubs/tensorrt.pyi ]; then \
			echo "TensorRT $$version: not checked, no stubs in $$stubs"; \
		else \
			echo "TensorRT $$version:"; \
			MYPYPATH=$$stubs $(BIN)/mypy --cache-dir .mypy_cache/tensorrt-$$version \
				-p framelift.runtime || exit 1; \
		fi; \
	done

clean:
	rm -rf $(VENV) build *.egg-info demo reports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "framelift needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml
	$(PIP) --editable '.[cpu]'
	@touch $@

# PyTorch is the large part: several GB where pip takes a CUDA build.
$(VENV)/.development: $(BIN)/python pyproject.toml
	$(PIP) --editable '.[cpu,train,community,dev]'
	@touch $@ $(VENV)/.runtime
