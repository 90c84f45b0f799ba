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
# A pipe fails if any of its commands does.
SHELL       := bash
.SHELLFLAGS := -o pipefail -c

# What to work on ---------------------------------------------------------------------------------------
# What is not given (SOFTWARE, AGENT, SEED_COUNT, MODEL, COUNT) is what the run directory's run.json says, or a default.

ENV_DIR       ?=
WORKSPACE     ?= .
RUN_DIR       ?= $(WORKSPACE)/task_generation_runs/$(notdir $(patsubst %/,%,$(ENV_DIR)))
# Without them, the command of stage-propose would be another one, and its agent would be started again.
proposed      := $(if $(wildcard $(RUN_DIR)/run.json),$(shell tools/records.py asked propose agent seed_count software \
                   <'$(RUN_DIR)/run.json'))
proposed_or    = $(or $(filter-out -,$(word $(1),$(proposed))),$(2))
AGENT         ?= $(call proposed_or,1,claude)
SEED_COUNT    ?= $(call proposed_or,2,5)
SOFTWARE      ?= $(if $(call proposed_or,3),$(wordlist 3,99,$(proposed)))
MODEL         ?=
COUNT         ?=
NUM_WORKERS   ?=
BATCH         ?=
# Further arguments, one variable per stage.
PROPOSE_ARGS  ?=
AMPLIFY_ARGS  ?=
EXTRACT_ARGS  ?=
VERIFY_ARGS   ?=
PROBE_ARGS    ?=
EXPORT_ARGS   ?=
REPORT_ARGS   ?=
TASK_ARGS     ?=
# 1: the model writes solutions of the new tasks, which are then run in the real software.
SOLUTIONS     ?=
# How often a task is repaired at most.
ROUNDS        ?= 3

# A misspelled variable would silently be ignored: all that are given must be described at the end of this file.
VARIABLES := $(shell sed -n 's/^## //p' Makefile | grep -oE '\b[A-Z]+(_[A-Z]+)*\b' | sort -u)
given     := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
list       = printf '%s\n' $(VARIABLES)
similar    = $(shell $(list) | tools/records.py similar '$(1)')
unknown    = $(error unknown variable $(1)$(if $(similar),; did you mean $(similar)?,; `make help` lists them))
$(foreach name,$(filter-out $(VARIABLES) MAKE%,$(given)),$(call unknown,$(name)))

# The stages ---------------------------------------------------------------------------------------------
# Any command that reads records on standard input and writes records on standard output can replace a
# stage: `make run EXTRACT=./mine`. It finds SOFTWARE, ENV_DIR, WORKSPACE and RUN_DIR in its environment.

HERE  = --workspace $(WORKSPACE) --run-dir $(RUN_DIR)
WHAT  = $(if $(SOFTWARE),--software "$(SOFTWARE)") --env-dir $(ENV_DIR)

PROPOSE     = $(BIN)/stage-propose $(HERE) $(WHAT) --agent $(AGENT) --seed-count $(SEED_COUNT) $(PROPOSE_ARGS)
AMPLIFY     = $(BIN)/stage-amplify $(HERE) $(WHAT) $(if $(MODEL),--model $(MODEL)) $(if $(COUNT),--count $(COUNT)) \
              $(if $(NUM_WORKERS),--num-workers $(NUM_WORKERS)) $(if $(BATCH),--batch) $(AMPLIFY_ARGS)
SOLVE       = $(AMPLIFY) --pass solution
EXTRACT     = $(BIN)/stage-extract $(HERE) --env-dir $(ENV_DIR) $(EXTRACT_ARGS)
VERIFY_SPEC = $(BIN)/stage-verify-spec $(HERE) --env-dir $(ENV_DIR) $(VERIFY_ARGS)
PROBE       = $(BIN)/stage-probe $(HERE) --env-dir $(ENV_DIR) $(PROBE_ARGS)
EXPORT      = $(BIN)/stage-export $(HERE) --env-dir $(ENV_DIR) --to splits $(EXPORT_ARGS)
# Where no container engine answers, tasks are not run, and the records say so.
VERIFY_TASK = $(BIN)/stage-verify-task $(HERE) --env-dir $(ENV_DIR) --optional $(TASK_ARGS)
export SOFTWARE ENV_DIR WORKSPACE RUN_DIR

# The stage $(1) between its filters: PRE_EXTRACT='jq …' is put before EXTRACT, POST_EXTRACT after it.
piped = { $(if $(PRE_$(1)),$(PRE_$(1)) | )$($(1))$(if $(POST_$(1)), | $(POST_$(1))); }

# Paths become make targets, which cannot be quoted.
one_word = $(if $(filter-out 0 1,$(words $($(1)))),$(error $(1) is "$($(1))": make cannot handle a path \
           with spaces; use a path without spaces, or run the stages yourself))
$(foreach name,ENV_DIR WORKSPACE RUN_DIR,$(call one_word,$(name)))

# The chain ----------------------------------------------------------------------------------------------

# Runs the stage $(1) with the manifest $(2) and writes the target. The manifest is kept, and the chain continues,
# after exit status 1 (some records failed) and 3 (a limit was reached). But the stage is only complete after the
# statuses $(3): otherwise its .command file goes, so that the next `make` runs it again. 141 is a command whose
# reader, such as `head`, wanted no more.
define stage
$(info $(call piped,$(1)) <$(2) >$@)
@mkdir -p $(@D); $(call piped,$(1)) <$(2) >$@.out; status=$$?; echo $$status >$(status_file); \
  case $$status in $(3)|141) ;; *) rm -f $(filter %.command,$^) ;; esac; \
  case $$status in 0|1|3|141) mv $@.out $@ ;; *) rm -f $@.out; $(remove_empty); exit $$status ;; esac
endef
# The exit status of the stage whose .command file the target depends on.
status_file = $(patsubst %.command,%.status,$(filter %.command,$^))
# Whether the records on standard input have some of the kind $(1). Other lines are none, whatever they hold.
has = tools/records.py has $(1)
# Removes a run directory that holds no more than the status of the first stage.
remove_empty = { [ "$$(ls -A $(RUN_DIR))" != .propose.status ] || rm $(RUN_DIR)/.propose.status; \
  rmdir $(RUN_DIR) $(WORKSPACE)/task_generation_runs; } 2>/dev/null

CHAIN   = propose amplify extract verify-spec probe $(if $(SOLUTIONS),solve) verify-task
NESTED  = $(MAKE) --no-print-directory BUILD=:

.PHONY: run propose amplify extract verify-spec probe solve verify-task export check-env check-run
run: check-run programs
	@$(NESTED) $(RUN_DIR)/trials.jsonl; $(publish); $(call complete,$(CHAIN))
	@$(call has,task) <$(RUN_DIR)/tasks.jsonl || { echo 'make: no task was written' >&2; exit 1; }
	@echo 'make: all done; the manifests are in $(RUN_DIR)' >&2
	@$(not_run)
propose:     check-run $(RUN_DIR)/seeds.jsonl;    @$(call complete,propose)
amplify:     check-run $(RUN_DIR)/files.jsonl;    @$(call complete,propose amplify)
extract:     check-run $(RUN_DIR)/tasks.jsonl;    @$(call complete,propose amplify extract)
verify-spec: check-run $(RUN_DIR)/verdicts.jsonl; @$(call complete,propose amplify extract verify-spec)
probe:       check-run $(RUN_DIR)/probes.jsonl;   @$(call complete,propose amplify extract verify-spec probe)
solve:       check-run $(RUN_DIR)/solutions.jsonl; @$(call complete,propose amplify extract solve)
verify-task: check-run $(RUN_DIR)/trials.jsonl;   @$(call complete,$(CHAIN)); $(not_run)

# Says how many tasks were not run in the real software, and why.
not_run = tools/records.py not-run <$(RUN_DIR)/trials.jsonl >&2

# A summary, and one page for a browser. A run that failed has a report, too.
REPORT = $(BIN)/stage-report $(HERE)
report = [ ! -d $(RUN_DIR) ] || { $(REPORT) --text >&2; $(REPORT) --quiet $(REPORT_ARGS) && \
  echo 'make: the report is $(RUN_DIR)/report.html' >&2; }
.PHONY: report
report: check-env programs; @$(report)

# The seeds have manifests of checks of their own: repair and quarantine, which work on the tasks of the run, leave seeds
# alone, which may be of another author. stage-export reads these manifests, too.
CHECK_SEEDS  = --workspace $(WORKSPACE) --run-dir $(RUN_DIR)/seeds --quiet
SEED_PROBES  = $(RUN_DIR)/seeds/probes.jsonl
check_seeds  = [ ! -s $(RUN_DIR)/seeds.jsonl ] || [ $(SEED_PROBES) -nt $(RUN_DIR)/seeds.jsonl ] || tools/records.py folders $(WORKSPACE) <$(RUN_DIR)/seeds.jsonl | \
  xargs -r -d '\n' $(BIN)/stage-verify-spec $(CHECK_SEEDS) $(VERIFY_ARGS) | \
  $(BIN)/stage-probe $(CHECK_SEEDS) $(PROBE_ARGS) >/dev/null || [ $$? -ne 130 ];

# gym-anything only finds tasks that a split file lists, if the environment has one.
export_splits = $(if $(wildcard $(WORKSPACE)/benchmarks/cua_world/splits),$(EXPORT) </dev/null >/dev/null;)
export: check-env programs; @$(check_seeds) $(EXPORT) </dev/null >/dev/null
publish = $(check_seeds) $(export_splits) $(report)
.PHONY: publish
publish: check-env programs; @$(publish)

# A manifest is written again when the one before it, or the command that writes it, changes. An agent that wrote
# only some of the seeds (1) is not started again; without any seed there is nothing to go on with.
$(RUN_DIR)/seeds.jsonl: $(RUN_DIR)/.propose.command | programs
	$(call stage,PROPOSE,/dev/null,0|1)
	@$(call has,seed) <$@ || { rm -f $<; echo 'make: no seed was written; nothing to go on with' >&2; exit 2; }
$(RUN_DIR)/files.jsonl: $(RUN_DIR)/seeds.jsonl $(RUN_DIR)/.amplify.command | programs
	$(call stage,AMPLIFY,$<,0)
$(RUN_DIR)/tasks.jsonl: $(RUN_DIR)/files.jsonl $(RUN_DIR)/.extract.command | programs
	$(call stage,EXTRACT,$<,0)
$(RUN_DIR)/verdicts.jsonl: $(RUN_DIR)/tasks.jsonl $(RUN_DIR)/.verify-spec.command | programs
	$(call stage,VERIFY_SPEC,$<,0)
$(RUN_DIR)/probes.jsonl: $(RUN_DIR)/verdicts.jsonl $(RUN_DIR)/.probe.command | programs
	$(call stage,PROBE,$<,0)
$(RUN_DIR)/solutions.jsonl: $(RUN_DIR)/tasks.jsonl $(RUN_DIR)/.solve.command | programs
	$(call stage,SOLVE,$<,0)
$(RUN_DIR)/trials.jsonl: $(RUN_DIR)/probes.jsonl $(if $(SOLUTIONS),$(RUN_DIR)/solutions.jsonl) \
                         $(RUN_DIR)/.verify-task.command | programs
	$(call stage,VERIFY_TASK,$<,0)

$(RUN_DIR)/.propose.command:     export command = $(call piped,PROPOSE)
$(RUN_DIR)/.amplify.command:     export command = $(call piped,AMPLIFY)
$(RUN_DIR)/.extract.command:     export command = $(call piped,EXTRACT)
$(RUN_DIR)/.verify-spec.command: export command = $(call piped,VERIFY_SPEC)
$(RUN_DIR)/.probe.command:       export command = $(call piped,PROBE)
$(RUN_DIR)/.solve.command:       export command = $(call piped,SOLVE)
$(RUN_DIR)/.verify-task.command: export command = $(call piped,VERIFY_TASK)
$(RUN_DIR)/.%.command: always | check-env
	@mkdir -p $(@D); [ "$$(cat $@ 2>/dev/null)" = "$$command" ] || printf '%s\n' "$$command" >$@
.PHONY: always

check-env:
	@[ -n "$(ENV_DIR)" ] || { echo 'make: ENV_DIR is required, for example: make $(MAKECMDGOALS) ENV_DIR=moodle_env' >&2; exit 2; }
check-run: check-env
	@[ -n "$(SOFTWARE)" ] || [ -e $(RUN_DIR)/run.json ] || \
	  { echo 'make: SOFTWARE is required, for example: make run SOFTWARE="Moodle" ENV_DIR=moodle_env' >&2; exit 2; }

# Fails if one of the stages $(1) is not complete.
complete = missing=; for stage in $(1); do [ -e $(RUN_DIR)/.$$stage.command ] || missing+=" $$stage"; done; \
  [ -z "$$missing" ] || { echo "make: not complete:$$missing; the reasons are above; the same command resumes" >&2; exit 1; }

# Maintenance --------------------------------------------------------------------------------------------
# It works on the tasks that are there, and never generates others.

# The last checks of the run, and their stages. Tasks that were run in the real software are run there again.
LIVE     = $(wildcard $(RUN_DIR)/trials.jsonl)
CHECKED  = $(RUN_DIR)/$(if $(LIVE),trials,probes).jsonl
CHECKS   = verify-spec probe $(if $(LIVE),verify-task)

.PHONY: check repair quarantine
check: check-env programs
	@[ -e $(RUN_DIR)/tasks.jsonl ] || { echo 'make: $(RUN_DIR) has no tasks.jsonl; run `make run` first' >&2; exit 2; }
	@rm -f $(RUN_DIR)/.verify-spec.command $(SEED_PROBES)
	@$(NESTED) --old-file $(RUN_DIR)/tasks.jsonl $(CHECKED)

# Repairs the tasks that the checks find bad, replaces them, and checks them again. Repaired tasks have their own
# manifest, so that tasks.jsonl still names all tasks of the run.
REPLACE = $(BIN)/stage-extract --workspace $(WORKSPACE) --run-dir $(RUN_DIR)/repaired --env-dir $(ENV_DIR) --overwrite
repair: check
	@for round in $$(seq $(ROUNDS)); do \
	  ($(call complete,$(CHECKS))) 2>/dev/null && break; \
	  { $(AMPLIFY) --pass repair --rounds $(ROUNDS); } <$(CHECKED) >$(RUN_DIR)/repairs.jsonl.out; \
	  status=$$?; case $$status in 0|1|3) ;; *) exit $$status ;; esac; \
	  mv $(RUN_DIR)/repairs.jsonl.out $(RUN_DIR)/repairs.jsonl; \
	  $(call has,files) <$(RUN_DIR)/repairs.jsonl || break; \
	  $(REPLACE) <$(RUN_DIR)/repairs.jsonl >/dev/null; [ $$? -le 1 ] || exit; \
	  $(NESTED) check || exit; \
	  [ $$status -ne 3 ] || break; \
	done; $(report); $(call complete,$(CHECKS))
	@echo 'make: the checks find no bad task' >&2

# Moves the bad tasks into the run directory and removes them from the list of seeds.
quarantine: check
	$(BIN)/stage-extract $(HERE) --env-dir $(ENV_DIR) --quarantine <$(CHECKED) >/dev/null
	@$(report)

# A fleet of environments --------------------------------------------------------------------------------
# Snakemake runs the chain for every line of a table; see docs/fleet.md.

ENVS    ?=
PROFILE ?= local
BUDGET  ?=
FLEET_ARGS ?=
# Snakemake, installed from PyPI at the first use. Nodes of a cluster need it at the same path.
FLEET_VENV ?= $(TARGET)/fleet

.PHONY: fleet fleet-status test-fleet
fleet: check-envs programs fleet-venv
	@$(FLEET_VENV)/bin/python fleet/run.py $(ENVS) --workspace $(WORKSPACE) --bin $(BIN) --profile $(PROFILE) \
	  $(if $(BUDGET),--budget $(BUDGET)) $(FLEET_ARGS)
fleet-status: check-envs programs
	@python3 fleet/status.py $(ENVS) --workspace $(WORKSPACE) --bin $(BIN)
check-envs:
	@[ -n "$(ENVS)" ] || { echo 'make: ENVS is required, for example: make $(MAKECMDGOALS) ENVS=envs.tsv' >&2; exit 2; }

# Needs a checkout of gym-anything, whose environments are copied, and PyPI; for SLURM root, and packages of Debian.
test-fleet: fleet-venv
	cargo build --workspace --bins --locked
	$(FLEET_VENV)/bin/python fleet/tests/run.py $(TARGET)/debug $(abspath $(or $(GYM_ANYTHING),.)) $(PARTS)

# Memory, open files and answers a second of the real programs. SCALE_ARGS='--environments 1 20 249 --tasks 75'.
.PHONY: bench-fleet
bench-fleet:
	cargo build --release --locked --package stage-amplify --package ledger --package testkit --bins
	python3 fleet/tests/scale.py $(TARGET)/release $(SCALE_ARGS)

# Not a file target: its name would be needed, and so cargo asked, by every make.
.PHONY: fleet-venv
fleet-venv:
	@[ $(FLEET_VENV)/.installed -nt fleet/requirements.txt ] || { python3 -m venv $(FLEET_VENV) && \
	  $(FLEET_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement fleet/requirements.txt && \
	  touch $(FLEET_VENV)/.installed; }

# The demo -----------------------------------------------------------------------------------------------

DEMO     ?= target/demo
DEMO_ENV := gnucash_env

.PHONY: demo
demo: $(DEMO)/.copied
	@$(MAKE) --no-print-directory run SOFTWARE=GnuCash ENV_DIR=$(DEMO_ENV) WORKSPACE=$(DEMO) \
	  RUN_DIR=$(DEMO)/task_generation_runs/$(DEMO_ENV) AGENT=existing MODEL=replay:examples/demo/answers.jsonl COUNT=14
	@echo 'make: the new tasks are in $(DEMO)/benchmarks/cua_world/environments/$(DEMO_ENV)/tasks' >&2
	@echo 'make: next, run it on your own environment: make run SOFTWARE="Moodle" ENV_DIR=path/to/moodle_env' >&2

# The tasks are run in GnuCash 4 (bookworm) or 5 (trixie).
RELEASE ?= bookworm
NETWORK ?= bridge
DESKTOP  = verify-task-desktop:$(RELEASE)

# The seeds are solved and run, too.
WITH_SEEDS = cat $(DEMO)/task_generation_runs/$(DEMO_ENV)/seeds.jsonl -

.PHONY: demo-live
demo-live:
	examples/demo/desktop_image.sh $(RELEASE) $(DESKTOP)
	@$(MAKE) --no-print-directory demo DEMO=$(DEMO) TASK_ARGS='--base-image $(DESKTOP) --network $(NETWORK)' \
	  SOLUTIONS=1 PRE_SOLVE='$(WITH_SEEDS)' PRE_VERIFY_TASK='$(WITH_SEEDS)'

$(DEMO)/.copied:
	@mkdir -p $(@D)
	cp -R examples/demo/benchmarks $(@D)/
	@touch $@

# Building and testing -----------------------------------------------------------------------------------

STAGES := stage-propose stage-amplify stage-extract stage-verify-spec stage-probe stage-verify-task stage-report \
          stage-export
PROGRAMS := $(STAGES) ledger
BUILD   = cargo build --release --locked $(addprefix --package ,$(PROGRAMS))
# Where cargo builds, which its configuration may change. It is asked at the first use.
TARGET  = $(eval TARGET := $(shell cargo metadata --format-version 1 --no-deps --offline | \
            sed 's/.*"target_directory":"\([^"]*\)".*/\1/'))$(TARGET)
BIN     = $(TARGET)/release
PREFIX ?= $(HOME)/.cargo

.PHONY: programs check-envs test test-browser test-claude test-providers test-live test-exports test-checklists schemas bench install clean help
programs:
	@$(BUILD)

test:
	cargo build --workspace --bins --locked
	cargo test --workspace --locked

# Needs npm and a network for the installation; the test itself runs without a network.
test-claude:
	cargo build --locked --package stage-propose
	python3 stage-propose/tests/claude/run.py $(TARGET)/debug/stage-propose \
	  examples/demo/benchmarks/cua_world/environments/$(DEMO_ENV)

# Needs PyPI and openssl, and nginx for a part; see the script.
test-providers:
	cargo build --workspace --bins --locked
	python3 model-client/tests/providers/run.py $(TARGET) $(PARTS)

# Needs PyPI and a Python 3.12 or later; for a part a checkout of gym-anything, in which nothing is changed. Tasks are run
# in containers where an engine answers, or where root and docker.io are there.
test-exports:
	@$(MAKE) --no-print-directory demo SOLUTIONS=1 PRE_SOLVE='$(WITH_SEEDS)'
	cargo build --locked --package stage-export
	python3 stage-export/tests/consumers/run.py $(TARGET) $(DEMO) "$(and $(GYM_ANYTHING),$(abspath $(GYM_ANYTHING)))" $(PARTS)

# Needs a checkout of gym-anything, whose scorer is imported, and PyPI for the openai package.
test-checklists: demo
	cargo build --locked --package task-spec --example score_checklist
	python3 task-spec/tests/checklists/run.py $(TARGET)/checklists $(TARGET)/debug/examples/score_checklist \
	  "$(and $(GYM_ANYTHING),$(abspath $(GYM_ANYTHING)))" \
	  $(DEMO)/benchmarks/cua_world/environments/$(DEMO_ENV)

# Needs a container engine, or docker.io and root; a network to install GnuCash; and mmdebstrap where no registry is in
# reach. Parts need GYM_ANYTHING=path/to/checkout, and PyPI.
test-live:
	cargo build --workspace --bins --locked
	python3 stage-verify-task/tests/live/run.py $(TARGET)/debug $(PARTS)

# Needs Chromium, npm and a network for the installation; the test itself runs without a network. To measure the page of
# a corpus, too: BROWSER_ARGS='VERDICTS WORKSPACE'.
BROWSER = $(TARGET)/browser
test-browser:
	cargo build --locked --package stage-report --package stage-extract
	@mkdir -p $(BROWSER); cp stage-report/tests/browser/package.json $(BROWSER)/
	npm install --prefix $(BROWSER) --no-audit --no-fund --silent
	node stage-report/tests/browser/run.mjs $(BROWSER) $(TARGET)/debug $(BROWSER_ARGS)

# To measure the original too: BENCH_ARGS='--python PYTHON --original GYM_ANYTHING --cwd CHECKOUT' and
# EXTRACT_TASKS=CHECKOUT/extras/research/task_generation/propose_and_amplify/pipeline/extract_tasks.py
bench:
	cargo bench --locked --package stage-amplify --bench run
ifdef CORPUS
	cargo bench --locked --package stage-verify-spec --bench corpus -- $(abspath $(CORPUS)) $(BENCH_ARGS)
	cargo build --release --locked --package stage-extract --bins --example round_trip
	$(TARGET)/release/examples/round_trip $(abspath $(CORPUS))
	python3 stage-extract/tools/compare.py $(abspath $(CORPUS)) $(if $(EXTRACT_TASKS),--original $(EXTRACT_TASKS))
else
	@echo 'make: set CORPUS=path/to/environments to measure a corpus too' >&2
endif

# STAGE may contain quotes.
.PHONY: check-stage
check-stage: export checked := $(STAGE)
check-stage:
	@python3 testkit/tools/check_stage.py "$$checked" $(MANIFEST)

schemas:
	cargo run --quiet --locked --package task-spec --example write_schemas schemas

install:
	for program in $(PROGRAMS); do cargo install --locked --profile dist --path $$program --root $(PREFIX) || exit; done
	cargo run --quiet --locked --profile dist --package manual -- $(PREFIX)/share

clean:
	cargo clean

help:
	@sed -n '/^## /s///p' Makefile

## make run SOFTWARE="Moodle" ENV_DIR=moodle_env    propose, amplify, extract, verify, probe and run tasks
## make propose|amplify|extract|verify-spec|probe|verify-task   the chain up to one stage
## make run … SOLUTIONS=1                           the model solves the tasks by scripts, too, which are then run
## make solve ENV_DIR=moodle_env                    only write these solutions, of the tasks of a run
## make check ENV_DIR=moodle_env                    verify and probe the tasks of a run again, as they are now
## make repair ENV_DIR=moodle_env                   ask the model to repair tasks that the checks find bad
## make quarantine ENV_DIR=moodle_env               move bad tasks out of the environment
## make export ENV_DIR=moodle_env                   add good tasks to the environment's split file, as make run does
## make report ENV_DIR=moodle_env                   write one page that shows the tasks of a run; make run ends with it
## make fleet ENVS=envs.tsv [PROFILE=slurm] [BUDGET=USD] [FLEET_ARGS='…']  the chain for every line of a table
## make fleet-status ENVS=envs.tsv                  one table over all its runs, while they go and after
## make demo                                        the chain on examples/, offline
## make test                                        every test
## make test-claude                                 stage-propose with the real Claude Code, from npm
## make test-providers [PARTS="bodies streams …"]   the chain with the SDKs, LiteLLM, nginx, a proxy, llama.cpp
## make test-fleet GYM_ANYTHING=CHECKOUT [PARTS="fair local slurm kubernetes"]  eight runs on one limit; 20 environments here and on a real SLURM
## make bench-fleet [SCALE_ARGS='--environments 1 20 249 --tasks 75']  what the processes of a fleet need
## make test-browser [BROWSER_ARGS='VERDICTS WORKSPACE']  reports in Chromium; needs npm
## make test-exports [PARTS="splits …"]            the demo's exports with what uses them; GYM_ANYTHING=CHECKOUT for all
## make test-checklists GYM_ANYTHING=CHECKOUT       gym-anything's scorer on the checklists of the demo
## make demo-live [RELEASE=trixie] [NETWORK=host]   the demo, its tasks run and solved in GnuCash, in containers
## make test-live [PARTS="sound web faults engine daemon gym"]  stage-verify-task on real containers, with GnuCash 4 and 5
## make bench [CORPUS=path/to/environments]         every benchmark; see BENCH_ARGS and EXTRACT_TASKS in the Makefile
## make check-stage STAGE='./mine' [MANIFEST=FILE]  which parts of the contract a custom stage breaks
## make schemas                                     generate schemas/ from the record types
## make install [PREFIX=~/.cargo]                   install the stages, their man pages and shell completions
## make clean                                       remove build output and the demo
##
## Variables of a run: SOFTWARE ENV_DIR WORKSPACE RUN_DIR AGENT SEED_COUNT MODEL COUNT NUM_WORKERS BATCH ROUNDS SOLUTIONS; for
## further arguments PROPOSE_ARGS AMPLIFY_ARGS EXTRACT_ARGS VERIFY_ARGS PROBE_ARGS TASK_ARGS EXPORT_ARGS REPORT_ARGS. Any stage
## (PROPOSE AMPLIFY EXTRACT VERIFY_SPEC PROBE SOLVE VERIFY_TASK) can be replaced by your own command that reads records on
## standard input and writes records on standard output, and gets filters before and after it:
##     make run SOFTWARE="Moodle" ENV_DIR=moodle_env EXTRACT=./my-extract
##     make run SOFTWARE="Moodle" ENV_DIR=moodle_env POST_AMPLIFY="jq -c 'select(.index < 10)'"
## Filters: PRE_AMPLIFY PRE_EXTRACT PRE_VERIFY_SPEC PRE_PROBE PRE_SOLVE PRE_VERIFY_TASK
##          POST_PROPOSE POST_AMPLIFY POST_EXTRACT POST_VERIFY_SPEC POST_PROBE POST_SOLVE POST_VERIFY_TASK
## Other variables: FLEET_VENV, where Snakemake is installed; DEMO, the folder of the demo; BIN, the folder of the programs; BUILD, the command that builds them
