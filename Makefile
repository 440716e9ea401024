# Two commands: `make demo` sets up and shows the whole idea, `make test` sets up and passes the tests.
.PHONY: demo test fast lint check bench generated docs clean

demo: .venv/.locked
	@tools/demo

test: .venv/.locked
	@tools/judges
	@.venv/bin/pytest -q -n 2 --dist worksteal

fast: .venv/.locked   ## the inner loop: no real tools, nothing slow
	@.venv/bin/pytest -q -m "not judge and not slow"

lint: .venv/.locked
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

generated: .venv/.locked   ## what is generated is up to date
	@.venv/bin/relspec schema --check
	@.venv/bin/relspec compile --check
	@.venv/bin/python tools/coverage.py --check
	@.venv/bin/python tools/output_schemas.py --check

docs: .venv/.locked   ## renews what docs and README show of the program
	@.venv/bin/relspec compile
	@.venv/bin/relspec schema
	@.venv/bin/python tools/coverage.py
	@.venv/bin/python tests/test_catalogue.py
	@.venv/bin/python tests/test_docs.py
	@.venv/bin/python tests/test_readme.py

check: lint generated

bench: .venv/.locked
	@.venv/bin/python benchmarks/stages.py

clean:
	rm -rf .venv .tools dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.locked: requirements.lock pyproject.toml tools/setup
	@tools/setup && touch $@
