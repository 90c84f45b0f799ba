"""The package, installed, loaded by `verifiers`, and its tasks scored after scripted rollouts."""

PACKAGES = ["verifiers[harbor]==0.4.0"]


def run(test):
    python = test.python("verifiers", *PACKAGES)
    folder = test.export("--to", "verifiers")
    test.install(python, folder)
    return test.check(python, "score_verifiers.py", folder, test.demo)
