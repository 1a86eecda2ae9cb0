# make demo: a video upscaled on this machine, without torch and without a GPU.
# make bench: the benchmark report of this machine, reports/benchmark.html.
# make test: all tests, in an environment made for them.
# make gpu: what a machine with an NVIDIA GPU must show, within 12 minutes: reports/gpu/summary.md.
# make docs: the documentation as a site, build/site; see it with `python -m http.server -d build/site`.
# make test-releases: those of exports in released wheels of ONNX Runtime, the newest included.
# make test-python: a part of them on the newest other Python on PATH, with the newest packages.
# make test-webgpu: those of WebGPU, on Vulkan in software.
# make web: the page for browsers, web/dist, with Node.js 20 or newer; make test-web: its tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: bench demo docs gpu test test-python test-releases test-webgpu test-web web lint lint-tensorrt clean

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

# With the Python that is there, or in GPU_PYTHON. WHEELS: a folder of packages to use, where the
# network is not; DATA: photographs to train on; VALIDATE: originals; VGG: weights of VGG-16;
# GPU_REPORT: folder of results; DRY_RUN=1: a rehearsal with tiny sizes, also without a GPU.
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
GPU_REPORT ?= reports/gpu

gpu:
	@$(GPU_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "framelift needs Python 3.11 or newer: make gpu GPU_PYTHON=python3.11"; exit 1; }
	PYTHONPATH=.types$${PYTHONPATH:+:$$PYTHONPATH} $(GPU_PYTHON) -m hardware --out $(GPU_REPORT) $(WHEELS:%=--wheels %) $(DATA:%=--data %) \
		$(VALIDATE:%=--hr %) $(VGG:%=--vgg %) $(if $(DRY_RUN),--dry-run) $(GPU_SECONDS:%=--seconds %)

# Wheels of ONNX Runtime in folders of their own, beside the one that is installed. Where a release
# has no wheel for this Python, or nothing can be downloaded, its tests are skipped and say so.
RELEASES := $(VENV)/releases

test: $(VENV)/.development $(RELEASES)/1.19 $(RELEASES)/1.20
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-releases: $(VENV)/.development $(RELEASES)/1.19 $(RELEASES)/1.20 $(RELEASES)/1.23
	rm -rf $(RELEASES)/newest
	$(PIP) --no-deps --target $(RELEASES)/newest onnxruntime
	FRAMELIFT_REQUIRE_RELEASES=1 $(BIN)/python -m pytest tests/releases -m "slow or not slow"

$(RELEASES)/%: | $(VENV)/.development
	@$(PIP) --no-deps --target $@ 'onnxruntime==$*.*' 2>/dev/null \
		|| { rm -rf $@; echo "ONNX Runtime $*: not installed, its tests are skipped"; }

# EXTRAS=cpu,train: those of training and export, too, with PyTorch (several GB).
test-python: $(VENV)/.development
	$(BIN)/python tests/pythons/run.py $(VENV)/pythons $(EXTRAS)

# SwiftShader is taken from an installed Chromium, else unpacked below $(VENV) from Debian's package.
test-webgpu: $(VENV)/.development
	$(BIN)/python tests/webgpu/software.py $(VENV)/swiftshader

# A page that has a dead link, or would load anything from another host, is an error.
docs: $(VENV)/.documentation
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build

# Packages as package-lock.json has them; the page is built again when a source is newer.
web: web/dist/index.html

web/node_modules/.installed: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "make web needs Node.js 20 or newer, with npm"; exit 1; }
	cd web && npm ci --no-fund --no-audit
	@touch $@

WEB_SOURCES := $(shell find web/src web/public -type f 2>/dev/null)
web/dist/index.html: web/node_modules/.installed web/index.html web/vite.config.ts web/tsconfig.json $(WEB_SOURCES)
	cd web && npm run build

# In Chromium, with the software adapter of WebGPU; left out with a line where there is none.
test-web: $(VENV)/.development
	$(BIN)/python tests/web/run.py

lint: $(VENV)/.development lint-tensorrt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests examples hardware models

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
	rm -rf $(VENV) build *.egg-info demo reports web/dist web/node_modules

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "framelift needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python pyproject.toml
	$(PIP) --editable '.[cpu]'
	@touch $@

# PyTorch is the large part: several GB where pip takes a CUDA build.
$(VENV)/.development: $(BIN)/python pyproject.toml
	$(PIP) --editable '.[cpu,train,community,serve,dev]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.documentation: $(BIN)/python pyproject.toml
	$(PIP) --editable '.[docs]'
	@touch $@
