"""Runs jobs of Snakemake as Jobs of Kubernetes, by kubectl: what its executor cluster-generic calls.

Usage: job.py submit --image IMAGE --claim CLAIM --mount PATH --secret SECRET --rule RULE --cpu N --memory-mb N SCRIPT
       job.py status NAME
       job.py cancel NAME…

The volume of CLAIM is mounted at PATH in each pod, where SCRIPT, the checkout, the workspace and the table are. The keys of
SECRET become environment variables. A pod that fails is not started again: the next `make fleet` tries its stage again.
"""

import argparse
import json
import os
import subprocess
import sys

# How long Kubernetes keeps what a Job printed, in seconds.
KEPT_SECONDS = 24 * 3600
# What a pod inherits, if it is set. Keys are in the secret.
INHERITED = [f"{provider}_BASE_URL" for provider in ("GEMINI", "ANTHROPIC", "OPENAI")] + ["PROPOSE_AMPLIFY_LEDGER"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    submitting = commands.add_parser("submit")
    for name in ("image", "claim", "mount", "secret", "rule", "cpu", "memory-mb"):
        submitting.add_argument(f"--{name}", required=True)
    submitting.add_argument("script")
    submitting.set_defaults(run=submit)
    asking = commands.add_parser("status")
    asking.add_argument("name")
    asking.set_defaults(run=status)
    cancelling = commands.add_parser("cancel")
    cancelling.add_argument("names", nargs="+")
    cancelling.set_defaults(run=cancel)
    args = parser.parse_args()
    args.run(args)


def submit(args):
    created = kubectl("create", "-f", "-", "-o", "name", input=json.dumps(job(args)))
    print(created.strip())


def job(args):
    volume = {"name": "fleet", "persistentVolumeClaim": {"claimName": args.claim}}
    # A limit of processors would slow down what Kubernetes could do at once.
    memory = f"{args.memory_mb}Mi"
    container = {
        "name": "stage",
        "image": args.image,
        "command": ["bash", args.script],
        "workingDir": os.getcwd(),
        "env": [{"name": name, "value": os.environ[name]} for name in INHERITED if name in os.environ],
        "envFrom": [{"secretRef": {"name": args.secret}}],
        "resources": {"requests": {"cpu": args.cpu, "memory": memory}, "limits": {"memory": memory}},
        "volumeMounts": [{"name": "fleet", "mountPath": args.mount}],
    }
    pod = {"restartPolicy": "Never", "volumes": [volume], "containers": [container]}
    labels = {"app": "propose-amplify-fleet"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"fleet-{args.rule.replace('_', '-')}-", "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def status(args):
    """Prints success, failed or running, as cluster-generic wants it."""
    try:
        found = kubectl("get", args.name, "-o", "json", "--ignore-not-found")
    except subprocess.CalledProcessError:
        # The server does not answer, which says nothing of the job.
        print("running")
        return
    conditions = json.loads(found)["status"].get("conditions", []) if found.strip() else [{"type": "Failed", "status": "True"}]
    met = {condition["type"] for condition in conditions if condition["status"] == "True"}
    print("success" if "Complete" in met else "failed" if "Failed" in met else "running")


def cancel(args):
    kubectl("delete", *args.names, "--ignore-not-found", "--wait=false")


def kubectl(*arguments, **options):
    ran = subprocess.run(["kubectl", *arguments], stdout=subprocess.PIPE, text=True, check=True, **options)
    return ran.stdout


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"job.py: {error}")
