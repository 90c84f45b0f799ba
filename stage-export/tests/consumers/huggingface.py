"""The dataset, loaded with Hugging Face's `datasets` without a network."""

PACKAGES = ["datasets==5.2.0"]


def run(test):
    python = test.python("huggingface", *PACKAGES)
    folder = test.export("--to", "huggingface", "--license", "mit")
    cache = str(test.scratch / "cache")
    return test.check(
        python, "load_dataset.py", folder, test.demo, HF_HOME=cache, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1"
    )
