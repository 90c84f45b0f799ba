# The chain of stages: each manifest depends on the one before it.
#
#   make run SOFTWARE="Moodle" ENV_DIR=moodle_env      everything, for one environment
#   make help                                          every target and variable

ifeq ($(filter 4.% 5.%,$(MAKE_VERSION)),)
  $(error this Makefile needs GNU make 4 or later; this is $(MAKE_VERSION))
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# What to work on ---------------------------------------------------------------------------------------

SOFTWARE      ?=
ENV_DIR       ?=
WORKSPACE     ?= .
RUN_DIR       ?= $(WORKSPACE)/task_generation_runs/$(notdir $(patsubst %/,%,$(ENV_DIR)))
AGENT         ?= claude
SEED_COUNT    ?= 5
MODEL         ?= gemini-4-argon
COUNT         ?= 75
NUM_WORKERS   ?= 8
# Further arguments, one variable per stage.
PROPOSE_ARGS  ?=
AMPLIFY_ARGS  ?=
EXTRACT_ARGS  ?=
VERIFY_ARGS   ?=
PROBE_ARGS    ?=
# How often a task is repaired at most.
ROUNDS        ?= 3

BIN  := target/release
HERE := --workspace $(WORKSPACE) --run-dir $(RUN_DIR)

# The stages ---------------------------------------------------------------------------------------------
# Any command that reads records on standard input and writes records on standard output can replace a
# stage: `make run EXTRACT=./mine`. It finds SOFTWARE, ENV_DIR, WORKSPACE and RUN_DIR in its environment.

PROPOSE     = $(BIN)/stage-propose $(HERE) --software "$(SOFTWARE)" --env-dir $(ENV_DIR) --agent $(AGENT) \
              --seed-count $(SEED_COUNT) $(PROPOSE_ARGS)
AMPLIFY     = $(BIN)/stage-amplify $(HERE) --software "$(SOFTWARE)" --env-dir $(ENV_DIR) --model $(MODEL) \
              --count $(COUNT) --num-workers $(NUM_WORKERS) $(AMPLIFY_ARGS)
EXTRACT     = $(BIN)/stage-extract $(HERE) --env-dir $(ENV_DIR) $(EXTRACT_ARGS)
VERIFY_SPEC = $(BIN)/stage-verify-spec $(HERE) --env-dir $(ENV_DIR) $(VERIFY_ARGS)
# Repaired tasks have their own manifest, so that `tasks.jsonl` still names all tasks of the run.
REPLACE     = $(BIN)/stage-extract --workspace $(WORKSPACE) --run-dir $(RUN_DIR)/repaired --env-dir $(ENV_DIR) --overwrite
# Verifiers need Python: without it, the verdicts are passed on unchanged.
PROBE       = $(if $(shell command -v python3),$(BIN)/stage-probe $(HERE) $(PROBE_ARGS),cat)
export SOFTWARE ENV_DIR WORKSPACE RUN_DIR

# Paths become make targets, which cannot be quoted.
one_word = $(if $(filter-out 0 1,$(words $($(1)))),$(error $(1) is "$($(1))": make cannot handle a path \
           with spaces; use a path without spaces, or run the stages yourself))
$(foreach name,ENV_DIR WORKSPACE RUN_DIR,$(call one_word,$(name)))

.PHONY: run propose amplify extract verify-spec probe check-run
run: check-run $(RUN_DIR)/probes.jsonl
	@$(report)
propose: check-run $(RUN_DIR)/seeds.jsonl
amplify: check-run $(RUN_DIR)/files.jsonl
extract: check-run $(RUN_DIR)/tasks.jsonl
verify-spec: check-run $(RUN_DIR)/verdicts.jsonl
probe: check-run $(RUN_DIR)/probes.jsonl

check-run:
	@[ -n "$(ENV_DIR)" ] && [ -n "$(SOFTWARE)" ] || \
	  { echo 'make: SOFTWARE and ENV_DIR are required, for example: make run SOFTWARE="Moodle" ENV_DIR=moodle_env' >&2; exit 2; }

# Runs the stage $(1) with the manifest $(2), or an empty input, and writes the target. After exit status 1
# (some records failed) and 3 (a limit was reached) the manifest is kept and the chain continues.
define stage
$(info $(1) <$(or $(2),/dev/null) >$@)
@mkdir -p $(@D); $(1) <$(or $(2),/dev/null) >$@.out; status=$$?; \
  case $$status in 0|1|3) mv $@.out $@ ;; *) rm -f $@.out; exit $$status ;; esac
endef

# Repairs the tasks that the last checks found bad, replaces them, and checks them again.
.PHONY: repair
repair: check-run $(RUN_DIR)/probes.jsonl
	@for round in $$(seq $(ROUNDS)); do \
	  $(AMPLIFY) --pass repair --rounds $(ROUNDS) <$(RUN_DIR)/probes.jsonl >$(RUN_DIR)/repairs.jsonl.out; \
	  [ $$? -le 1 ] && mv $(RUN_DIR)/repairs.jsonl.out $(RUN_DIR)/repairs.jsonl || exit; \
	  grep -q '"record":"files"' $(RUN_DIR)/repairs.jsonl || break; \
	  $(REPLACE) <$(RUN_DIR)/repairs.jsonl >/dev/null || exit; \
	  rm -f $(RUN_DIR)/verdicts.jsonl $(RUN_DIR)/probes.jsonl; \
	  $(MAKE) --no-print-directory probe || exit; \
	done
	@$(report)

# Moves the bad tasks into the run directory and removes them from the list of seeds.
.PHONY: quarantine
quarantine: check-run $(RUN_DIR)/probes.jsonl
	$(BIN)/stage-extract $(HERE) --env-dir $(ENV_DIR) --quarantine <$(RUN_DIR)/probes.jsonl >/dev/null

# A manifest is written again when the one before it, or the command that writes it, changes.
$(RUN_DIR)/seeds.jsonl: $(RUN_DIR)/.propose.command | programs
	$(call stage,$(PROPOSE))
$(RUN_DIR)/files.jsonl: $(RUN_DIR)/seeds.jsonl $(RUN_DIR)/.amplify.command | programs
	$(call stage,$(AMPLIFY),$<)
$(RUN_DIR)/tasks.jsonl: $(RUN_DIR)/files.jsonl $(RUN_DIR)/.extract.command | programs
	$(call stage,$(EXTRACT),$<)
$(RUN_DIR)/verdicts.jsonl: $(RUN_DIR)/tasks.jsonl $(RUN_DIR)/.verify-spec.command | programs
	$(call stage,$(VERIFY_SPEC),$<)
$(RUN_DIR)/probes.jsonl: $(RUN_DIR)/verdicts.jsonl $(RUN_DIR)/.probe.command | programs
	$(call stage,$(PROBE),$<)

$(RUN_DIR)/.propose.command: export command = $(PROPOSE)
$(RUN_DIR)/.amplify.command: export command = $(AMPLIFY)
$(RUN_DIR)/.extract.command: export command = $(EXTRACT)
$(RUN_DIR)/.verify-spec.command: export command = $(VERIFY_SPEC)
$(RUN_DIR)/.probe.command: export command = $(PROBE)
$(RUN_DIR)/.%.command: always | check-run
	@mkdir -p $(@D); [ "$$(cat $@ 2>/dev/null)" = "$$command" ] || printf '%s\n' "$$command" >$@
.PHONY: always

define report
{ cat $(RUN_DIR)/verdicts.jsonl $(RUN_DIR)/probes.jsonl | grep -qE '"record":"failure"|"ok":false' && \
  echo 'make: some tasks failed; see $(RUN_DIR)/verdicts.jsonl and probes.jsonl' >&2 && exit 1; } || \
  echo 'make: all done; the manifests are in $(RUN_DIR)' >&2
endef

# The demo -----------------------------------------------------------------------------------------------

DEMO     ?= target/demo
DEMO_ENV := gnucash_env

.PHONY: demo
demo: $(DEMO)/.copied
	@$(MAKE) --no-print-directory run SOFTWARE=GnuCash ENV_DIR=$(DEMO_ENV) WORKSPACE=$(DEMO) \
	  RUN_DIR=$(DEMO)/task_generation_runs/$(DEMO_ENV) AGENT=existing MODEL=replay:examples/demo/answers.jsonl COUNT=14
	@echo 'make: the new tasks are in $(DEMO)/benchmarks/cua_world/environments/$(DEMO_ENV)/tasks' >&2
	@echo 'make: next, run it on your own environment: make run SOFTWARE="Moodle" ENV_DIR=path/to/moodle_env' >&2

$(DEMO)/.copied:
	@mkdir -p $(@D)
	cp -R examples/demo/benchmarks $(@D)/
	@touch $@

# Building and testing -----------------------------------------------------------------------------------

BUILD  = cargo build --release --locked --quiet $(addprefix --package ,$(STAGES))
PREFIX ?= $(HOME)/.cargo
STAGES := stage-propose stage-amplify stage-extract stage-verify-spec stage-probe

.PHONY: programs test test-claude test-providers schemas bench install clean help
programs:
	@$(BUILD)

test:
	cargo build --workspace --bins --locked
	cargo test --workspace --locked

# Needs npm and a network for the installation; the test itself runs without a network.
test-claude:
	cargo build --locked --package stage-propose
	python3 stage-propose/tests/claude/run.py target/debug/stage-propose \
	  examples/demo/benchmarks/cua_world/environments/$(DEMO_ENV)

# Needs PyPI and openssl, and nginx for a part; see the script.
test-providers:
	cargo build --workspace --bins --locked
	python3 model-client/tests/providers/run.py target $(PARTS)

# To measure the original too: BENCH_ARGS='--python PYTHON --original GYM_ANYTHING --cwd CHECKOUT' and
# EXTRACT_TASKS=CHECKOUT/extras/research/task_generation/propose_and_amplify/pipeline/extract_tasks.py
bench:
	cargo bench --locked --package stage-amplify --bench run
ifdef CORPUS
	cargo bench --locked --package stage-verify-spec --bench corpus -- $(abspath $(CORPUS)) $(BENCH_ARGS)
	cargo build --release --locked --package stage-extract --bins --example round_trip
	target/release/examples/round_trip $(abspath $(CORPUS))
	python3 stage-extract/tools/compare.py $(abspath $(CORPUS)) $(if $(EXTRACT_TASKS),--original $(EXTRACT_TASKS))
else
	@echo 'make: set CORPUS=path/to/environments to measure a corpus too' >&2
endif

schemas:
	cargo run --quiet --locked --package task-spec --example write_schemas schemas

install:
	for stage in $(STAGES); do cargo install --locked --profile dist --path $$stage --root $(PREFIX) || exit; done

clean:
	cargo clean

help:
	@sed -n '/^## /s///p' Makefile

## make run SOFTWARE="Moodle" ENV_DIR=moodle_env    propose, amplify, extract, verify and probe tasks
## make propose|amplify|extract|verify-spec|probe   the chain up to one stage
## make repair                                      ask the model to repair tasks that the checks found bad
## make quarantine                                  move bad tasks out of the environment
## make demo                                        the chain on examples/, offline
## make test                                        every test
## make test-claude                                 stage-propose with the real Claude Code, from npm
## make test-providers [PARTS="bodies streams …"]   the chain with the SDKs, LiteLLM, nginx, a proxy, llama.cpp
## make bench [CORPUS=path/to/environments]         every benchmark
## make schemas                                     generate schemas/ from the record types
## make install [PREFIX=~/.cargo]                   install the stages
## make clean                                       remove build output and the demo
##
## Variables of a run: WORKSPACE RUN_DIR AGENT SEED_COUNT MODEL COUNT NUM_WORKERS ROUNDS; for further arguments
## PROPOSE_ARGS AMPLIFY_ARGS EXTRACT_ARGS VERIFY_ARGS PROBE_ARGS. Any stage can be replaced by your own command
## that reads records on standard input and writes records on standard output:
##     make run SOFTWARE="Moodle" ENV_DIR=moodle_env EXTRACT=./my-extract
