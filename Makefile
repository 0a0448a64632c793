# The only door: every verb of the project is a target here; what it does is in scripts/.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory

ENV ?= local
TARGET ?= lambda
EMULATED ?=
EMULATOR ?= embedded
EMULATOR_PORT ?= 4566
ID ?=
EMAIL ?=
ROLE ?= admin
ALARM ?=
MANIFEST ?=
RECIPIENTS ?=
PLAN ?=
BATCH ?=
FUNCTION ?=
SINCE ?=
FOLLOW ?=
TABLE ?=
TESTS ?=
BENCH ?= full
export ENV EMULATED EMULATOR EMULATOR_PORT ID EMAIL ROLE ALARM MANIFEST BENCH
export FUNCTION SINCE FOLLOW TABLE

PYTHON := .venv/bin/python

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^## /{printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo; echo "  ENV is one of: $$(cd terraform/env && ls *.tfvars | sed 's/\.tfvars//' | grep -v emulated | paste -sd ' ' -)"

## See it work
.PHONY: demo up down status console
demo: up ## Send a campaign of 500 contacts through a stack on this machine
	@scripts/demo.sh

up: setup ## Start the emulator (EMULATOR_PORT, default 4566)
	@scripts/emulator.sh up

down: ## Stop the emulator
	@scripts/emulator.sh down

console: ## Serve the console from the sources, in front of a stack that stands (make up deploy)
	@$(PYTHON) scripts/vendor.py && $(PYTHON) scripts/console_server.py

## Work on it
.PHONY: setup test check unit integration fault terraform-test format lock clean security
setup: ## Make both virtual environments
	@scripts/setup.sh dev emulator

test: check ## Run every test; starts and stops an emulator of its own
	@scripts/test.sh $(TESTS)

check: setup ## Check format, lint, types, shell scripts and Terraform
	@scripts/check.sh

unit: setup ## Run the tests that need nothing but Python
	@$(PYTHON) -m pytest -q tests/unit tests/contract $(TESTS)

integration: setup ## Run the tests through the deployed stack
	@scripts/test.sh tests/emulator tests/integration $(TESTS)

fault: setup ## Run the long proof: thousands of simulated campaigns, killed workers
	@scripts/fault.sh

terraform-test: setup ## Run Terraform's own tests, offline, in both partitions
	@scripts/terraform.sh test

security: ## Check Terraform with checkov, and every policy with parliament
	@scripts/security.sh

format: setup ## Format Python and Terraform
	@$(PYTHON) -m ruff format -q . && $(PYTHON) -m ruff check -q --fix . && terraform fmt -recursive terraform

lock: setup ## Make the locks of requirements anew
	@scripts/lock.sh

clean: down ## Stop the emulator and remove everything that was built
	@rm -rf build .venv .venv-emulator terraform/.data-*

## Deploy it: ENV=dev, prod, govcloud or local; EMULATED=1 sends any of them to the emulator
.PHONY: bootstrap build publish releases plan plan-summary deploy destroy output env unlock admin alarm-drill
bootstrap: setup ## Make state bucket, artefact bucket and pipeline roles, once an account
	@scripts/bootstrap.sh

build: ## Build zips and layers (TARGET=lambda or local)
	@scripts/build.sh $(TARGET)

publish: ## Build, and upload what the artefact bucket does not have yet
	@scripts/publish.sh upload

releases: ## List the releases in the artefact bucket
	@scripts/publish.sh list

plan: ## Show what a deploy would change
	@scripts/publish.sh build
	@scripts/terraform.sh plan

plan-summary: ## Say in Markdown what the last plan would do, what it destroys first
	@scripts/terraform.sh summary

deploy: ## Build, publish, plan to a file, show it, apply that file (MANIFEST=release goes back)
	@scripts/publish.sh upload
	@scripts/terraform.sh deploy

destroy: ## Remove an environment
	@scripts/terraform.sh destroy

output: ## Print the outputs of an environment as JSON
	@scripts/terraform.sh output

env: ## Print export lines with which the aws command reaches an environment
	@scripts/terraform.sh env

admin: setup ## Invite the first admin, or anybody: EMAIL=..., ROLE=viewer, editor, sender
	@scripts/invite.sh

unlock: ## Release a lock that a killed deploy left (ID=...)
	@scripts/terraform.sh unlock

alarm-drill: ## Fire an alarm of each severity on purpose (ALARM=... another one)
	@scripts/alarm_drill.sh

## Look after it: ENV and EMULATED as above
.PHONY: status logs dead-letters halt pause-all cost sbom
status: ## Show queues, campaigns, alarms and live versions
	@scripts/operate.sh status

logs: ## Follow the functions' logs (FUNCTION=api, SINCE=1h, FOLLOW=0)
	@scripts/operate.sh logs

dead-letters: ## Show what could not be handled, and why
	@scripts/operate.sh dead-letters

halt: ## Stop all work on the queues, losing nothing; the next deploy turns it on again
	@scripts/operate.sh halt

pause-all: ## Let no campaign send by itself, after a restore (TABLE=a restored table)
	@scripts/operate.sh pause-all

cost: setup ## Estimate a campaign's cost (RECIPIENTS=100000, PLAN=essentials, BATCH=10)
	@$(PYTHON) scripts/cost.py --environment $(ENV) --recipients "$(RECIPIENTS)" $(if $(PLAN),--plan $(PLAN)) $(if $(BATCH),--batch $(BATCH))

sbom: setup ## Write the bill of materials and the licences of what Lambda runs
	@scripts/build.sh lambda >&2 && scripts/sbom.sh

## Measure it
.PHONY: bench cold-start load import-bench soak
bench: setup ## Print rates, CPU and cost beside peers, in one run (BENCH=quick for a short one)
	@scripts/bench.sh

cold-start: ## Print what importing the package and each function costs
	@scripts/build.sh local >&2 && $(PYTHON) scripts/cold_start.py

import-bench: up ## Import 300,000 contacts with the function's code; print rows a second and peak memory
	@$(MAKE) deploy ENV=local >build/logs/import-bench-deploy.log && $(PYTHON) scripts/bench/importing.py

load: up ## Send 10,000 contacts through the stack on the emulator and print the rate
	@scripts/load.sh

soak: up ## Send 100,000 contacts with faults, and check that nobody is lost and no process grows (RECIPIENTS=2000)
	@scripts/soak.sh $(if $(RECIPIENTS),--recipients "$(RECIPIENTS)")
